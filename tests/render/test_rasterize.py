import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.constants import NO_TRIANGLE
from sirjax.render.rasterize import available_backends, rasterize
from tests.references import rasterizer as reference
from tests.render.meshes import bumpy_sheet, grid_triangles, random_triangles

BACKENDS = ("cpu", "xla")
SIZE = (28, 24)


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


def assert_agrees_with_reference(positions, triangles, image_size, backend):
    got = rasterize(jnp.asarray(positions), jnp.asarray(triangles), image_size, backend=backend)
    for n in range(len(positions)):
        expected = reference.rasterize(positions[n], triangles, image_size)
        clear = ~expected.ambiguous
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(np.asarray(got.triangle_id[n])[clear], expected.triangle_id[clear])
        np.testing.assert_allclose(np.asarray(got.barycentric[n])[clear], expected.barycentric[clear], atol=2e-4)
        np.testing.assert_allclose(np.asarray(got.depth[n])[clear], expected.depth[clear], atol=1e-5)


def test_both_backends_work_here():
    assert [available_backends()[name] for name in BACKENDS] == ["", ""]


@pytest.mark.parametrize("perspective", [False, True])
def test_ids_weights_and_depths_match_brute_force(rng, backend, perspective):
    positions, triangles = random_triangles(rng, num_triangles=60, num_images=2, perspective=perspective)
    assert_agrees_with_reference(positions, triangles, SIZE, backend)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), perspective=st.booleans(), spread=st.floats(0.2, 30.0))
def test_any_low_poly_mesh_matches_brute_force(seed, perspective, spread):
    positions, triangles = random_triangles(np.random.default_rng(seed), num_triangles=12, perspective=perspective)
    positions[..., :2] *= spread
    for backend in BACKENDS:
        got = rasterize(jnp.asarray(positions), jnp.asarray(triangles), (13, 17), backend=backend)
        expected = reference.rasterize(positions[0], triangles, (13, 17), edge_slack=1e-4)
        clear = ~expected.ambiguous
        np.testing.assert_array_equal(np.asarray(got.triangle_id[0])[clear], expected.triangle_id[clear])


def test_dense_mesh_of_tiny_triangles_matches_brute_force(rng, backend):
    # Cells of a third of a pixel: most triangles cover no pixel center at all.
    positions, triangles = bumpy_sheet(rng, size=40)
    assert_agrees_with_reference(positions, triangles, (14, 12), backend)


def test_backends_agree_on_every_clear_pixel(rng):
    positions, triangles = bumpy_sheet(rng, size=40, num_images=3)
    ids = [np.asarray(rasterize(positions, triangles, (56, 48), backend=b).triangle_id) for b in BACKENDS]
    assert (ids[0] != ids[1]).mean() < 1e-3  # float32 against float64 edges


def claims(positions, triangles, image_size, backend):
    """How many triangles, each drawn alone, claim each pixel."""
    alone = jnp.asarray(triangles)[:, None]
    draw = jax.vmap(lambda triangle: rasterize(positions, triangle, image_size, backend=backend).triangle_id[0])
    return np.asarray((draw(alone) != NO_TRIANGLE).sum(axis=0))


@pytest.mark.parametrize("pixels_per_cell", [0.5, 1, 1.5, 3])
def test_a_pixel_center_on_shared_edges_and_vertices_is_claimed_once(backend, pixels_per_cell):
    # An 8 x 8 grid over the whole image; odd multiples put pixel centers exactly on edges, diagonals and vertices.
    line = np.linspace(-1, 1, 9)
    x, y = np.meshgrid(line, line)
    positions = np.stack([x, y, 0 * x, 0 * x + 1], axis=-1).reshape(1, -1, 4).astype(np.float32)
    side = int(8 * pixels_per_cell)
    np.testing.assert_array_equal(claims(jnp.asarray(positions), grid_triangles(9, 9), (side, side), backend), 1)


def test_uneven_sheet_has_no_crack_and_no_overlap(rng, backend):
    positions, triangles = bumpy_sheet(rng, size=12, extent=1.3)  # reaches beyond the image on all sides
    np.testing.assert_array_equal(claims(jnp.asarray(positions), triangles, (30, 30), backend), 1)


def test_winding_does_not_matter(rng, backend):
    positions, triangles = random_triangles(rng)
    one, other = (rasterize(positions, t, SIZE, backend=backend) for t in (triangles, triangles[:, ::-1].copy()))
    np.testing.assert_array_equal(one.triangle_id, other.triangle_id)
    np.testing.assert_allclose(one.barycentric, other.barycentric[..., ::-1], atol=1e-5)


def test_first_of_identical_triangles_is_seen(backend):
    positions = np.array([[[-1, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]], np.float32)
    ids = rasterize(positions, np.array([[0, 1, 2]] * 3, np.int32), (9, 9), backend=backend).triangle_id
    assert set(np.unique(ids)) == {NO_TRIANGLE, 0}


def test_smaller_depth_is_in_front_and_row_0_is_at_y_minus_1(backend):
    low, high = [[-1, -1], [1, -1], [0, 0]], [[-1, -1], [1, -1], [0, 1]]
    positions = np.array([[[*p, z, 1] for z, triangle in ((0.1, low), (0.2, high)) for p in triangle]], np.float32)
    ids = np.asarray(
        rasterize(positions, np.arange(6, dtype=np.int32).reshape(2, 3), (8, 8), backend=backend).triangle_id
    )
    assert ids[0, 0, 4] == 0  # top row: both, the nearer one wins
    assert ids[0, 5, 4] == 1  # below the small one


def test_triangles_that_cross_the_eye_plane_match_brute_force(backend):
    positions = np.array([[[-1, -1, 0.1, 1], [1, -1, 0.1, 1], [0, 3, -0.5, -0.4]]], np.float32)
    assert_agrees_with_reference(positions, np.array([[0, 1, 2]], np.int32), (33, 31), backend)


def test_what_lies_behind_the_eye_is_not_seen(backend):
    positions = -np.array([[[-1, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]], np.float32)
    ids = rasterize(positions, np.array([[0, 1, 2]], np.int32), (9, 9), backend=backend).triangle_id
    np.testing.assert_array_equal(ids, NO_TRIANGLE)


def test_depths_outside_the_clip_range_are_cut_per_pixel(backend):
    positions = np.array([[[-1, -1, -3, 1], [1, -1, -3, 1], [0, 1, 1, 1]]], np.float32)
    assert_agrees_with_reference(positions, np.array([[0, 1, 2]], np.int32), (21, 21), backend)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_vertex_that_is_not_finite_hides_only_its_own_triangles(rng, backend, value):
    positions, triangles = random_triangles(rng, num_triangles=8)
    broken = positions.copy()
    broken[0, :3] = value
    got = rasterize(broken, triangles, SIZE, backend=backend)
    expected = rasterize(positions[:, 3:], triangles[1:] - 3, SIZE, backend=backend)
    seen = expected.triangle_id != NO_TRIANGLE
    np.testing.assert_array_equal(got.triangle_id, jnp.where(seen, expected.triangle_id + 1, NO_TRIANGLE))
    assert np.isfinite(got.barycentric).all()


def test_no_images_no_triangles_no_vertices_and_nothing_in_view_are_fine(rng, backend):
    positions, triangles = random_triangles(rng)
    none = np.zeros((0, 3), np.int32)
    outside = positions + np.array([9, 0, 0, 0], np.float32)
    for p, t in ((positions[:0], triangles), (positions, none), (positions[:, :0], none), (outside, triangles)):
        got = rasterize(p, t, SIZE, backend=backend)
        assert got.triangle_id.shape == (len(p), *SIZE)
        assert (got.triangle_id == NO_TRIANGLE).all()
        assert not got.barycentric.any()
        assert not got.depth.any()


def test_a_triangle_of_no_area_is_not_seen(backend):
    positions = np.array([[[-1, -1, 0, 1], [1, 1, 0, 1], [0, 0, 0, 1]]], np.float32)
    got = rasterize(positions, np.array([[0, 1, 2], [0, 0, 1]], np.int32), (9, 9), backend=backend)
    assert (got.triangle_id == NO_TRIANGLE).all()


def test_results_and_gradients_are_the_same_bits_every_time(rng, backend):
    positions, triangles = bumpy_sheet(rng, size=30, num_images=5)
    weight = jnp.asarray(rng.normal(size=(5, *SIZE, 3)), jnp.float32)

    @jax.jit
    def everything(positions):
        def loss(p):
            fragments = rasterize(p, triangles, SIZE, backend=backend)
            return jnp.sum(fragments.barycentric * weight), fragments

        return jax.value_and_grad(loss, has_aux=True)(positions)

    first, *others = (jax.tree.leaves(everything(jnp.asarray(positions))) for _ in range(4))
    for other in others:
        for a, b in zip(first, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("perspective", [False, True])
def test_gradient_matches_float64_central_differences(rng, backend, perspective):
    positions, triangles = random_triangles(rng, num_triangles=20, num_images=2, perspective=perspective)
    weight = rng.normal(size=(2, *SIZE, 3))

    def loss(p):
        return jnp.sum(rasterize(p, triangles, SIZE, backend=backend).barycentric * jnp.asarray(weight, jnp.float32))

    gradient = np.asarray(jax.grad(loss)(jnp.asarray(positions)))
    ids = np.asarray(rasterize(positions, triangles, SIZE, backend=backend).triangle_id)
    assert not gradient[..., 2].any()  # depth does not move a pixel's place in its triangle
    candidates = np.argwhere(np.abs(gradient) > 1e-3)
    errors = []
    for place in map(tuple, rng.permutation(candidates)[:60]):
        values = []
        for step in (1e-6, -1e-6):
            moved = positions.astype(np.float64)
            moved[place] += step
            values.append((reference.barycentric_at(moved, triangles, ids) * weight).sum())
        difference = (values[0] - values[1]) / 2e-6
        errors.append(abs(difference - gradient[place]) / max(abs(difference), 1.0))
    assert np.median(errors) < (1e-5 if backend == "cpu" else 1e-4)
    assert np.percentile(errors, 90) < (1e-4 if backend == "cpu" else 2e-3)


def test_hidden_triangles_get_no_gradient(rng, backend):
    corners = np.array([[-1.2, -1.2], [3, -1.2], [-1.2, 3]])
    positions = np.array([[[*p, z, 1] for z in (0.1, 0.5) for p in corners]], np.float32)  # one before the other
    triangles = np.arange(6, dtype=np.int32).reshape(2, 3)
    weight = jnp.asarray(rng.normal(size=(1, 9, 9, 3)), jnp.float32)
    gradient = jax.grad(lambda p: jnp.sum(rasterize(p, triangles, (9, 9), backend=backend).barycentric * weight))(
        jnp.asarray(positions)
    )
    assert np.abs(gradient[0, :3]).max() > 0.1
    np.testing.assert_array_equal(gradient[0, 3:], 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((3, 4), np.float32)}, r"positions must be float32 \[N, V, 4\], got float32 \[3, 4\]"),
        (
            {"positions": np.zeros((1, 3, 3), np.float32)},
            r"positions must be float32 \[N, V, 4\], got float32 \[1, 3, 3\]",
        ),
        ({"positions": np.zeros((1, 3, 4), np.int32)}, r"positions must be float32 \[N, V, 4\], got int32 \[1, 3, 4\]"),
        ({"triangles": np.zeros((1, 4), np.int32)}, r"triangles must be int32 \[T, 3\], got int32 \[1, 4\]"),
        ({"triangles": np.zeros((1, 3), np.float32)}, r"triangles must be int32 \[T, 3\], got float32 \[1, 3\]"),
        ({"triangles": np.array([[0, 1, 3]], np.int32)}, r"triangles name vertices 0 \.\. 3, but there are 3"),
        ({"triangles": np.array([[0, 1, -1]], np.int32)}, r"triangles name vertices -1 \.\. 1, but there are 3"),
        ({"image_size": (0, 4)}, r"image_size must be \(height, width\) with sides of 1 \.\. 32767, got \(0, 4\)"),
        ({"image_size": (4, 40000)}, r"with sides of 1 \.\. 32767, got \(4, 40000\)"),
        (
            {"backend": "opengl"},
            r"there is no rendering backend 'opengl': choose one of auto, cpu, nvdiffrast, cuda, xla",
        ),
    ],
)
def test_wrong_arguments_are_named(change, message):
    good = {
        "positions": np.zeros((1, 3, 4), np.float32),
        "triangles": np.array([[0, 1, 2]], np.int32),
        "image_size": (4, 4),
        "backend": "auto",
    }
    arguments = good | change
    with pytest.raises(ValueError, match=message):
        rasterize(arguments["positions"], arguments["triangles"], arguments["image_size"], backend=arguments["backend"])


def test_vertex_numbers_known_only_at_run_time_are_checked_too():
    positions = jnp.zeros((1, 3, 4)).at[..., 3].set(1)
    run = jax.jit(lambda t, backend: rasterize(positions, t, (4, 4), backend=backend), static_argnums=1)
    with pytest.raises(Exception, match=r"triangles name a vertex outside the range 0 \.\. 2"):
        jax.block_until_ready(run(jnp.array([[0, 1, 3]], jnp.int32), "cpu"))
    # Plain JAX cannot raise; it draws nothing.
    assert (run(jnp.array([[0, 1, 3]], jnp.int32), "xla").triangle_id == NO_TRIANGLE).all()
