"""The stages that the experiments compare: the demo's, the second one shorter and with the SIR loss's parts on and off.

  sirjax train --config ablations:warmup --workdir runs/warmup --config.data.landmark=...
  sirjax train --config ablations:sm+wc+kl --workdir runs/full --config.init_from=runs/warmup ...

A variant of the second stage names its losses: `sm` CosFace (L_sm), `c` plain or `wc` weighted centers (L_c, L_wc),
`kl` the KL term, joined by "+"; `none` has no SIR loss at all. Results: experiments/README.md.
A part `teacher` adds the distances of an outside recognizer (losses.teacher, beyond the paper).
For real photos the same variants are built on configs/photos.py: experiments/photos/README.md.
"""

from typing import Any

from configs import demo, photos

PARTS = ("sm", "c", "wc", "kl", "teacher")
VARIANTS = ("none", "kl", "sm", "sm+kl", "sm+c", "sm+c+kl", "sm+wc", "sm+wc+kl")  # Table II
TAUGHT = ("teacher", "sm+wc+kl+teacher")  # no SIR loss, and the paper's, each with a teacher


def get_config(variant: str = "sm+wc+kl", *, real: bool = False) -> Any:
    """The settings of the warm-up ("warmup") or of a variant of the second stage.

    Args:
      variant: see above.
      real: for real photos, with the augmentation and the warm-up of configs/photos.py.

    Raises:
      ValueError: if the variant names an unknown loss, or both kinds of centers.
    """
    stages = photos if real else demo
    if variant == "warmup":
        return stages.get_config("warmup")
    parts = set() if variant == "none" else set(variant.split("+"))
    if not parts <= set(PARTS) or {"c", "wc"} <= parts:
        raise ValueError(
            f"unknown variant {variant!r}: join some of {', '.join(PARTS)} by '+' (but not c and wc), or take one of: "
            "none, warmup"
        )
    config = stages.get_config("sir")
    config.schedule.steps = 200
    config.run.image_every = 0
    config.run.log_every = 10  # for curves
    config.run.checkpoint_every = 100
    # No other prior holds shapes of identity photos back, or KL's part could not be seen (docs/method.md, Eq. 15).
    config.losses.shape_prior_on_identity = False
    config.sir.weight = float(bool(parts - {"teacher"}))
    # Of 20, 200 and 1000 the middle one told people held out apart best, one seed each (300 steps).
    config.losses.teacher = 200.0 if "teacher" in parts else 0.0
    config.sir.softmax = "cosface" if "sm" in parts else "none"
    config.sir.center = "weighted" if "wc" in parts else "plain" if "c" in parts else "none"
    config.sir.center_weight = 1e-4
    # At rest KL's pull on the variance v of a mode, weight (1 / v - 1), is that of the shape prior on landmark photos,
    # 2 x 0.03: a weight of 0.02 leaves 1/4 of the prior's variance (|alpha/sigma| 6 to 7 of 14), 0.3 leaves 0.83 of it.
    config.sir.kl_weight = (0.3 if real else 0.02) if "kl" in parts else 0.0
    return config
