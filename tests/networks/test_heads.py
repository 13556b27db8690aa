import jax
import jax.numpy as jnp
import numpy as np

from sirjax.networks.heads import AlbedoHead, NonIdentityHead, ShapeHead


def outputs(head, rng, features=20):
    x = jnp.asarray(rng.normal(size=(3, features)), jnp.float32)
    return head.init_with_output(jax.random.key(0), x)


def test_shape_starts_at_the_mean_face(rng):
    shape, _ = outputs(ShapeHead(7), rng)
    np.testing.assert_array_equal(shape, np.zeros((3, 7)))


def test_camera_and_expression_start_neutral_and_light_is_even(rng):
    (camera, expression, light), _ = outputs(NonIdentityHead(5, hidden=16), rng)
    np.testing.assert_array_equal(camera, np.zeros((3, 7)))
    np.testing.assert_array_equal(expression, np.zeros((3, 5)))
    np.testing.assert_allclose(light[:, 0], 1.12838, rtol=1e-6)  # x 0.886227 = shading of 1
    np.testing.assert_array_equal(light[:, 1:], 0)


def test_outputs_come_in_the_order_camera_expression_light(rng):
    head = NonIdentityHead(2, hidden=4)
    _, variables = outputs(head, rng)
    params = variables["params"]
    params["Dense_1"]["bias"] = jnp.arange(7.0 + 2 + 27)
    camera, expression, light = head.apply({"params": params}, jnp.zeros((1, 20)))
    np.testing.assert_array_equal(camera, [np.arange(7)])
    np.testing.assert_array_equal(expression, [[7, 8]])
    np.testing.assert_array_equal(light, [np.arange(9, 36).reshape(9, 3)])  # rows: harmonics, columns: RGB


def test_albedo_code_is_linear_in_the_features(rng):
    code, variables = outputs(AlbedoHead(6), rng)
    assert code.shape == (3, 6)
    head, x = AlbedoHead(6), jnp.asarray(rng.normal(size=(2, 20)), jnp.float32)
    np.testing.assert_allclose(head.apply(variables, 2 * x), 2 * head.apply(variables, x), rtol=1e-4, atol=1e-6)
