"""Real photos and rendered faces together, starting from the weights that come with sirjax.

  sirjax train --config photos_and_renders --workdir runs/both --config.init_from=builtin \
      --config.data.landmark="records/faces=2, records/renders/landmark=1" \
      --config.data.identity="records/people=8, records/more_people=1, records/renders/identity=3"

Photos say how real people look, renderings keep shapes what they are in millimeters and add people to tell apart: 1,500
in experiments/photos_and_renders, whose shares these are. The paper's whole loss, with the weights that the ablation on
real photos found well balanced (experiments/photos/README.md). About half an hour on two CPU cores.
"""

from typing import Any

from configs import ablations

STEPS = 3000


def get_config(variant: str = "sm+wc+kl") -> Any:
    """The settings; `variant` names the losses as in configs/ablations.py.

    Raises:
      ValueError: if the variant names an unknown loss, or both kinds of centers.
    """
    config = ablations.get_config(variant, real=True)
    config.schedule.steps = STEPS
    config.run.image_every = 1000
    config.run.checkpoint_every = 250
    return config
