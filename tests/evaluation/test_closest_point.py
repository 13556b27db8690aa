import numpy as np
import pytest

from sirjax.evaluation.closest_point import Surface, closest_on_triangles


def closest_by_search(point, corners, steps=60):
    """The closest of a fine grid of points of one triangle."""
    a, b = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
    inside = a + b <= 1 + 1e-12
    weights = np.stack([1 - a[inside] - b[inside], a[inside], b[inside]], axis=1)
    grid = weights @ corners
    return np.linalg.norm(grid - point, axis=1).min()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ([0.5, 0.5, 3], [0.5, 0.5, 0]),  # above the inside
        ([1, -2, 1], [1, 0, 0]),  # beyond an edge
        ([2, 2, 0], [1, 1, 0]),  # beyond the slanted edge
        ([-1, -1, 5], [0, 0, 0]),  # beyond a corner
        ([5, -1, 0], [2, 0, 0]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_closest_point_of_a_right_triangle(point, expected):
    corners = np.array([[[0, 0, 0], [2, 0, 0], [0, 2, 0]]], float)
    np.testing.assert_allclose(closest_on_triangles(np.array([point], float), corners)[0], expected, atol=1e-12)


def test_closest_point_of_a_triangle_without_area_lies_on_its_segment():
    corners = np.array([[[0, 0, 0], [4, 0, 0], [2, 0, 0]], [[1, 1, 1]] * 3], float)
    got = closest_on_triangles(np.array([[3, 1, 0], [5, 1, 1]], float), corners)
    np.testing.assert_allclose(got, [[3, 0, 0], [1, 1, 1]])


def test_closest_point_of_a_triangle_matches_a_search(rng):
    points, corners = 2 * rng.normal(size=(50, 3)), rng.normal(size=(50, 3, 3))
    got = np.linalg.norm(closest_on_triangles(points, corners) - points, axis=1)
    searched = np.array([closest_by_search(*pair) for pair in zip(points, corners, strict=True)])
    assert (got <= searched + 1e-12).all()
    np.testing.assert_allclose(got, searched, atol=0.05)


@pytest.mark.parametrize(("use_fcpw", "tolerance"), [(False, 1e-12), (True, 2e-6)])
@pytest.mark.parametrize("spread", [0.0, 1.5, 3.0])
def test_surface_matches_all_triangles_however_different_their_sizes(rng, spread, use_fcpw, tolerance):
    size = np.exp(spread * rng.normal(size=(300, 1, 1)))
    corners = 10 * rng.normal(size=(300, 1, 3)) + size * rng.normal(size=(300, 3, 3))
    points = 10 * rng.normal(size=(200, 3))
    got = Surface(corners.reshape(-1, 3), np.arange(900).reshape(300, 3), use_fcpw=use_fcpw).closest(points)
    every = np.linalg.norm(closest_on_triangles(points[:, None], corners[None]) - points[:, None], axis=-1)
    np.testing.assert_allclose(got.distance, every.min(axis=1), rtol=tolerance)
    np.testing.assert_allclose(np.linalg.norm(got.points - points, axis=1), got.distance, rtol=1e-12)
    np.testing.assert_allclose(every[np.arange(200), got.triangle], got.distance, rtol=1e-12)


@pytest.mark.parametrize("use_fcpw", [False, True])
def test_a_large_triangle_wins_over_many_nearer_centroids(use_fcpw):
    # Hundreds of small triangles lie 1 above the point; one huge one, with its centroid far away, just below it.
    rng = np.random.default_rng(1)
    small = np.array([0, 0, 1.0]) + 0.02 * rng.uniform(-1, 1, size=(400, 3, 3)) * [1, 1, 0]
    huge = np.array([[[-1, -1, -0.1], [500, -1, -0.1], [-1, 500, -0.1]]])
    surface = Surface(np.concatenate([small, huge]).reshape(-1, 3), np.arange(1203).reshape(-1, 3), use_fcpw=use_fcpw)
    got = surface.closest(np.zeros((1, 3)))
    assert got.triangle[0] == 400
    np.testing.assert_allclose(got.distance, [0.1])


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("unit", [1.0, 1e-3])
def test_fcpw_and_the_trees_agree_on_a_face_within_1e5_mm(rng, unit, offset):
    x, y = np.meshgrid(np.linspace(-80, 80, 40), np.linspace(-80, 80, 40))
    vertices = np.stack([x, y, 50 * np.cos(x / 70) * np.cos(y / 90)], axis=-1).reshape(-1, 3) + offset
    index = np.arange(1600).reshape(40, 40)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]))
    triangles = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    points = vertices[rng.integers(1600, size=2000)] + 4 * rng.normal(size=(2000, 3))
    fast, slow = (Surface(unit * vertices, triangles, use_fcpw=which).closest(unit * points) for which in (True, False))
    np.testing.assert_allclose(fast.distance, slow.distance, rtol=0, atol=1e-5 * unit)


def test_fcpw_does_not_lose_triangles_without_area():
    # A segment and a point among proper triangles: both are the closest to some query.
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 0, 0], [9, 0, 0], [7, 0, 0], [0, 0, 8]], float)
    surface = Surface(vertices, np.array([[0, 1, 2], [3, 4, 5], [6, 6, 6]]), use_fcpw=True)
    got = surface.closest(np.array([[0.2, 0.2, 1], [6, 2, 0], [0, 0, 7]]))
    assert got.triangle.tolist() == [0, 1, 2]
    np.testing.assert_allclose(got.distance, [1, 2, 1])


def test_a_single_triangle_is_a_surface():
    got = Surface(np.eye(3), np.array([[0, 1, 2]])).closest(np.array([[1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(got.points, [[1 / 3, 1 / 3, 1 / 3]])


def test_no_triangle_is_refused():
    with pytest.raises(ValueError, match="a surface needs at least one triangle, got none"):
        Surface(np.zeros((3, 3)), np.zeros((0, 3), int))
