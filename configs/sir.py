"""Second stage: SIR on identities + landmarks, from a warmed-up run (Sec. III-D, Eq. 9).

  sirjax train --config configs/sir.py --workdir runs/sir --config.init_from=runs/warmup \
      --config.data.landmark=RECORDS --config.data.identity=RECORDS

Results: none yet on the paper's data; `make demo` runs both stages at small size.
"""

from typing import Any

from configs import default


def get_config() -> Any:
    """Two and a half passes over the mixed set with every loss from the start."""
    config = default.get_config()
    config.schedule.epochs = 2.5
    config.schedule.pixel_from = 0.0
    config.schedule.perceptual_from = 0.0
    config.optimizer.milestones = (0.4, 1.0, 1.5, 2.0)
    return config
