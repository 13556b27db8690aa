"""Adam with the L2-coupled weight decay of the paper's code, or Muon, and learning rate schedules."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import optax
import optax.contrib
from jax import Array

OPTIMIZERS = ("adam", "muon")
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
    schedule: optax.Schedule,
    *,
    kind: str = "adam",
    muon_factor: float = 15.0,
    weight_decay: float = 5e-4,
    clip_norm: float = 1.0,
    norm: Callable[[optax.Updates], Array] = optax.tree.norm,
) -> optax.GradientTransformation:
    """The optimizer on the gradient + `weight_decay` x parameter (not AdamW), clipped together to a global norm.

    The decay joins before the clipping. Landmark errors in squared pixels give gradients hundreds of times the limit:
    clipped alone, they would leave the decay, and no longer the losses, to steer albedo and light.

    Args:
      schedule: learning rate as a function of the step.
      kind: "adam" as in the paper, or "muon": kernels of convolutions move along the orthogonal matrix nearest to
        their momentum (Jordan et al. 2024), everything else by Adam with Nesterov's momentum. It needs fewer photos; a
        step costs some more.
      muon_factor: learning rate of those kernels, relative to `schedule`.
      weight_decay: 0: off.
      clip_norm: 0: off.
      norm: of all gradients together, which no device has at hand where tables are sharded: `identity_table.norm`.

    Raises:
      ValueError: for an unknown kind.
    """
    if kind not in OPTIMIZERS:
        raise ValueError(f"unknown optimizer {kind!r}; known: {', '.join(OPTIMIZERS)}")
    clip = _clip(clip_norm, norm) if clip_norm else optax.identity()
    decay = optax.add_decayed_weights(weight_decay) if weight_decay else optax.identity()
    if kind == "adam":
        return optax.chain(decay, clip, optax.adam(schedule))
    muon = optax.contrib.muon(
        lambda step: muon_factor * schedule(step),
        adam_learning_rate=schedule,
        muon_weight_dimension_numbers=_as_matrices,
    )
    return optax.chain(decay, clip, muon)


def _clip(longest: float, norm: Callable[[optax.Updates], Array]) -> optax.GradientTransformation:
    """`optax.clip_by_global_norm` with a norm of one's own."""

    def update(updates, state, params=None):
        del params
        length = norm(updates)
        return jax.tree.map(lambda leaf: jnp.where(length < longest, leaf, leaf / length * longest), updates), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)


def _as_matrices(params: optax.Params) -> optax.Params:
    """Kernels [H, W, in, out] as matrices of H W in rows; None, which is Adam's part, for everything else."""
    matrix = optax.contrib.MuonDimensionNumbers(reduction_axis=(0, 1, 2), output_axis=3)
    return jax.tree.map(lambda param: matrix if param.ndim == 4 else None, params)
