"""One training step of one device; `parallel.parallel_step` makes it the whole step."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from sirjax.losses import sir
from sirjax.losses.total import masked_mean, weighted_total
from sirjax.morphable import coefficients as units
from sirjax.training import terms as loss_terms
from sirjax.training.state import TrainState
from sirjax.training.terms import Frozen, Method
from sirjax.types import NO_IDENTITY, Batch


def make_train_step(
    networks: nn.Module, optimizer: optax.GradientTransformation, method: Method, *, axis_name: str | None = None
) -> Callable[[TrainState, Batch, Frozen], tuple[TrainState, dict]]:
    """Returns `step(state, batch, frozen) -> (state, metrics)`; with `axis_name`, one device's part of it.

    Losses are means over the global batch, reduced inside: every device holds the same total, and its gradient carries
    every device's share, so that the mean over devices is the gradient of the global batch.
    Metrics are scalars, equal on every device: the mean of each unweighted term, the total, and some measures.
    A step whose total or gradient is not finite changes nothing but the counters.
    """
    weights = method.weights

    def loss_fn(params, state: TrainState, batch: Batch, frozen: Frozen):
        mirrored = loss_terms.drawn_mirrored(method, state.step, len(batch.image), axis_name)
        reading = loss_terms.read_batch(networks, method, params["networks"], frozen, batch.image, mirrored)
        terms = loss_terms.reconstruction_terms(method, frozen, batch, reading)
        kl = jnp.zeros(())
        if method.uses_identities and state.centers is not None:
            identity, kl = loss_terms.identity_terms(
                method, frozen, batch, reading, params["class_weights"], state.centers, axis_name
            )
            terms |= identity
        total, metrics = weighted_total(
            terms, kl, batch.has_landmarks, batch.identity != NO_IDENTITY, weights, axis_name=axis_name
        )
        return total, (metrics, reading)

    def train_step(state: TrainState, batch: Batch, frozen: Frozen) -> tuple[TrainState, dict]:
        grads, (metrics, reading) = jax.grad(loss_fn, has_aux=True)(state.params, state, batch, frozen)
        if axis_name is not None:
            grads = jax.lax.pmean(grads, axis_name)
        gradient_norm = optax.tree.norm(grads)
        updates, opt_state = optimizer.update(grads, state.opt_state, state.params)
        updated = state.replace(
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            centers=moved_centers(state, batch, frozen, reading),
        )
        finite = jnp.isfinite(metrics["total"]) & jnp.isfinite(gradient_norm)
        kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), updated, state)
        new_state = kept.replace(step=state.step + 1, skipped=state.skipped + (~finite).astype(jnp.int32))
        return new_state, metrics | measures(batch, reading) | {"gradient_norm": gradient_norm}

    def moved_centers(state: TrainState, batch: Batch, frozen: Frozen, reading: loss_terms.Reading):
        if not method.uses_identities or method.center == "none" or state.centers is None:
            return state.centers
        trust = jnp.ones(len(batch.identity))
        if method.center == "weighted":
            trust = sir.neutral_frontal_confidence(
                reading.camera.rotation,
                reading.output.expression,
                form=method.pose_weight,
                decay=method.expression_decay,
            )
        shape_mm = units.to_millimeters(reading.output.shape, frozen.face_model.shape_std)
        return sir.update_centers(
            state.centers, shape_mm, batch.identity, trust, rate=method.center_rate, axis_name=axis_name
        )

    def measures(batch: Batch, reading: loss_terms.Reading) -> dict:
        everyone = jnp.ones_like(batch.has_landmarks)
        shape_norm = jnp.linalg.norm(reading.output.shape, axis=-1)
        values = {"shape_norm": masked_mean(shape_norm, everyone, axis_name)}
        error = jnp.linalg.norm(reading.landmarks - batch.landmarks, axis=-1).mean(axis=-1)
        values["landmark_error_px"] = masked_mean(error, batch.has_landmarks, axis_name)
        if reading.rendering is not None:
            visible = reading.rendering.mask.mean(axis=(1, 2))
            values["visible"] = masked_mean(visible, everyone[: len(visible)], axis_name)
        return values

    return train_step
