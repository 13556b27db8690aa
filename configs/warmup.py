"""First stage: landmarks, then pixels and features, without identities (Sec. III-D).

  sirjax train --config configs/warmup.py --workdir runs/warmup --config.data.landmark=RECORDS

Results: none yet on the paper's data; `make demo` runs both stages at small size.
"""

from typing import Any

from configs import default


def get_config() -> Any:
    """The warm-up of the authors' schedule: six epochs, learning rate cut at epochs 2 to 5."""
    config = default.get_config()
    config.sir.weight = 0.0
    return config
