"""Adam with the L2-coupled weight decay of the paper's code, and its learning rate schedules."""

from collections.abc import Sequence

import jax.numpy as jnp
import optax

SCHEDULES = ("multistep", "cosine", "constant")


def make_schedule(
    kind: str,
    *,
    learning_rate: float,
    total_steps: int,
    milestones: Sequence[int] = (),
    decay: float = 0.1,
    warmup_steps: int = 0,
) -> optax.Schedule:
    """Learning rate as a function of the step.

    Args:
      kind: "multistep" multiplies by `decay` at each of `milestones`, "cosine" falls to 0 at `total_steps`,
        "constant" stays.
      learning_rate: the highest rate.
      total_steps: length of the run.
      milestones: steps, for "multistep".
      decay: factor, for "multistep".
      warmup_steps: steps of linear growth from 0 before the schedule proper.

    Raises:
      ValueError: for an unknown kind.
    """
    match kind:
        case "multistep":
            schedule = optax.piecewise_constant_schedule(learning_rate, {step: decay for step in milestones})
        case "cosine":
            schedule = optax.cosine_decay_schedule(learning_rate, max(total_steps - warmup_steps, 1))
        case "constant":
            schedule = optax.constant_schedule(learning_rate)
        case _:
            raise ValueError(f"unknown learning rate schedule {kind!r}; known: {', '.join(SCHEDULES)}")
    if not warmup_steps:
        return schedule
    if kind == "multistep":  # milestones count from the start of the run: the warm-up does not shift them
        return lambda step: schedule(step) * jnp.minimum((step + 1) / warmup_steps, 1.0)
    return optax.join_schedules([optax.linear_schedule(0.0, learning_rate, warmup_steps), schedule], [warmup_steps])


def make_optimizer(
    schedule: optax.Schedule, *, weight_decay: float = 5e-4, clip_norm: float = 1.0
) -> optax.GradientTransformation:
    """Adam on the gradient + `weight_decay` x parameter (not AdamW), clipped together to a global norm; 0: off.

    The decay joins before the clipping. Landmark errors in squared pixels give gradients hundreds of times the limit:
    clipped alone, they would leave the decay, and no longer the losses, to steer albedo and light.
    """
    clip = optax.clip_by_global_norm(clip_norm) if clip_norm else optax.identity()
    decay = optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity()
    return optax.chain(decay, clip, optax.adam(schedule))
