"""Similarity transforms: scale, rotation, translation; and the closed-form fit between two point sets."""

import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float


@struct.dataclass
class Similarity:
    """target_from_source: y = scale * rotation @ x + translation, in D = 2 or 3 dimensions."""

    scale: Array  # [...] positive
    rotation: Array  # [..., D, D] proper (determinant +1)
    translation: Array  # [..., D]


def fit_similarity(
    source: Float[Array, "... N D"], target: Float[Array, "... N D"], weights: Float[Array, "... N"] | None = None
) -> Similarity:
    """The similarity that takes `source` to `target` with the least (weighted) squared distance (Umeyama 1991).

    Never a reflection. Needs points that span D - 1 dimensions; coinciding source points give scale 0.

    Args:
      source: points to move.
      target: where the same points should land.
      weights: how much each point counts, not negative; equal weights if None.
    """
    weights = jnp.ones_like(source[..., 0]) if weights is None else weights
    weights = (weights / jnp.sum(weights, axis=-1, keepdims=True))[..., None]
    source_mean = jnp.sum(weights * source, axis=-2)
    target_mean = jnp.sum(weights * target, axis=-2)
    centered_source = source - source_mean[..., None, :]
    centered_target = target - target_mean[..., None, :]
    covariance = jnp.swapaxes(weights * centered_target, -1, -2) @ centered_source
    u, singular_values, vt = jnp.linalg.svd(covariance)
    # The last direction is flipped where the best orthogonal matrix would be a reflection.
    sign = jnp.ones_like(singular_values).at[..., -1].set(jnp.sign(jnp.linalg.det(u) * jnp.linalg.det(vt)))
    rotation = (u * sign[..., None, :]) @ vt
    variance = jnp.sum(weights * jnp.square(centered_source), axis=(-1, -2))
    scale = jnp.sum(singular_values * sign, axis=-1) / jnp.maximum(variance, jnp.finfo(variance.dtype).tiny)
    translation = target_mean - scale[..., None] * (rotation @ source_mean[..., None])[..., 0]
    return Similarity(scale=scale, rotation=rotation, translation=translation)


def apply_similarity(similarity: Similarity, points: Float[Array, "... N D"]) -> Float[Array, "... N D"]:
    """Moves points: scale * rotation @ x + translation."""
    rotated = points @ jnp.swapaxes(similarity.rotation, -1, -2)
    return similarity.scale[..., None, None] * rotated + similarity.translation[..., None, :]
