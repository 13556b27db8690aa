"""From the albedo code to the residual albedo map in UV space, by transposed convolutions.

The layers of the paper's size go 8x8x320 -> 256 -> (16) 128 -> 192 -> (32) 96 -> 128 -> (64) 64 -> 64 -> (128) 64 ->
(256) 32 -> 3 per map. The last layer starts at zero: the untrained network sees the mean albedo.
"""

from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sirjax.networks.transposed import TransposedConv


class DecoderLayer(NamedTuple):
    """A 3x3 convolution and a ReLU; optionally it doubles the map and has a group norm in between."""

    channels: int
    doubles: bool = False
    groups: int = 0  # of the group norm; 0 for none


PAPER_CHANNELS = 320
PAPER_LAYERS = (
    DecoderLayer(256),
    DecoderLayer(128, doubles=True, groups=8),
    DecoderLayer(192),
    DecoderLayer(96, doubles=True, groups=6),
    DecoderLayer(128),
    DecoderLayer(64, doubles=True, groups=4),
    DecoderLayer(64),
    DecoderLayer(64, doubles=True, groups=4),
    DecoderLayer(32, doubles=True),
)


class AlbedoDecoder(nn.Module):
    """Albedo code -> U x U residual map(s), RGB.

    Attributes:
      uv_size: U; a multiple of 2^(number of doubling layers) * last_factor.
      channels: of the small map the code is first spread to.
      layers: what follows, coarse to fine.
      subpixel: double by an ordinary convolution with four times the channels and `depth_to_space` instead of by a
        transposed one: several times faster on the CPU.
      last_factor: every position of the last convolution makes a square of this side (1 as in the paper).
      maps: 1 as in the paper; 2 adds a second map to the first (one meant to be smooth, one for details).
      dtype: of the computation; parameters and the result are float32.

    Raises:
      ValueError: if `uv_size` cannot be reached by doubling.
    """

    uv_size: int = 256
    channels: int = PAPER_CHANNELS
    layers: tuple[DecoderLayer, ...] = PAPER_LAYERS
    subpixel: bool = False
    last_factor: int = 1
    maps: int = 1
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, code: Float[Array, "B A"]) -> Float[Array, "B U U 3"]:
        """Returns the sum of the maps, to be added to the mean albedo."""
        factor = self.last_factor * 2 ** sum(layer.doubles for layer in self.layers)
        size, remainder = divmod(self.uv_size, factor)
        if remainder or not size:
            raise ValueError(
                f"uv_size must be a multiple of {factor}, which the decoder's layers multiply, got {self.uv_size}"
            )
        x = nn.relu(nn.Dense(size * size * self.channels, dtype=self.dtype)(code))
        x = x.reshape(-1, size, size, self.channels)
        for layer in self.layers:
            if layer.doubles and self.subpixel:
                x = depth_to_space(nn.Conv(4 * layer.channels, (3, 3), padding=1, dtype=self.dtype)(x), 2)
            elif layer.doubles:
                x = TransposedConv(layer.channels, kernel_size=3, dtype=self.dtype)(x)
            else:
                x = nn.Conv(layer.channels, (3, 3), padding=1, dtype=self.dtype)(x)
            if layer.groups:
                x = nn.GroupNorm(layer.groups, dtype=self.dtype)(x)
            x = nn.relu(x)
        channels, zeros = 3 * self.maps * self.last_factor**2, nn.initializers.zeros
        x = nn.Conv(channels, (3, 3), padding=1, kernel_init=zeros, dtype=self.dtype)(x)
        maps = depth_to_space(x.astype(jnp.float32), self.last_factor)
        return maps.reshape(-1, self.uv_size, self.uv_size, self.maps, 3).sum(axis=-2)


def depth_to_space(x: Float[Array, "B h w D"], factor: int) -> Float[Array, "B H W C"]:
    """Spreads the channels of each pixel over a square of `factor` x `factor` pixels: D = factor² C, H = factor h."""
    batch, height, width, depth = x.shape
    channels = depth // factor**2
    x = x.reshape(batch, height, width, factor, factor, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height * factor, width * factor, channels)
