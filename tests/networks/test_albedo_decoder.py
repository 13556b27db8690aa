import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.albedo_decoder import AlbedoDecoder, DecoderLayer, depth_to_space
from tests.networks.parameters import count


def test_paper_decoder_with_two_maps_has_12_205_446_parameters():
    decoder = AlbedoDecoder(maps=2)
    out, variables = jax.eval_shape(decoder.init_with_output, jax.random.key(0), jnp.zeros((2, 512)))
    assert out.shape == (2, 256, 256, 3)
    assert count(variables) == 12_205_446


@pytest.mark.parametrize("subpixel", [False, True])
def test_residual_starts_at_zero_and_can_be_learned(subpixel, rng):
    layers = (DecoderLayer(8, doubles=True, groups=2), DecoderLayer(8))
    decoder = AlbedoDecoder(16, 8, layers, subpixel=subpixel, last_factor=2)
    code = jnp.asarray(rng.normal(size=(2, 5)), jnp.float32)
    residual, variables = jax.jit(decoder.init_with_output)(jax.random.key(0), code)
    np.testing.assert_array_equal(residual, np.zeros((2, 16, 16, 3)))
    gradient = jax.jit(jax.grad(lambda v: jnp.sum(decoder.apply(v, code))))(variables)["params"]
    last = max((name for name in gradient if name.startswith("Conv_")), key=lambda name: int(name[5:]))
    assert np.abs(gradient[last]["kernel"]).max() > 0


def test_two_maps_are_added(rng):
    decoder = AlbedoDecoder(4, 3, (DecoderLayer(3, doubles=True),), maps=2)
    code = jnp.asarray(rng.normal(size=(1, 5)), jnp.float32)
    params = jax.jit(decoder.init)(jax.random.key(0), code)["params"]
    params["Conv_0"]["bias"] = jnp.array([1.0, 2, 3, 10, 20, 30])
    np.testing.assert_allclose(decoder.apply({"params": params}, code)[0, 0, 0], [11, 22, 33])


def test_depth_to_space_spreads_channels_over_squares():
    x = jnp.arange(2 * 8.0).reshape(1, 1, 2, 8)  # two pixels, 2 x 2 squares of two channels
    got = depth_to_space(x, 2)
    np.testing.assert_array_equal(got[0, ..., 0], [[0, 2, 8, 10], [4, 6, 12, 14]])
    np.testing.assert_array_equal(got[0, ..., 1], [[1, 3, 9, 11], [5, 7, 13, 15]])


def test_size_that_doubling_cannot_reach_is_refused():
    decoder = AlbedoDecoder(uv_size=100)
    with pytest.raises(ValueError, match=r"uv_size must be a multiple of 32, .* got 100"):
        jax.eval_shape(decoder.init, jax.random.key(0), jnp.zeros((1, 4)))
