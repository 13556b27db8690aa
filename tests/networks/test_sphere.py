import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.sphere import PReLU, ResidualBlock, Stage, Stages
from tests.networks.convolution import convolve


def prelu(x, slope):
    return np.maximum(x, 0) + slope * np.minimum(x, 0)


def test_prelu_has_one_slope_per_channel_starting_at_a_quarter():
    variables = PReLU().init(jax.random.key(0), jnp.zeros((1, 3)))
    np.testing.assert_array_equal(variables["params"]["slope"], [0.25, 0.25, 0.25])
    got = PReLU().apply({"params": {"slope": jnp.array([0.0, 0.5, 2.0])}}, jnp.array([[-1.0, -1.0, -1.0], [3, 3, 3]]))
    np.testing.assert_allclose(got, [[0.0, -0.5, -2.0], [3, 3, 3]])


def test_residual_block_matches_the_equation(rng):
    x = rng.normal(size=(2, 6, 5, 4))
    block = ResidualBlock()
    params = jax.jit(block.init)(jax.random.key(0), jnp.asarray(x, jnp.float32))["params"]
    params = jax.tree.map(lambda array: jnp.asarray(rng.normal(size=array.shape) * 0.3, jnp.float32), params)
    first, second = params["Conv_0"], params["Conv_1"]
    inner = prelu(convolve(x, first["kernel"], first["bias"]), np.asarray(params["PReLU_0"]["slope"]))
    residual = prelu(convolve(inner, second["kernel"], second["bias"]), np.asarray(params["PReLU_1"]["slope"]))
    got = jax.jit(block.apply)({"params": params}, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, x + residual, atol=1e-4)


def test_block_starts_close_to_the_identity(rng):
    x = jnp.asarray(rng.normal(size=(1, 8, 8, 32)), jnp.float32)
    params = jax.jit(ResidualBlock().init)(jax.random.key(0), x)["params"]
    assert abs(np.std(params["Conv_1"]["kernel"]) - 0.01) < 0.001
    change = jax.jit(ResidualBlock().apply)({"params": params}, x) - x
    assert 0 < np.std(change) < 0.3 * np.std(x)


def test_normalized_block_starts_close_to_the_identity_and_ignores_the_scale_of_its_input(rng):
    x = jnp.asarray(rng.normal(size=(1, 8, 8, 16)), jnp.float32)
    block = ResidualBlock(groups=4)
    params = jax.jit(block.init)(jax.random.key(0), x)
    change, larger = (np.asarray(jax.jit(block.apply)(params, scale * x) - scale * x) for scale in (1, 100))
    assert 0 < np.std(change) < 0.2 * np.std(x)
    np.testing.assert_allclose(larger, change, atol=0.05 * np.abs(change).max())


@pytest.mark.parametrize(("stride", "shape"), [(1, (16, 12)), (2, (8, 6)), (4, (4, 3))])
def test_stage_divides_height_and_width_by_its_stride(stride, shape):
    x = jnp.zeros((2, 16, 12, 3))
    stage = Stage(8, blocks=1, stride=stride)
    assert jax.eval_shape(stage.init_with_output, jax.random.key(0), x)[0].shape == (2, *shape, 8)


def test_stage_of_stride_two_is_a_convolution_then_prelu(rng):
    x = rng.normal(size=(1, 6, 8, 3))
    stage = Stage(5, blocks=0)
    params = jax.jit(stage.init)(jax.random.key(0), jnp.asarray(x, jnp.float32))["params"]
    full = convolve(x, params["Conv_0"]["kernel"], params["Conv_0"]["bias"])
    got = jax.jit(stage.apply)({"params": params}, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, prelu(full[:, ::2, ::2], 0.25), atol=1e-5)


def test_no_stages_are_the_identity(rng):
    x = jnp.asarray(rng.normal(size=(1, 4, 4, 3)), jnp.float32)
    np.testing.assert_array_equal(Stages((), (), ()).apply({}, x), x)


def test_samples_do_not_see_each_other(rng):
    x = jnp.asarray(rng.normal(size=(3, 16, 16, 3)), jnp.float32)
    stages = Stages((8, 8), (1, 1), (2, 2))
    params = jax.jit(stages.init)(jax.random.key(0), x)
    alone = jax.jit(stages.apply)(params, x[1:2])
    np.testing.assert_allclose(jax.jit(stages.apply)(params, x)[1:2], alone, atol=1e-5)


def test_blocks_computed_again_give_the_same_gradients_and_keep_less_for_them(rng):
    image = jnp.asarray(rng.normal(size=(4, 32, 32, 3)), jnp.float32)

    def gradient_and_kept(remat):
        stages = Stages((16,), (8,), (2,), remat=remat)
        params = jax.jit(stages.init)(jax.random.key(0), image)

        def loss(params):
            return jnp.sum(jnp.square(stages.apply(params, image)))

        # What the backward pass needs of the forward pass. XLA's CPU compiler merges both computations of a block
        # again, so that its own account of memory would not show it.
        kept = jax.tree.leaves(jax.eval_shape(lambda params: jax.vjp(loss, params)[1], params))
        return params, jax.jit(jax.grad(loss))(params), sum(leaf.size for leaf in kept)

    (params, plain, kept), (same, again, less) = gradient_and_kept(False), gradient_and_kept(True)
    jax.tree.map(np.testing.assert_array_equal, params, same)  # names and values: checkpoints fit both
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), again, plain)
    assert less < 0.4 * kept, (less, kept)
