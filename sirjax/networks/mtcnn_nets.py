"""The three networks of MTCNN (Zhang et al. 2016) as pure functions of the image; their weights are constants.

Inputs are RGB images scaled to (value - 127.5) / 128. `score` is the probability of a face. `box` moves the left, top,
right and bottom edge of the window, in units of its width and height. `points` are the eyes, the nose tip and the
corners of the mouth (the left one of the image first), in units of the window: 0 is its left or top edge.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from sirjax.networks.mtcnn_weights import Layer, NetWeights

P_NET_WINDOW, P_NET_STRIDE = 12, 2  # of the sliding windows, in pixels
R_NET_SIZE, O_NET_SIZE = 24, 48  # of the input


def p_net(weights: NetWeights, image: Float[Array, "N H W 3"]) -> tuple[Float[Array, "N h w"], Float[Array, "N h w 4"]]:
    """Returns (score, box) of every window of 12x12 pixels at a stride of 2: h = (H - 12) / 2 + 1."""
    x = _prelu(_conv(image, weights.convs[0]), weights.slopes[0])
    x = _max_pool(x, 2, "SAME")
    x = _prelu(_conv(x, weights.convs[1]), weights.slopes[1])
    x = _prelu(_conv(x, weights.convs[2]), weights.slopes[2])
    return _face_probability(_conv(x, weights.convs[3])), _conv(x, weights.convs[4])


def r_net(weights: NetWeights, crops: Float[Array, "N 24 24 3"]) -> tuple[Float[Array, " N"], Float[Array, "N 4"]]:
    """Returns (score, box) of each crop."""
    x = _max_pool(_prelu(_conv(crops, weights.convs[0]), weights.slopes[0]), 3, "SAME")
    x = _max_pool(_prelu(_conv(x, weights.convs[1]), weights.slopes[1]), 3, "VALID")
    x = _prelu(_conv(x, weights.convs[2]), weights.slopes[2])
    x = _prelu(_dense(x.reshape(len(x), -1), weights.denses[0]), weights.slopes[3])
    return _face_probability(_dense(x, weights.denses[1])), _dense(x, weights.denses[2])


def o_net(
    weights: NetWeights, crops: Float[Array, "N 48 48 3"]
) -> tuple[Float[Array, " N"], Float[Array, "N 4"], Float[Array, "N 5 2"]]:
    """Returns (score, box, points) of each crop."""
    x = _max_pool(_prelu(_conv(crops, weights.convs[0]), weights.slopes[0]), 3, "SAME")
    x = _max_pool(_prelu(_conv(x, weights.convs[1]), weights.slopes[1]), 3, "VALID")
    x = _max_pool(_prelu(_conv(x, weights.convs[2]), weights.slopes[2]), 2, "SAME")
    x = _prelu(_conv(x, weights.convs[3]), weights.slopes[3])
    x = _prelu(_dense(x.reshape(len(x), -1), weights.denses[0]), weights.slopes[4])
    points = _dense(x, weights.denses[3])
    points = jnp.stack([points[:, :5], points[:, 5:]], axis=-1)
    return _face_probability(_dense(x, weights.denses[1])), _dense(x, weights.denses[2]), points


def _conv(x: Float[Array, "N H W C"], layer: Layer) -> Float[Array, "N h w D"]:
    y = lax.conv_general_dilated(
        x, jnp.asarray(layer.kernel), (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return y + layer.bias.reshape(1, 1, 1, -1)


def _dense(x: Float[Array, "N C"], layer: Layer) -> Float[Array, "N D"]:
    return x @ layer.kernel + layer.bias[None]


def _prelu(x: Float[Array, "*N C"], slope: Float[np.ndarray, " C"]) -> Float[Array, "*N C"]:
    return jnp.where(x >= 0, x, x * slope.reshape((1,) * (x.ndim - 1) + (-1,)))


def _max_pool(x: Float[Array, "N H W C"], size: int, padding: str) -> Float[Array, "N h w C"]:
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, size, size, 1), (1, 2, 2, 1), padding)


def _face_probability(logits: Float[Array, "*N 2"]) -> Float[Array, "*N"]:
    return jax.nn.sigmoid(logits[..., 1] - logits[..., 0])
