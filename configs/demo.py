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
    config.data.augmentation.mirror = 0.5  # twice the photos for nothing
    config.losses.perceptual = 0.0  # VGG16 costs more than the whole small network
    config.losses.landmark_norm = "l2_mean"  # squared pixels let a few profiles drown the rest in so short a run
    config.losses.landmark = 2.0
    config.losses.shape_prior = 0.03  # weaker, shapes explain what pose has not learned to yet
    config.losses.expression_prior = 0.02
    config.optimizer.kind = "muon"  # half the photos for the same landmark error
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup_steps = 50
    config.optimizer.weight_decay = 0.0
    config.optimizer.clip_norm = 0.0  # the optimizers see to the scale; clipped, albedo and light would not move
    config.run.log_every = 25
    config.run.image_every = 250
    config.run.checkpoint_every = 250
    if stage == "warmup":
        config.sir.weight = 0.0
        config.data.batch_size = 32
        config.optimizer.learning_rate = 2e-3
        config.schedule.steps = 4500
        config.schedule.pixel_from = 1000.0  # landmarks only: drawing costs more than this network
        config.run.image_every = 1000
        config.run.checkpoint_every = 1000
    else:
        # The paper's weights belong to millions of photos. In so short a run random class weights and centers at the
        # mean face would bury the geometry before identities are learned, and KL would fill modes that nothing has
        # taught yet with noise: measured, neutral RMSE 4 % below the mean face's instead of 13 %.
        config.sir.start = "imprinted"
        config.sir.softmax_weight = 0.25
        config.sir.center_weight = 2e-5
        config.sir.kl_weight = 0.002
        config.losses.shape_prior_on_identity = True
        config.losses.drawn_share = 0.25
        config.data.batch_size = 64
        config.optimizer.learning_rate = 1e-3
        config.schedule.steps = 450
        config.schedule.pixel_from = 0.0
    return config
