"""Lambertian shading under light given as second-order spherical harmonics."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float

# Basis constants times the Lambert band factors pi, 2 pi / 3 and pi / 4 (spec: constants of section 5).
LAMBERTIAN = np.array(
    [0.886227, 1.023327, 1.023327, 1.023327, 0.247708, 0.858086, 0.858086, 0.429043, 0.858086], np.float32
)

# White ambient light: the shading is 1 for every normal.
NEUTRAL_LIGHT = np.zeros((9, 3), np.float32)
NEUTRAL_LIGHT[0] = 1.0 / LAMBERTIAN[0]


def spherical_harmonics(normals: Float[Array, "... 3"]) -> Float[Array, "... 9"]:
    """H_j Y_j(n) of unit normals: H * [1, z, x, y, 3z^2 - 1, xz, yz, x^2 - y^2, xy]."""
    return jnp.stack(_harmonics(normals), axis=-1)


def shade(
    albedo: Float[Array, "B H W 3"], normals: Float[Array, "B H W 3"], light: Float[Array, "B 9 3"]
) -> Float[Array, "B H W 3"]:
    """albedo * sum_j H_j Y_j(n) light_j for each channel; linear, not clipped.

    Args:
      albedo: RGB at each pixel.
      normals: unit, camera frame.
      light: one row per harmonic, one column per channel.
    """
    # Written out by channel: as a matrix product the backward pass takes ten times as long on a CPU.
    harmonics = _harmonics(normals)
    channels = [
        sum((harmonic * light[:, None, None, j, channel] for j, harmonic in enumerate(harmonics)), start=jnp.zeros(()))
        for channel in range(3)
    ]
    return albedo * jnp.stack(channels, axis=-1)


def _harmonics(normals: Float[Array, "... 3"]) -> list[Float[Array, "..."]]:
    x, y, z = normals[..., 0], normals[..., 1], normals[..., 2]
    basis = (jnp.ones_like(x), z, x, y, 3 * z * z - 1, x * z, y * z, x * x - y * y, x * y)
    return [float(h) * b for h, b in zip(LAMBERTIAN, basis, strict=True)]
