import jax
import jax.numpy as jnp
import numpy as np

from sirjax.networks.model import IMAGE_MEAN, IMAGE_STD
from sirjax.networks.vgg16 import VGG16_LAYERS, VGG16Features
from tests.networks.convolution import convolve


def random_weights(rng):
    return {
        name: {
            "kernel": (rng.normal(size=(3, 3, inputs, outputs)) * np.sqrt(2 / (9 * inputs))).astype(np.float32),
            "bias": (rng.normal(size=outputs) * 0.1).astype(np.float32),
        }
        for name, inputs, outputs in VGG16_LAYERS
    }


def features_in_numpy(weights, image):
    """The published network, written out: relu after every convolution, 2x2 max pools after conv1_2 and conv2_2."""
    x = (image - np.array(IMAGE_MEAN)) / np.array(IMAGE_STD)
    for name, _, _ in VGG16_LAYERS:
        x = np.maximum(convolve(x, weights[name]["kernel"], weights[name]["bias"]), 0)
        if name in ("conv1_2", "conv2_2"):
            batch, height, width, channels = x.shape
            x = x.reshape(batch, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))
    return x


def test_features_match_plain_convolutions(rng):
    weights, image = random_weights(rng), rng.uniform(size=(1, 8, 12, 3))
    got = jax.jit(VGG16Features().apply)({"params": weights}, jnp.asarray(image, jnp.float32))
    expected = features_in_numpy(weights, image)
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


def test_relu3_3_has_a_quarter_of_the_resolution_and_256_channels():
    image = jnp.zeros((2, 112, 96, 3))
    features, variables = jax.eval_shape(VGG16Features().init_with_output, jax.random.key(0), image)
    assert features.shape == (2, 28, 24, 256)
    assert [variables["params"][name]["kernel"].shape for name, _, _ in VGG16_LAYERS] == [
        (3, 3, inputs, outputs) for _, inputs, outputs in VGG16_LAYERS
    ]
