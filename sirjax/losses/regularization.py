"""Priors on coefficients (Eq. 15) and on the albedo residual (Eq. 16)."""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_SMOOTH = 1e-8  # under the root of the texel norm: finite gradient for a flat map


def coefficient_prior(whitened: Float[Array, "B K"]) -> Float[Array, " B"]:
    """Squared length |alpha / sigma|^2 of whitened coefficients (Eq. 15): twice their negative log-prior (Eq. 7)."""
    return jnp.sum(jnp.square(whitened), axis=-1)


def albedo_regularization(
    residual: Float[Array, "B U U 3"],
    uv_mask: Bool[Array, "U U"],
    *,
    eps_uv: float,
    squared: bool = False,
) -> Float[Array, " B"]:
    """Smoothness and size of the albedo residual A (Eq. 16), means over the texels p that belong to the face.

        mean_p |A(p) - mean_{q in N4(p)} A(q)|_2  +  eps_uv mean_p |A(p)|_2^2

    The paper sums over texels; means do not change with the map's resolution. N4 is the four neighbors, those outside
    the face left out; a texel without neighbors counts as smooth.

    Args:
      residual: what is added to the mean albedo.
      uv_mask: texels of the face.
      eps_uv: weight of the second term.
      squared: square the first norm, too, which punishes a few sharp edges more than many faint ones.
    """
    inside = uv_mask.astype(residual.dtype)[None, :, :, None]
    count = _sum_of_neighbors(inside)
    neighbors = _sum_of_neighbors(inside * residual) / jnp.maximum(count, 1.0)
    roughness = jnp.sum(jnp.square(jnp.where(count > 0, residual - neighbors, 0.0)), axis=-1)
    if not squared:
        roughness = jnp.sqrt(roughness + _SMOOTH)
    texels = jnp.maximum(jnp.sum(inside), 1.0)
    smoothness = jnp.sum(inside[..., 0] * roughness, axis=(1, 2)) / texels
    size = jnp.sum(inside * jnp.square(residual), axis=(1, 2, 3)) / texels
    return smoothness + eps_uv * size


def _sum_of_neighbors(maps: Float[Array, "B U U C"]) -> Float[Array, "B U U C"]:
    """Sum over the four neighbors of each texel; zero beyond the border."""
    padded = jnp.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
