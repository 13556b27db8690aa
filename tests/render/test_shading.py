import jax.numpy as jnp
import numpy as np

from sirjax.render.shading import NEUTRAL_LIGHT, shade, spherical_harmonics


def unit_normals(rng, *shape):
    normals = rng.normal(size=(*shape, 3))
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def test_harmonics_have_the_constants_and_the_order_of_the_paper():
    # n = (0.6, 0, 0.8): 3 * 0.64 - 1 = 0.92, x z = 0.48, x^2 - y^2 = 0.36.
    got = spherical_harmonics(jnp.array([0.6, 0.0, 0.8]))
    expected = [0.886227, 0.8 * 1.023327, 0.6 * 1.023327, 0, 0.92 * 0.247708, 0.48 * 0.858086, 0, 0.36 * 0.429043, 0]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    # n = (0, 0.6, -0.8): y z = -0.48, x^2 - y^2 = -0.36.
    got = spherical_harmonics(jnp.array([0.0, 0.6, -0.8]))
    expected = [0.886227, -0.8 * 1.023327, 0, 0.6 * 1.023327, 0.92 * 0.247708, 0, -0.48 * 0.858086, -0.36 * 0.429043, 0]
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_constants_are_harmonics_times_the_lambert_factors():
    # sqrt(1 / 4 pi) pi, sqrt(3 / 4 pi) 2 pi / 3, then sqrt(15 / 4 pi) pi / 4 and its parts.
    c0, c1, c2 = np.sqrt(np.pi) / 2, np.sqrt(np.pi / 3), np.sqrt(15 * np.pi) / 8
    expected = [c0, c1, c1, c1, c2 / np.sqrt(12), c2, c2, c2 / 2, c2]
    ones = np.array([1, 1, 1, 1, 2, 1, 1, 1, 1])  # values of the polynomials at the normals below
    x, y, z, xy, xz, yz = ([1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1])
    diagonal = spherical_harmonics(jnp.array([z, z, x, y, z, xz, yz, x, xy], jnp.float32))
    np.testing.assert_allclose(np.diag(diagonal), expected * ones, rtol=1e-5)


def test_neutral_light_shows_the_albedo(rng):
    albedo, normals = rng.uniform(size=(2, 4, 5, 3)).astype(np.float32), unit_normals(rng, 2, 4, 5)
    light = jnp.broadcast_to(NEUTRAL_LIGHT[None], (2, 9, 3))
    np.testing.assert_allclose(NEUTRAL_LIGHT[0], 1.12838, atol=1e-5)
    np.testing.assert_allclose(shade(albedo, normals, light), albedo, rtol=1e-5)


def test_shading_is_the_product_of_harmonics_and_light(rng):
    albedo, normals = rng.uniform(size=(2, 4, 5, 3)).astype(np.float32), unit_normals(rng, 2, 4, 5)
    light = rng.normal(size=(2, 9, 3)).astype(np.float32)
    harmonics = np.asarray(spherical_harmonics(jnp.asarray(normals)), np.float64)
    expected = albedo * np.einsum("bhwj,bjc->bhwc", harmonics, light)
    np.testing.assert_allclose(shade(albedo, normals, light), expected, atol=1e-5)
