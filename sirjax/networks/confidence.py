"""ConfNet: how wrong the rendering is expected to be at each pixel, as the sigma of the photometric likelihoods.

Two maps come out: one at the image's resolution (pixel loss) and one at a quarter of it (perceptual loss on relu3_3 of
VGG16). Each has two channels: 0 belongs to the rendering with the predicted albedo, 1 to the one with the mirrored
albedo. The last layers start at zero, so every sigma starts at softplus(0) = 0.693.
"""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sirjax.networks.albedo_decoder import depth_to_space
from sirjax.networks.transposed import TransposedConv

LEAK = 0.2  # slope of the encoder's leaky ReLUs


class ConfNet(nn.Module):
    """The network of Wu et al. 2020 (unsup3d) for images of any size divisible by 16: 11.1 M parameters, no biases.

    Attributes:
      channels: of the first convolution; all others are multiples of it.
      bottleneck: numbers the whole image passes through in the middle.
      dtype: of the computation; parameters and the result are float32.
    """

    channels: int = 64
    bottleneck: int = 128
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> tuple[Float[Array, "B H W 2"], Float[Array, "B H/4 W/4 2"]]:
        """Returns (sigma of the pixel loss, sigma of the perceptual loss) of the normalized `image`, all positive."""
        c = self.channels
        down = partial(nn.Conv, kernel_size=(4, 4), strides=2, padding=1, use_bias=False, dtype=self.dtype)
        up = partial(TransposedConv, kernel_size=4, use_bias=False, dtype=self.dtype)
        norm = partial(nn.GroupNorm, dtype=self.dtype)
        dense = partial(nn.Dense, use_bias=False, dtype=self.dtype)
        last = partial(
            nn.Conv, features=2, padding="SAME", use_bias=False, kernel_init=nn.initializers.zeros, dtype=self.dtype
        )

        x = nn.leaky_relu(norm(16)(down(c)(image)), LEAK)
        x = nn.leaky_relu(norm(32)(down(2 * c)(x)), LEAK)
        x = nn.leaky_relu(norm(64)(down(4 * c)(x)), LEAK)
        x = nn.leaky_relu(down(8 * c)(x), LEAK)
        shape = x.shape
        x = nn.relu(dense(self.bottleneck)(x.reshape(shape[0], -1)))
        x = nn.relu(dense(shape[1] * shape[2] * shape[3])(x)).reshape(shape)
        x = nn.relu(norm(64)(up(4 * c)(x)))
        x = nn.relu(norm(32)(up(2 * c)(x)))
        feature = last(kernel_size=(3, 3))(x)
        x = nn.relu(norm(16)(up(c)(x)))
        x = nn.relu(norm(16)(up(c)(x)))
        pixel = last(kernel_size=(5, 5))(x)
        return nn.softplus(pixel.astype(jnp.float32)), nn.softplus(feature.astype(jnp.float32))


class LightConfNet(nn.Module):
    """A hundred times cheaper: no convolution sees more than a quarter of the image's resolution.

    Patches of 4x4 pixels in; 32 channels of a quarter-size map are rearranged to the pixel map (`depth_to_space`).

    Attributes:
      channels: of the quarter-size maps.
      bottleneck: numbers the whole image passes through in the middle.
      dtype: of the computation; parameters and the result are float32.
    """

    channels: int = 16
    bottleneck: int = 32
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> tuple[Float[Array, "B H W 2"], Float[Array, "B H/4 W/4 2"]]:
        """Returns (sigma of the pixel loss, sigma of the perceptual loss) of the normalized `image`, all positive."""
        zeros = nn.initializers.zeros
        fine = nn.relu(nn.Conv(self.channels, (4, 4), strides=4, dtype=self.dtype)(image))
        x = nn.relu(nn.Conv(2 * self.channels, (4, 4), strides=4, dtype=self.dtype)(fine))
        shape = x.shape
        x = nn.relu(nn.Dense(self.bottleneck, dtype=self.dtype)(x.reshape(shape[0], -1)))
        coarse = nn.relu(nn.Dense(shape[1] * shape[2] * 16 * 4, dtype=self.dtype)(x))
        coarse = depth_to_space(coarse.reshape(*shape[:3], 16 * 4), 4)
        x = nn.relu(nn.Conv(self.channels, (3, 3), padding=1, dtype=self.dtype)(jnp.concatenate([fine, coarse], -1)))
        x = nn.Dense(2 + 2 * 16, kernel_init=zeros, dtype=self.dtype)(x).astype(jnp.float32)
        sigma = nn.softplus(x)
        return depth_to_space(sigma[..., 2:], 4), sigma[..., :2]
