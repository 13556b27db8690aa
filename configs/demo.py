"""Both stages at the size of `make demo`: a small network on rendered faces, some minutes on two CPU cores.

  sirjax train --config demo:warmup --workdir runs/demo/warmup --config.data.landmark=...
  sirjax train --config demo:sir --workdir runs/demo/sir --config.init_from=runs/demo/warmup ...

Results: see the README; `make demo` prints its own.
"""

from typing import Any

from configs import default


def get_config(stage: str = "sir") -> Any:
    """The settings of one stage: "warmup" or "sir".

    Raises:
      ValueError: for another stage.
    """
    if stage not in ("warmup", "sir"):
        raise ValueError(f"unknown stage {stage!r} of the demo; choose warmup or sir")
    config = default.get_config()
    config.networks.preset = "tiny"
    config.networks.uv_size = 64
    config.losses.perceptual = 0.0  # VGG16 costs more than the whole small network
    config.data.batch_size = 64
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.run.log_every = 25
    config.run.image_every = 250
    config.run.checkpoint_every = 250
    if stage == "warmup":
        config.sir.weight = 0.0
        config.schedule.steps = 700
        config.schedule.pixel_from = 4.0
    else:
        config.schedule.steps = 900
        config.schedule.pixel_from = 0.0
    return config
