"""Perceptual loss with a learnt confidence (Eq. 12). Which network makes the features is the caller's choice."""

import math

import jax.numpy as jnp
from jaxtyping import Array, Float


def perceptual_loss(
    features_rendered: Float[Array, "B h w C"],
    features_image: Float[Array, "B h w C"],
    sigma: Float[Array, "B h w"],
    *,
    sigma_min: float = 1 / 255,
) -> Float[Array, " B"]:
    """Negative log-likelihood of the photo's features under a Gaussian around the rendering's (Eq. 12).

        mean over places p and channels of  l_p^2 / (2 sigma_p^2) + ln(sqrt(2 pi) sigma_p)

    The best sigma is the root mean square difference over the channels. `sigma + sigma_min` is used, as in
    `sirjax.losses.photometric.pixel_loss`. The mean runs over the whole map: make the features of the rendering from
    `compose_over`, so that they differ by the face only.
    """
    sigma = sigma + sigma_min
    squared = jnp.mean(jnp.square(features_rendered - features_image), axis=-1)
    nll = squared / (2.0 * jnp.square(sigma)) + jnp.log(sigma) + 0.5 * math.log(2.0 * math.pi)
    return jnp.mean(nll, axis=(1, 2))


def compose_over(
    rendered: Float[Array, "B H W 3"], image: Float[Array, "B H W 3"], mask: Float[Array, "B H W"]
) -> Float[Array, "B H W 3"]:
    """The photo with the face replaced by its rendering. A constant background would dominate the feature loss."""
    mask = mask[..., None]
    return mask * rendered + (1.0 - mask) * image
