import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.constants import NO_TRIANGLE
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from tests.render.meshes import bumpy_sheet

SIZE = (14, 12)


@pytest.fixture(params=("cpu", "xla"))
def backend(request):
    return request.param


@pytest.fixture
def scene(rng):
    positions, triangles = bumpy_sheet(rng, size=6, num_images=2, extent=0.7)
    return rasterize(positions, triangles, SIZE), triangles


def by_loop(attributes, triangles, fragments):
    ids, barycentric = np.asarray(fragments.triangle_id), np.asarray(fragments.barycentric, np.float64)
    out = np.zeros((*ids.shape, attributes.shape[-1]))
    for n, i, j in np.argwhere(ids != NO_TRIANGLE):
        corners = (attributes[n] if attributes.ndim == 3 else attributes)[triangles[ids[n, i, j]]]
        out[n, i, j] = barycentric[n, i, j] @ corners.astype(np.float64)
    return out


@pytest.mark.parametrize("shape", [(36, 2), (2, 36, 5)], ids=["shared", "per image"])
def test_values_are_weighted_means_of_the_corners(rng, backend, scene, shape):
    fragments, triangles = scene
    attributes = rng.normal(size=shape).astype(np.float32)
    got = interpolate(attributes, triangles, fragments, backend=backend)
    np.testing.assert_allclose(got, by_loop(attributes, triangles, fragments), atol=1e-6)


@pytest.mark.parametrize("shape", [(36, 2), (2, 36, 5)], ids=["shared", "per image"])
def test_gradients_are_those_of_the_loop(rng, backend, scene, shape):
    # The value is bilinear, so that differences of the loop with a step of one are exact.
    fragments, triangles = scene
    attributes = rng.normal(size=shape).astype(np.float32)
    weight = rng.normal(size=(2, *SIZE, shape[-1]))

    def loss(attributes, barycentric):
        value = interpolate(attributes, triangles, fragments.replace(barycentric=barycentric), backend=backend)
        return jnp.sum(value * jnp.asarray(weight, jnp.float32))

    by_attributes, by_barycentric = jax.grad(loss, argnums=(0, 1))(jnp.asarray(attributes), fragments.barycentric)

    def difference(array, place, evaluate):
        moved = array.astype(np.float64)
        moved[place] += 1
        return ((evaluate(moved) - evaluate(array)) * weight).sum()

    for place in map(tuple, rng.integers(0, shape, size=(12, len(shape)))):
        expected = difference(attributes, place, lambda a: by_loop(a, triangles, fragments))
        np.testing.assert_allclose(by_attributes[place], expected, atol=1e-5)
    barycentric = np.asarray(fragments.barycentric)
    for place in map(tuple, rng.integers(0, barycentric.shape, size=(12, 4))):
        expected = difference(
            barycentric, place, lambda b: by_loop(attributes, triangles, fragments.replace(barycentric=b))
        )
        np.testing.assert_allclose(by_barycentric[place], expected, atol=1e-5)


def test_corners_may_differ_from_those_rasterized(rng, backend, scene):
    # As with UV seams: every triangle has corners of its own.
    fragments, triangles = scene
    attributes = rng.normal(size=(3 * len(triangles), 2)).astype(np.float32)
    own = np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3)
    got = interpolate(attributes, own, fragments, backend=backend)
    np.testing.assert_allclose(got, by_loop(attributes, own, fragments), atol=1e-6)


def test_empty_inputs_give_zeros(backend, scene):
    fragments, triangles = scene
    nothing = interpolate(jnp.zeros((36, 2)), triangles[:0], fragments, backend=backend)
    assert nothing.shape == (2, *SIZE, 2)
    assert not nothing.any()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (np.zeros((3, 36, 2), np.float32), r"must be float32 \[V, C\] or \[2, V, C\], got float32 \[3, 36, 2\]"),
        (np.zeros(36, np.float32), r"got float32 \[36\]"),
        (np.zeros((36, 2), np.int32), r"got int32 \[36, 2\]"),
        (np.zeros((35, 2), np.float32), r"triangles name vertices 0 \.\. 35, but there are 35"),
    ],
)
def test_wrong_attributes_are_named(scene, attributes, message):
    fragments, triangles = scene
    with pytest.raises(ValueError, match=message):
        interpolate(attributes, triangles, fragments)
