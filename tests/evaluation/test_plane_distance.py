import numpy as np

from sirjax.evaluation.closest_point import Surface
from sirjax.evaluation.plane_distance import plane_distances

# A roof: its ridge is the y axis, one side falls by 45 degrees, the other is level. And a seam: vertices stored twice.
ROOF = np.array([[0, 0, 0], [0, 4, 0], [-4, 0, 0], [4, 0, -4]], float)
SIDES = np.array([[0, 1, 2], [0, 3, 1]])


def distances(points, vertices, triangles):
    closest = Surface(vertices, triangles).closest(points)
    return plane_distances(points, closest, vertices, triangles)


def test_above_the_inside_it_is_the_height():
    np.testing.assert_allclose(distances(np.array([[-1.0, 1, 0.7]]), ROOF, SIDES), [0.7])


def test_above_a_ridge_the_plane_counts_that_is_farther_whatever_the_order():
    # 1 above the ridge, a little to the right: 1.0 from the level side, 1.1 / sqrt(2) from the other.
    point = np.array([[0.1, 1, 1.0]])
    for triangles in (SIDES, SIDES[::-1], SIDES[:, [1, 2, 0]]):
        np.testing.assert_allclose(distances(point, ROOF, triangles), [1.0])


def test_vertices_stored_twice_are_one_place():
    seam = np.concatenate([ROOF, ROOF])
    for triangles in ([[0, 1, 2], [4, 7, 5]], [[0, 3, 1], [4, 5, 6]]):
        np.testing.assert_allclose(distances(np.array([[0.1, 1, 1.0]]), seam, np.array(triangles)), [1.0])


def test_beyond_a_corner_all_triangles_around_it_count(rng):
    # Against a loop: the farthest of the planes of all triangles that are equally close.
    vertices = np.concatenate([[[0, 0, 1.0]], [[np.cos(t), np.sin(t), 0.3 * np.sin(3 * t)] for t in range(6)]])
    triangles = np.array([[0, k, k % 6 + 1] for k in range(1, 7)])
    points = rng.normal(size=(200, 3)) + np.array([0, 0, 1.5])
    got = distances(points, vertices, triangles)
    for point, value in zip(points, got, strict=True):
        gaps, planes = [], []
        for corners in vertices[triangles]:
            alone = Surface(corners, np.array([[0, 1, 2]])).closest(point[None])
            normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
            gaps.append(alone.distance[0])
            planes.append(abs((point - alone.points[0]) @ normal) / np.linalg.norm(normal))
        tied = np.array(gaps) < min(gaps) + 1e-9
        np.testing.assert_allclose(value, np.array(planes)[tied].max(), atol=1e-9)
