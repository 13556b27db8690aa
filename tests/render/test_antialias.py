import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render.antialias import antialias, opposite_vertices
from sirjax.render.rasterize import rasterize
from tests.render.meshes import grid_triangles

SIZE = (24, 20)


def polygon(center, radius, corners=5, depth=0.0, turn=0.3):
    """A fan around its center, in clip space; few corners: the outline is straight over many pixels."""
    angle = turn + 2 * np.pi * np.arange(corners) / corners
    ring = center + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points = np.concatenate([[center], ring])
    number = np.arange(corners)
    triangles = np.stack([0 * number, 1 + number, 1 + (number + 1) % corners], axis=-1).astype(np.int32)
    positions = np.concatenate([points, np.full((len(points), 1), depth), np.ones((len(points), 1))], axis=-1)
    return positions[None].astype(np.float32), triangles


def coverage(positions, triangles):
    """A white shape on black, smoothed."""
    fragments = rasterize(positions, triangles, SIZE, backend="xla")
    white = (fragments.triangle_id >= 0).astype(jnp.float32)[..., None]
    return antialias(white, fragments, jnp.asarray(positions), jnp.asarray(triangles))[..., 0]


def area(positions, triangles):
    """In pixels, of the outline (all vertices but the first)."""
    ring = (np.asarray(positions, np.float64)[0, 1:, :2] + 1) / 2 * np.array(SIZE[::-1])
    after = np.roll(ring, -1, axis=0)
    return abs(np.sum(ring[:, 0] * after[:, 1] - ring[:, 1] * after[:, 0])) / 2


@pytest.mark.parametrize("turn", [0.3, 0.77, 1.1])
def test_the_sum_of_the_mask_is_the_area(turn):
    positions, triangles = polygon(np.array([0.07, -0.04]), 0.7, turn=turn)
    hard = (rasterize(positions, triangles, SIZE, backend="xla").triangle_id >= 0).sum()
    soft = coverage(positions, triangles).sum()
    exact = area(positions, triangles)
    assert abs(soft - exact) < 0.6  # of about 180 pixels; corners are rounded off
    assert abs(soft - exact) <= abs(int(hard) - exact) + 0.3


TRIANGLE = np.array([[[-0.71, -0.83, 0, 1], [0.87, -0.34, 0, 1], [-0.22, 0.81, 0, 1]]], np.float32)


@jax.jit
def value_and_slopes(positions):
    """A weighted sum of the smoothed triangle's pixels."""
    row, column = np.mgrid[: SIZE[0], : SIZE[1]]
    weight = jnp.asarray(1 + np.sin(0.13 * row) * np.cos(0.17 * column), jnp.float32)[None]
    triangles = np.array([[0, 1, 2]], np.int32)
    return jax.value_and_grad(lambda p: jnp.sum(weight * coverage(p, triangles)))(positions)


@pytest.mark.parametrize(("vertex", "axis"), [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (2, 3)])
def test_gradients_at_silhouettes_match_finite_differences(vertex, axis):
    # One triangle: an outline that belongs to another one than a pixel sees is missed. No tip passes a row of centers.
    # The mean slope over a step of a third of a pixel, as outlines pass pixel centers on the way.
    steps = np.linspace(-0.015, 0.015, 9)
    direction = np.eye(3)[vertex][:, None] * np.eye(4)[axis]
    results = [value_and_slopes(jnp.asarray(TRIANGLE + delta * direction, jnp.float32)) for delta in steps]
    slopes = [float(slope[0, vertex, axis]) for _, slope in results]
    expected = (float(results[-1][0]) - float(results[0][0])) / (steps[-1] - steps[0])
    assert abs(expected) > 5
    np.testing.assert_allclose(np.trapezoid(slopes, steps) / (steps[-1] - steps[0]), expected, rtol=0.01)


def test_without_it_silhouettes_have_no_gradient():
    positions, triangles = polygon(np.zeros(2), 0.7)
    hard = jax.grad(
        lambda p: rasterize(p, triangles, SIZE, backend="xla").depth.sum() + 0 * p.sum()  # visibility is constant
    )(jnp.asarray(positions))
    assert not np.asarray(hard).any()


def test_a_nearer_shape_smooths_what_lies_behind_it():
    front, triangles = polygon(np.zeros(2), 0.5, depth=-0.5)
    back, _ = polygon(np.zeros(2), 5.0, depth=0.5)
    positions = np.concatenate([front, back], axis=1)
    both = np.concatenate([triangles, triangles + 6]).astype(np.int32)
    fragments = rasterize(positions, both, SIZE, backend="xla")
    colors = jnp.where(fragments.triangle_id < 5, 1.0, 0.25)[..., None]
    smooth = np.asarray(antialias(colors, fragments, jnp.asarray(positions), jnp.asarray(both)))
    mixed = (smooth > 0.2501) & (smooth < 0.9999)
    assert mixed.sum() > 15
    assert smooth.min() >= 0.25 - 1e-6
    assert smooth.max() <= 1 + 1e-6
    assert abs((smooth.sum() - 0.25 * smooth.size) / 0.75 - area(front, triangles)) < 0.6


def test_inner_edges_of_a_flat_surface_are_no_outlines():
    line = np.linspace(-1.3, 1.3, 5)
    x, y = np.meshgrid(line, line)
    positions = np.stack([x, y, 0 * x, 0 * x + 1], axis=-1).reshape(1, -1, 4).astype(np.float32)
    triangles = grid_triangles(5, 5)
    fragments = rasterize(positions, triangles, SIZE, backend="xla")
    image = jax.random.uniform(jax.random.key(0), (1, *SIZE, 3))
    np.testing.assert_array_equal(antialias(image, fragments, jnp.asarray(positions), jnp.asarray(triangles)), image)


def test_the_corner_beyond_each_edge_is_found_like_by_comparing_all_pairs():
    triangles = np.concatenate([grid_triangles(3, 4), [[20, 21, 22]]]).astype(np.int32)
    expected = np.full(triangles.shape, -1)
    for t, corners in enumerate(triangles):
        for k in range(3):
            edge = {corners[(k + 1) % 3], corners[(k + 2) % 3]}
            for other in np.delete(triangles, t, axis=0):
                if edge <= set(other):
                    (expected[t, k],) = set(other) - edge
    np.testing.assert_array_equal(opposite_vertices(triangles), expected)


def test_vertices_behind_the_eye_leave_the_image_and_its_gradient_finite():
    positions, triangles = polygon(np.zeros(2), 0.7)
    positions[0, 1, 3] = -0.5
    gradient = jax.grad(lambda p: coverage(p, triangles).sum())(jnp.asarray(positions))
    assert np.isfinite(gradient).all()
