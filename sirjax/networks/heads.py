"""From the features of a branch to the numbers it regresses.

Every last layer starts at zero, so an untrained network sees the mean face, frontal, in the middle of the image and
evenly lit: the first rendering already overlaps the face, without which the photometric losses have no gradient.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sirjax.networks.sphere import PReLU

NUM_CAMERA = 7  # quaternion offset (4), log scale, translation (2)
NUM_LIGHT = 9 * 3  # spherical harmonics of orders 0 to 2, of each of red, green and blue
NEUTRAL_LIGHT = 1.12838  # 1 / 0.886227: with this constant term alone the shading is 1


class ShapeHead(nn.Module):
    """Whitened shape coefficients: one linear layer, zero at the start (the mean shape)."""

    num_shape: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "B F"]) -> Float[Array, "B S"]:
        """Returns float32 coefficients in standard deviations."""
        zeros = nn.initializers.zeros
        return nn.Dense(self.num_shape, kernel_init=zeros, dtype=self.dtype)(features).astype(jnp.float32)


class NonIdentityHead(nn.Module):
    """Camera, expression and light: linear, PReLU, linear; starts at (frontal, neutral, evenly lit)."""

    num_expression: int
    hidden: int = 512
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, features: Float[Array, "B F"]
    ) -> tuple[Float[Array, "B 7"], Float[Array, "B E"], Float[Array, "B 9 3"]]:
        """Returns the raw camera, the whitened expression and the light (rows: harmonics, columns: RGB)."""
        x = PReLU(self.dtype)(nn.Dense(self.hidden, dtype=self.dtype)(features))
        size = NUM_CAMERA + self.num_expression + NUM_LIGHT
        x = nn.Dense(size, kernel_init=nn.initializers.zeros, bias_init=neutral_bias, dtype=self.dtype)(x)
        camera, expression, light = jnp.split(
            x.astype(jnp.float32), (NUM_CAMERA, NUM_CAMERA + self.num_expression), axis=-1
        )
        return camera, expression, light.reshape(-1, 9, 3)


class AlbedoHead(nn.Module):
    """The albedo code: one linear layer. Not zero at the start: the decoder's last layer is."""

    size: int = 512
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, features: Float[Array, "B F"]) -> Float[Array, "B A"]:
        """Returns the float32 code."""
        return nn.Dense(self.size, dtype=self.dtype)(features).astype(jnp.float32)


def neutral_bias(key: Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Float[Array, " N"]:
    """The bias of the non-identity head: zeros, with `NEUTRAL_LIGHT` as each color's constant term."""
    del key  # initializers get one; this one needs no randomness
    light = jnp.zeros((9, 3), dtype).at[0].set(NEUTRAL_LIGHT).reshape(-1)
    return jax.lax.dynamic_update_slice(jnp.zeros(shape, dtype), light, (shape[0] - NUM_LIGHT,))
