"""The transposed convolution of stride 2, computed as an ordinary one on the small map.

An output pixel of a transposed convolution sees only every second row and column of the kernel, which ones depends on
whether its own row and column are even. So four kernels of 2x2, one per parity, do the same work on the small map:
same parameters, same result, but XLA's backward pass on the CPU is many times faster than with a dilated input.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float

_ABSENT = -1  # no row of the kernel
# Kernel size -> rows of the kernel that even outputs see, and odd ones: at two neighboring pixels of the small map.
_ROWS = {3: ((1, _ABSENT), (0, 2)), 4: ((0, 2), (1, 3))}
_PADDING = {3: (0, 1), 4: (1, 1)}  # of the small map
_ODD_STARTS = {3: 0, 4: 1}  # how many pixels further on the first of the two lies for odd outputs


class TransposedConv(nn.Module):
    """Doubles a map: `flax.linen.ConvTranspose` of stride 2, its padding such that the size doubles exactly.

    The padding of the dilated input is ((1, 2), (1, 2)) for 3x3 kernels and ((2, 2), (2, 2)) for 4x4 ones.

    Attributes:
      channels: of the output.
      kernel_size: 3 or 4.
      use_bias: whether a bias is added.
      dtype: of the computation; parameters are float32.
    """

    channels: int
    kernel_size: int
    use_bias: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Float[Array, "B h w D"]) -> Float[Array, "B H W C"]:
        """Returns a map of twice the height and width.

        Raises:
          ValueError: if the kernel is of another size than 3 or 4.
        """
        if self.kernel_size not in _ROWS:
            raise ValueError(f"kernel_size must be 3 or 4, got {self.kernel_size}")
        size = (self.kernel_size, self.kernel_size, x.shape[-1], self.channels)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), size, jnp.float32).astype(self.dtype)
        padding = (_PADDING[self.kernel_size],) * 2
        small = jax.lax.conv_general_dilated(
            x.astype(self.dtype), _by_parity(kernel), (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        small = small.reshape(*small.shape[:3], 2, 2, self.channels)
        result = _interleave(small, x.shape[1:3], _ODD_STARTS[self.kernel_size])
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.channels,), jnp.float32)
            result = result + bias.astype(self.dtype).reshape(1, 1, 1, -1)
        return result


def _by_parity(kernel: Float[Array, "K K D C"]) -> Float[Array, "2 2 D 4*C"]:
    """The part of the kernel that each parity of the output sees; last axis: parity of row, of column, channel."""
    size, _, inputs, outputs = kernel.shape
    rows = np.array(_ROWS[size])
    padded = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))  # the last row and column, number -1, are zero
    parts = padded[rows[:, :, None, None], rows[None, None]]  # [row parity, row, column parity, column, D, C]
    return parts.transpose(1, 3, 4, 0, 2, 5).reshape(2, 2, inputs, 4 * outputs)


def _interleave(parts: Float[Array, "B m n 2 2 C"], size: Sequence[int], odd_start: int) -> Float[Array, "B H W C"]:
    """The map whose pixel (2 i + p, 2 j + q) is part (p, q) at (i, j), odd parts taken `odd_start` further on."""
    batch, channels, (height, width) = len(parts), parts.shape[-1], size
    rows = [parts[:, p * odd_start :][:, :height, :, p] for p in range(2)]
    both = jnp.stack(rows, axis=2)  # [B, h, row parity, n, column parity, C]
    columns = [both[:, :, :, q * odd_start :][:, :, :, :width, q] for q in range(2)]
    return jnp.stack(columns, axis=4).reshape(batch, 2 * height, 2 * width, channels)
