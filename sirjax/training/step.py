"""One training step of one device; `parallel.parallel_step` makes it the whole step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jax import Array

from sirjax.constants import NO_IDENTITY
from sirjax.losses.total import masked_mean, weighted_total
from sirjax.training import accumulation, identity_table
from sirjax.training import terms as loss_terms
from sirjax.training.state import TrainState
from sirjax.training.terms import Frozen, Method
from sirjax.types import Batch


@struct.dataclass
class Seen:
    """What the rest of the step needs of the networks' reading of each sample."""

    shape: Array  # [B, S] whitened
    trust: Array  # [B] how far it may move its center
    landmark_error: Array  # [B] pixels
    visible: Array | None  # [D] share of the image, of drawn samples


def make_train_step(
    networks: nn.Module,
    optimizer: optax.GradientTransformation,
    method: Method,
    *,
    axis_name: str | None = None,
    accumulate: int = 1,
    ema_decay: float = 0.0,
) -> Callable[[TrainState, Batch, Frozen], tuple[TrainState, dict]]:
    """Returns `step(state, batch, frozen) -> (state, metrics)`; with `axis_name`, one device's part of it.

    Losses are means over the global batch, reduced inside: every device holds the same total, and its gradient carries
    every device's share, so that the mean over devices is the gradient of the global batch.
    Metrics are scalars, equal on every device: the mean of each unweighted term, the total, and some measures.
    A step whose total or gradient is not finite changes nothing but the counters.

    Args:
      networks: what is trained.
      optimizer: how.
      method: by which losses.
      axis_name: of the devices; None: there is one, and it keeps the tables whole.
      accumulate: micro-batches that each device's batch is read in.
      ema_decay: of the moving average of the networks' parameters, reached after some steps; 0: none is kept.
    """
    norm = identity_table.gradient_norm(method.tables)

    def loss_fn(params, state: TrainState, frozen: Frozen, whole: loss_terms.WholeStep, index, part):
        batch, mirrored = part
        reading = loss_terms.read_batch(networks, method, params["networks"], frozen, batch.image, mirrored)
        terms = loss_terms.reconstruction_terms(method, frozen, batch, reading)
        kl = jnp.zeros(())
        if method.uses_identities and state.centers is not None:
            tables = params["class_weights"], state.centers
            identity, kl = loss_terms.identity_terms(method, frozen, batch, reading, *tables, axis_name, whole, index)
            terms |= identity
        has_identity = batch.identity != NO_IDENTITY
        total, metrics = weighted_total(
            terms, kl, batch.has_landmarks, has_identity, method.weights, axis_name=axis_name, members=whole.members
        )
        return total, (metrics, _seen(method, batch, reading))

    def train_step(state: TrainState, batch: Batch, frozen: Frozen) -> tuple[TrainState, dict]:
        mirrored = loss_terms.drawn_mirrored(method, state.step, len(batch.image), axis_name)
        parts = accumulation.into_parts((batch, mirrored), accumulate)
        whole = accumulation.look_ahead(networks, method, state, parts[0], axis_name)

        def gradient_of(index, part):
            gradient = jax.grad(loss_fn, has_aux=True)
            grads, (metrics, seen) = gradient(state.params, state, frozen, whole, index, part)
            return (grads, metrics), seen

        (grads, metrics), seen = accumulation.add_up(gradient_of, parts, accumulate)
        if axis_name is not None:
            grads = identity_table.reduce_gradients(grads, sharded=method.tables is not None)
        gradient_norm = norm(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        params: Any = optax.apply_updates(state.params, updates)
        updated = state.replace(
            params=params,
            opt_state=opt_state,
            centers=moved_centers(state, batch, frozen, seen),
            averaged=averaged(state, params["networks"]),
        )
        finite = jnp.isfinite(metrics["total"]) & jnp.isfinite(gradient_norm)
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
        new_state = kept.replace(step=state.step + 1, skipped=state.skipped + (~finite).astype(jnp.int32))
        return new_state, metrics | _measures(batch, seen, axis_name) | {"gradient_norm": gradient_norm}

    def moved_centers(state: TrainState, batch: Batch, frozen: Frozen, seen: Seen):
        if not method.uses_identities or method.center == "none" or state.centers is None:
            return state.centers
        samples = seen.shape, batch.identity, seen.trust
        return loss_terms.moved_centers(method, frozen, state.centers, *samples, axis_name)

    def averaged(state: TrainState, params: dict):
        if state.averaged is None:
            return None
        # Young averages forget faster: random first parameters would stay in them for 1 / (1 - decay) steps.
        decay = jnp.minimum(ema_decay, (1.0 + state.step) / (10.0 + state.step))
        return jax.tree.map(lambda old, new: old + (1.0 - decay) * (new - old), state.averaged, params)

    return train_step


def _seen(method: Method, batch: Batch, reading: loss_terms.Reading) -> Seen:
    rendering = reading.rendering
    return Seen(
        shape=reading.output.shape,
        trust=loss_terms.center_trust(method, reading),
        landmark_error=jnp.linalg.norm(reading.landmarks - batch.landmarks, axis=-1).mean(axis=-1),
        visible=None if rendering is None else rendering.mask.mean(axis=(1, 2)),
    )


def _measures(batch: Batch, seen: Seen, axis_name: str | None) -> dict:
    everyone = jnp.ones_like(batch.has_landmarks)
    values = {
        "shape_norm": masked_mean(jnp.linalg.norm(seen.shape, axis=-1), everyone, axis_name),
        "landmark_error_px": masked_mean(seen.landmark_error, batch.has_landmarks, axis_name),
    }
    if seen.visible is not None:
        values["visible"] = masked_mean(seen.visible, everyone[: len(seen.visible)], axis_name)
    return values
