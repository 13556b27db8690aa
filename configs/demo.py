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
    config.data.batch_size = 64
    config.data.augmentation.mirror = 0.5  # twice the photos for nothing
    config.losses.perceptual = 0.0  # VGG16 costs more than the whole small network
    config.losses.landmark_norm = "l2_mean"  # squared pixels let a few profiles drown the rest in so short a run
    config.losses.landmark = 2.0
    config.losses.shape_prior = 0.03  # weaker, shapes explain what pose has not learned to yet
    config.losses.expression_prior = 0.02
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 0.0  # Adam sees to the scale; clipped gradients of albedo and light would vanish
    config.run.log_every = 25
    config.run.image_every = 250
    config.run.checkpoint_every = 250
    if stage == "warmup":
        config.sir.weight = 0.0
        config.optimizer.learning_rate = 2e-3
        config.schedule.steps = 900
        config.schedule.pixel_from = 1000.0  # landmarks only: drawing costs more than this network
    else:
        # The paper's weights belong to millions of photos. In so short a run they would bury the geometry before
        # identities are learned, and KL would fill modes that nothing has taught yet with noise.
        config.sir.softmax_weight = 2.0
        config.sir.center_weight = 2e-5
        config.sir.kl_weight = 0.02
        config.optimizer.learning_rate = 1e-3
        config.schedule.steps = 550
        config.schedule.pixel_from = 0.0
    return config
