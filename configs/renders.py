"""Both stages on rendered faces only: the recipe of the weights that come with sirjax, some hours on two CPU cores.

  sirjax prepare synthetic --out records/renders \
      --landmark-images 36000 --identities 1500 --images-per-identity 12
  sirjax train --config renders:warmup --workdir runs/renders/warmup --config.data.landmark=records/renders/landmark
  sirjax train --config renders:sir --workdir runs/renders/sir --config.init_from=runs/renders/warmup \
      --config.data.landmark=records/renders/landmark --config.data.identity=records/renders/identity

The demo with more faces, more steps and the augmentation of `configs/photos.py`: networks that have seen nothing but
renderings must be used to more than renderings show. Results: docs/model_card.md.
"""

from typing import Any

from configs import demo, photos


def get_config(stage: str = "sir") -> Any:
    """The settings of one stage: "warmup" or "sir".

    Raises:
      ValueError: for another stage.
    """
    config = demo.get_config(stage)
    photos.augment(config)
    config.schedule.steps = 12000 if stage == "warmup" else 3000
    return config
