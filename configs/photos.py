"""Both stages on a few thousand real photos: the small network of the demo, about an hour on two CPU cores.

  sirjax train --config photos:warmup --workdir runs/photos/warmup --config.data.landmark=records/faces
  sirjax train --config photos:sir --workdir runs/photos/sir --config.init_from=runs/photos/warmup \
      --config.data.landmark=records/faces --config.data.identity=records/people

What differs from the demo is the augmentation: a thousand photos with landmarks are seen a hundred times each.
Results: experiments/photos/README.md.
"""

from typing import Any

from configs import demo


def get_config(stage: str = "sir") -> Any:
    """The settings of one stage: "warmup" or "sir".

    Raises:
      ValueError: for another stage.
    """
    config = demo.get_config(stage)
    augment(config)
    config.schedule.steps = 4000 if stage == "warmup" else 2500
    return config


def augment(config: Any) -> None:
    """Sets the changes that every photo is seen through: what holds for a photo taken a little differently."""
    augmentation = config.data.augmentation
    augmentation.mirror = 0.5
    augmentation.shift = 2.0
    augmentation.rotation = 6.0
    augmentation.scale = 0.05
    augmentation.brightness = 0.15
    augmentation.contrast = 0.2
    augmentation.saturation = 0.2
    augmentation.hue = 0.02
    augmentation.blur = 0.7
    augmentation.occlusion = 0.2
