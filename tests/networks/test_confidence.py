import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.confidence import ConfNet, LightConfNet
from tests.networks.parameters import count


def test_conf_net_has_the_published_size_and_resolutions():
    image = jnp.zeros((2, 112, 96, 3))
    (pixel, feature), variables = jax.eval_shape(ConfNet().init_with_output, jax.random.key(0), image)
    assert pixel.shape == (2, 112, 96, 2)
    assert feature.shape == (2, 28, 24, 2)
    assert count(variables) == 11_086_080


@pytest.mark.parametrize("network", [ConfNet(channels=64, bottleneck=4), LightConfNet()])
def test_sigmas_start_at_softplus_of_zero(network, rng):
    image = jnp.asarray(rng.normal(size=(2, 16, 16, 3)), jnp.float32)
    (pixel, feature), _ = jax.jit(network.init_with_output)(jax.random.key(0), image)
    np.testing.assert_allclose(pixel, np.full((2, 16, 16, 2), np.log(2)), rtol=1e-6)
    np.testing.assert_allclose(feature, np.full((2, 4, 4, 2), np.log(2)), rtol=1e-6)


def test_sigmas_stay_positive_and_follow_the_image_whatever_the_weights(rng):
    network = LightConfNet()
    image = jnp.asarray(rng.normal(size=(2, 32, 16, 3)), jnp.float32)
    variables = jax.jit(network.init)(jax.random.key(0), image)
    variables = jax.tree.map(lambda array: jnp.asarray(rng.normal(size=array.shape), jnp.float32), variables)
    for sigma in jax.jit(network.apply)(variables, image):
        assert np.all(np.asarray(sigma) >= 0)
        assert np.all(np.isfinite(sigma))
        assert np.abs(np.asarray(sigma[0] - sigma[1])).max() > 0
