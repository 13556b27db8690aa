import jax
import numpy as np
import pytest

from sirjax.networks.mtcnn_nets import o_net, p_net, r_net
from sirjax.networks.mtcnn_weights import load_mtcnn_weights


@pytest.fixture(scope="module")
def weights():
    return load_mtcnn_weights()


def convolve(x, layer):
    size, _, _, outputs = layer.kernel.shape
    height, width = x.shape[0] - size + 1, x.shape[1] - size + 1
    total = np.zeros((height, width, outputs)) + layer.bias
    for row in range(size):
        for column in range(size):
            total += x[row : row + height, column : column + width] @ layer.kernel[row, column].astype(float)
    return total


def prelu(x, slope):
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def pool(x, size):
    """Max pool of stride 2; windows that reach beyond the lower right border see what there is."""
    rows, columns = (range(0, side, 2) for side in x.shape[:2])
    return np.array([[x[i : i + size, j : j + size].max(axis=(0, 1)) for j in columns] for i in rows])


def probability(logits):
    return np.exp(logits[..., 1]) / np.exp(logits).sum(axis=-1)


def test_p_net_matches_the_published_layers(weights, rng):
    image, net = rng.normal(size=(20, 16, 3)), weights.p_net
    x = pool(prelu(convolve(image, net.convs[0]), net.slopes[0]), 2)
    x = prelu(convolve(prelu(convolve(x, net.convs[1]), net.slopes[1]), net.convs[2]), net.slopes[2])
    score, box = jax.jit(lambda image: p_net(net, image))(image[None].astype(np.float32))
    assert score.shape == (1, 5, 3)  # windows of 12 pixels at a stride of 2
    np.testing.assert_allclose(score[0], probability(convolve(x, net.convs[3])), atol=1e-4)
    np.testing.assert_allclose(box[0], convolve(x, net.convs[4]), atol=1e-4)


def test_r_net_matches_the_published_layers(weights, rng):
    image, net = rng.normal(size=(24, 24, 3)), weights.r_net
    # 22 -> 11 with a border of one pixel on the lower right (SAME), 9 -> 4 without (VALID), 3
    x = pool(prelu(convolve(image, net.convs[0]), net.slopes[0]), 3)
    x = pool(prelu(convolve(x, net.convs[1]), net.slopes[1]), 3)[:4, :4]
    x = prelu(convolve(x, net.convs[2]), net.slopes[2]).reshape(-1)
    x = prelu(x @ net.denses[0].kernel.astype(float) + net.denses[0].bias, net.slopes[3])
    score, box = jax.jit(lambda image: r_net(net, image))(image[None].astype(np.float32))
    np.testing.assert_allclose(score[0], probability(x @ net.denses[1].kernel + net.denses[1].bias), atol=1e-4)
    np.testing.assert_allclose(box[0], x @ net.denses[2].kernel + net.denses[2].bias, atol=1e-4)


def test_o_net_gives_five_points_as_pairs(weights, rng):
    image = rng.normal(size=(3, 48, 48, 3)).astype(np.float32)
    score, box, points = jax.jit(lambda image: o_net(weights.o_net, image))(image)
    assert (score.shape, box.shape, points.shape) == ((3,), (3, 4), (3, 5, 2))
    # Whatever the image, the network knows that the left eye lies left of the right one, and eyes above the mouth.
    assert np.all(np.asarray(points[:, 0, 0] < points[:, 1, 0]))
    assert np.all(np.asarray(points[:, 0, 1] < points[:, 3, 1]))
