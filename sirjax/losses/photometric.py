"""Pixel loss with a learnt confidence (Eq. 11)."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float


def pixel_loss(
    rendered: Float[Array, "B H W 3"],
    image: Float[Array, "B H W 3"],
    mask: Float[Array, "B H W"],
    sigma: Float[Array, "B H W"],
    *,
    sigma_min: float = 1 / 255,
    include_constants: bool = True,
) -> Float[Array, " B"]:
    """Negative log-likelihood of the image under a Laplacian around the rendering, mean over the visible face (Eq. 11).

        (1 / |Omega|) sum_{p in Omega} sqrt(2) l1_p / sigma_p + ln(sqrt(2) sigma_p)

    l1_p is the absolute difference averaged over RGB. The best sigma is sqrt(2) l1_p: where the model cannot explain
    the photo (hair, glasses) the networks may say so at a logarithmic price.

    Args:
      rendered: the face drawn back.
      image: the photo, in [0, 1].
      mask: Omega, 1 where the rendering shows the face.
      sigma: confidence map of the networks, positive; the scale used is `sigma + sigma_min`.
      sigma_min: keeps the loss bounded from below; one gray level by default. Added, not clipped at, so that a sigma
        near 0 can grow again.
      include_constants: False drops ln(sqrt(2)), so that a perfect rendering at sigma = 1 costs 0.

    Returns:
      One value per sample; 0 where the mask is empty.
    """
    sigma = sigma + sigma_min
    difference = jnp.mean(jnp.abs(rendered - image), axis=-1)
    nll = math.sqrt(2.0) * difference / sigma + jnp.log(sigma)
    if include_constants:
        nll = nll + 0.5 * math.log(2.0)
    return jnp.sum(mask * nll, axis=(1, 2)) / jnp.maximum(jnp.sum(mask, axis=(1, 2)), 1.0)
