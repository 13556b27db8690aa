"""Albedo maps [..., U, U, C] in the face model's UV layout, which is symmetric about u = 0.5."""

import jax
from jaxtyping import Array, Float


def mirror_albedo(albedo: Float[Array, "*B U U C"]) -> Float[Array, "*B U U C"]:
    """The map of the mirrored face: the columns in reverse order (the layout is symmetric about u = 0.5)."""
    return albedo[..., ::-1, :]


def resize_albedo(albedo: Float[Array, "*B U U C"], size: int) -> Float[Array, "*B size size C"]:
    """The map at another resolution, sampled linearly about texel centers and antialiased when it shrinks.

    Raises:
      ValueError: if `size` is not positive.
    """
    if size < 1:
        raise ValueError(f"an albedo map needs at least 1 texel a side, got size {size}")
    if albedo.shape[-3:-1] == (size, size):
        return albedo
    return jax.image.resize(albedo, (*albedo.shape[:-3], size, size, albedo.shape[-1]), method="linear", antialias=True)
