"""VGG16 up to relu3_3: the features in which the perceptual loss compares images (Simonyan and Zisserman 2014)."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike
from jaxtyping import Array, Float

from sirjax.networks.model import normalize

# Name, channels in, channels out; a max pool stands in front of every first convolution but the very first.
VGG16_LAYERS = (
    ("conv1_1", 3, 64),
    ("conv1_2", 64, 64),
    ("conv2_1", 64, 128),
    ("conv2_2", 128, 128),
    ("conv3_1", 128, 256),
    ("conv3_2", 256, 256),
    ("conv3_3", 256, 256),
)


class VGG16Features(nn.Module):
    """The seven convolutions up to relu3_3. Weights: `pretrained.load_vgg16`.

    Attributes:
      dtype: of the computation; the features are float32.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Float[Array, "B H W 3"]) -> Float[Array, "B h w 256"]:
        """Returns relu3_3 of RGB images in [0, 1] (normalized here); h = H / 4, w = W / 4, rounded down."""
        x = normalize(image).astype(self.dtype)
        for name, _, channels in VGG16_LAYERS:
            if name in ("conv2_1", "conv3_1"):
                x = nn.max_pool(x, (2, 2), (2, 2))
            x = nn.relu(nn.Conv(channels, (3, 3), padding=1, dtype=self.dtype, name=name)(x))
        return x.astype(jnp.float32)
