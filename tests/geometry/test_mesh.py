import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.geometry import mesh
from sirjax.geometry.mesh import mesh_topology

vertex_normals, triangle_areas = jax.jit(mesh.vertex_normals), jax.jit(mesh.triangle_areas)


def grid_triangles(n, rng):
    """A grid of n x n vertices, two triangles per cell, in random order."""
    i = np.arange(n * n).reshape(n, n)
    a, b, c, d = (x.reshape(-1) for x in (i[:-1, :-1], i[1:, :-1], i[1:, 1:], i[:-1, 1:]))
    return rng.permutation(np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]))


def normals_by_scatter(vertices, triangles):
    """Float64, triangle by triangle: add its area normal to its three vertices, then normalize."""
    total = np.zeros_like(vertices)
    for a, b, c in triangles:
        normal = np.cross(vertices[b] - vertices[a], vertices[c] - vertices[a])
        for vertex in (a, b, c):
            total[vertex] += normal
    return total / np.linalg.norm(total, axis=-1, keepdims=True)


def test_normals_match_a_scatter_implementation(rng):
    triangles = grid_triangles(6, rng)
    vertices = rng.normal(size=(2, 36, 3))
    got = vertex_normals(jnp.asarray(vertices, jnp.float32), mesh_topology(triangles, 36))
    expected = np.stack([normals_by_scatter(v, triangles) for v in vertices])
    np.testing.assert_allclose(got, expected, atol=5e-6)


def test_gradient_matches_float64_finite_differences(rng):
    triangles = grid_triangles(4, rng)
    vertices, direction = rng.normal(size=(16, 3)), rng.normal(size=(16, 3))
    topology = mesh_topology(triangles, 16)
    weights = jnp.asarray(direction[None], jnp.float32)
    gradient_of = jax.jit(jax.grad(lambda v: jnp.sum(vertex_normals(v, topology) * weights)))
    gradient = gradient_of(jnp.asarray(vertices[None], jnp.float32))
    expected = np.zeros_like(vertices)
    for index in np.ndindex(*vertices.shape):
        step = np.zeros_like(vertices)
        step[index] = 1e-6
        change = normals_by_scatter(vertices + step, triangles) - normals_by_scatter(vertices - step, triangles)
        expected[index] = np.sum(change * direction) / 2e-6
    np.testing.assert_allclose(gradient[0], expected, rtol=1e-3, atol=1e-4)


def test_neither_direction_scatters(rng):
    # XLA runs scatters on CPUs one element at a time, on GPUs in an order that changes from run to run.
    topology = mesh_topology(grid_triangles(4, rng), 16)
    program = jax.jit(jax.grad(lambda v: vertex_normals(v, topology)[..., 0].sum())).lower(jnp.ones((1, 16, 3)))
    assert "gather" in program.as_text()
    assert "scatter" not in program.as_text()


def test_larger_triangles_count_more():
    # Vertex 0 has a triangle of area 2 facing z and one of area 1/2 facing x: the sum of the normals is (1, 0, 4) / 2.
    vertices = jnp.array([[[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 1, 0], [0, 0, 1]]])
    normals = vertex_normals(vertices, mesh_topology(np.array([[0, 1, 2], [0, 3, 4]]), 5))
    np.testing.assert_allclose(normals[0, 0], np.array([1, 0, 4]) / np.sqrt(17), rtol=1e-6)
    np.testing.assert_allclose(normals[0, 1], [0, 0, 1])
    np.testing.assert_allclose(normals[0, 4], [1, 0, 0])


def test_counterclockwise_faces_point_to_the_viewer():
    vertices = jnp.array([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    np.testing.assert_array_equal(vertex_normals(vertices, mesh_topology(np.array([[0, 1, 2]]), 3))[0, 0], [0, 0, 1])


@pytest.mark.parametrize("spread", [0.0, 1e-8])
def test_collapsed_and_lonely_vertices_have_zero_normals_and_gradients(spread):
    vertices = spread * jnp.array([[[0.0, 0, 0], [1, 0, 0], [2, 1e-3, 0], [5, 5, 5]]])
    topology = mesh_topology(np.array([[0, 1, 2]]), 4)  # vertex 3 belongs to no triangle
    np.testing.assert_array_equal(vertex_normals(vertices, topology), np.zeros((1, 4, 3)))
    gradient = jax.jit(jax.grad(lambda v: vertex_normals(v, topology)[..., 2].sum()))(vertices)
    np.testing.assert_array_equal(gradient, np.zeros((1, 4, 3)))


def test_normals_can_be_mapped_over_an_extra_axis(rng):
    triangles = grid_triangles(3, rng)
    topology = mesh_topology(triangles, 9)
    vertices = jnp.asarray(rng.normal(size=(4, 2, 9, 3)), jnp.float32)
    got = jax.vmap(lambda v: vertex_normals(v, topology))(vertices)
    np.testing.assert_allclose(got.reshape(8, 9, 3), vertex_normals(vertices.reshape(8, 9, 3), topology), atol=1e-6)


def test_topology_lists_the_corners_of_each_vertex():
    topology = mesh_topology(np.array([[0, 1, 2], [0, 2, 3]]), 5)
    # Corners are numbered 0-5 along the list; 6 is padding.
    np.testing.assert_array_equal(topology.vertex_corners, [[0, 3], [1, 6], [2, 4], [5, 6], [6, 6]])


def test_triangle_naming_a_missing_vertex_is_refused():
    with pytest.raises(ValueError, match="name the vertices 1 to 3, but the mesh has 3; number vertices from 0"):
        mesh_topology(np.array([[1, 2, 3]]), 3)


def test_triangles_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"triangles must have shape \[T, 3\], got \[2, 4\]"):
        mesh_topology(np.zeros((2, 4), int), 3)


def test_areas_match_herons_formula(rng):
    vertices = rng.normal(size=(1, 5, 3))
    triangles = np.array([[0, 1, 2], [2, 3, 4]])
    expected = []
    for a, b, c in triangles:
        x, y, z = (np.linalg.norm(vertices[0, i] - vertices[0, j]) for i, j in ((a, b), (b, c), (c, a)))
        s = (x + y + z) / 2
        expected.append(np.sqrt(s * (s - x) * (s - y) * (s - z)))
    got = triangle_areas(jnp.asarray(vertices, jnp.float32), jnp.asarray(triangles))
    np.testing.assert_allclose(got, [expected], rtol=1e-5)


def test_areas_have_a_finite_gradient_at_flat_triangles():
    gradient = jax.jit(jax.grad(lambda v: triangle_areas(v, jnp.array([[0, 1, 2]])).sum()))(jnp.ones((1, 3, 3)))
    np.testing.assert_array_equal(gradient, np.zeros((1, 3, 3)))


def test_normals_of_one_mesh_are_those_of_a_batch(rng):
    triangles = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1]])
    topology = mesh.mesh_topology(triangles, 4)
    vertices = rng.normal(size=(4, 3)).astype(np.float32)
    batch = mesh.vertex_normals(jnp.asarray(vertices[None]), topology)
    np.testing.assert_allclose(mesh.vertex_normals_of_one(vertices, topology), batch[0], atol=1e-6)
