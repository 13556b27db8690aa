"""The encoder: SphereFace residual stages, and the layers that everything else is built from.

    stage(x)  = block_n( ... block_1( PReLU(strided conv3x3(x)) ) )
    block(x)  = x + PReLU(conv3x3(PReLU(conv3x3(x))))

With `remat` a block keeps only its input for the backward pass and is computed again there (`jax.checkpoint`).

There is no batch norm anywhere: a sample's output depends on that sample alone. In the paper's sizes every stage has
stride 2 and halves the height and width. Stages are unrolled in Python: under `lax.scan` XLA's backward pass of a
convolution on the CPU is some twenty times slower.
"""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

SLOPE = 0.25  # initial slope of every PReLU
RESIDUAL_STD = 0.01  # of the second convolution's weights: each block starts close to the identity


class PReLU(nn.Module):
    """max(x, 0) + slope * min(x, 0) with one learned slope per channel (flax's own has a single one for all)."""

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "*B C"]) -> Float[Array, "*B C"]:
        """Returns `x` with its negative values scaled."""
        slope = self.param("slope", nn.initializers.constant(SLOPE), (x.shape[-1],), jnp.float32)
        slope = slope.astype(self.dtype).reshape((1,) * (x.ndim - 1) + (-1,))
        return jnp.where(x >= 0, x, slope * x)


class ResidualBlock(nn.Module):
    """x + PReLU(conv(PReLU(conv(x)))); nothing is applied after the sum.

    Attributes:
      bias: whether the two convolutions carry one.
      groups: groups of a group norm after each convolution, 0 for none (as in the paper).
      dtype: of the computation; parameters are float32.
    """

    bias: bool = True
    groups: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B H W C"]:
        """Returns an array of the shape of `x`."""
        residual = x
        for index, init in enumerate((nn.initializers.he_normal(), nn.initializers.normal(RESIDUAL_STD))):
            conv = nn.Conv(x.shape[-1], (3, 3), padding=1, use_bias=self.bias, kernel_init=init, dtype=self.dtype)
            residual = conv(residual)
            if self.groups:
                # With a norm it is the norm's scale that keeps the block close to the identity, not the weights.
                scale = nn.initializers.ones if index == 0 else nn.initializers.constant(0.1)
                residual = nn.GroupNorm(self.groups, scale_init=scale, dtype=self.dtype)(residual)
            residual = PReLU(dtype=self.dtype)(residual)
        return x + residual


class Stage(nn.Module):
    """A strided convolution and the residual blocks behind it.

    Attributes:
      channels: of the output.
      blocks: number of residual blocks.
      stride: of the first convolution: 2 with a 3x3 kernel as in the paper, 1 with the same, or 4 with an 8x8 one.
      block_bias: whether the convolutions of the blocks carry a bias; the one of stride 2 always does.
      groups: see `ResidualBlock`.
      dtype: of the computation.
      remat: whether blocks are computed again in the backward pass.
    """

    channels: int
    blocks: int
    stride: int = 2
    block_bias: bool = True
    groups: int = 0
    dtype: DTypeLike = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w D"]:
        """Returns features of height H / stride and width W / stride."""
        init = nn.initializers.he_normal()
        size, padding = kernel_and_padding(self.stride)
        x = nn.Conv(self.channels, (size, size), self.stride, padding, kernel_init=init, dtype=self.dtype)(x)
        if self.groups:
            x = nn.GroupNorm(self.groups, dtype=self.dtype)(x)
        x = PReLU(dtype=self.dtype)(x)
        block = nn.remat(ResidualBlock) if self.remat else ResidualBlock
        for index in range(self.blocks):
            x = block(self.block_bias, self.groups, self.dtype, name=f"ResidualBlock_{index}")(x)
        return x


def kernel_and_padding(stride: int) -> tuple[int, int]:
    """Side of the kernel and padding of a stage's first convolution."""
    return (8, 2) if stride == 4 else (3, 1)


class Stages(nn.Module):
    """Stages one behind the other; with none of them, the identity.

    Attributes:
      channels: of each stage.
      blocks: residual blocks of each stage.
      strides: of each stage.
      block_bias, groups, dtype, remat: see `Stage`.
    """

    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    strides: tuple[int, ...]
    block_bias: bool = True
    groups: int = 0
    dtype: DTypeLike = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "B H W C"]) -> Float[Array, "B h w D"]:
        """Returns the last stage's features."""
        for channels, blocks, stride in zip(self.channels, self.blocks, self.strides, strict=True):
            x = Stage(channels, blocks, stride, self.block_bias, self.groups, self.dtype, self.remat)(x)
        return x
