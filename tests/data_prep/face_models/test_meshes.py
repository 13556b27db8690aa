import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep.face_models import meshes
from tests.data_prep.face_models import published


def test_polygons_become_fans():
    triangles = meshes.triangulate([[0, 1, 2], [3, 4, 5, 6]])
    np.testing.assert_array_equal(triangles, [[0, 1, 2], [3, 4, 5], [3, 5, 6]])


def test_the_dome_s_mirror_map_is_found():
    np.testing.assert_array_equal(meshes.mirror_map(published.MEAN), published.MIRROR)


@given(st.integers(1, 60), st.integers(0, 1000))
def test_a_mirror_map_always_leads_back(count, seed):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    mirror = meshes.mirror_map(points)
    np.testing.assert_array_equal(mirror[mirror], np.arange(count))


@given(st.floats(-20, 20))
def test_the_plane_of_symmetry_is_found(shift):
    assert meshes.midline(published.MEAN + np.array([shift / 10, 0, 0])) == pytest.approx(shift / 10, abs=0.2)


def test_mirror_error_is_the_distance_of_the_images():
    mean = np.array([[-3.0, 0, 0], [3.0, 4.0, 0], [0.5, 0, 0]])
    np.testing.assert_allclose(meshes.mirror_error(mean, np.array([1, 0, 2])), [4, 4, 1])


def test_pieces_are_numbered_by_size():
    triangles = np.array([[0, 1, 2], [3, 4, 5], [4, 5, 6]])
    np.testing.assert_array_equal(meshes.pieces(triangles, 7), [1, 1, 1, 0, 0, 0, 0])


def test_the_rim_and_holes_are_walked_with_the_surface_to_the_left():
    # A square ring of eight vertices around a hole, the outer corners 0-3, the inner 4-7, counterclockwise.
    triangles = []
    for k in range(4):
        after = (k + 1) % 4
        triangles += [(k, after, 4 + after), (k, 4 + after, 4 + k)]
    rim, hole = meshes.boundary_loops(np.array(triangles))
    assert {tuple(np.roll(rim, -rim.argmin())), tuple(np.roll(hole, -hole.argmin()))} == {(0, 1, 2, 3), (4, 7, 6, 5)}


def test_a_closed_mesh_has_no_rim():
    assert meshes.boundary_loops(np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])) == []


def test_loops_that_touch_are_cut_apart():
    loops = meshes.boundary_loops(np.array([[0, 1, 2], [0, 3, 4]]))
    assert sorted(sorted(loop.tolist()) for loop in loops) == [[0, 1, 2], [0, 3, 4]]


def test_points_are_placed_on_the_surface(rng):
    weights = rng.dirichlet([1, 1, 1], size=20)
    rows = rng.integers(0, len(published.TRIANGLES), size=20)
    points = np.einsum("nkc,nk->nc", published.MEAN[published.TRIANGLES[rows]], weights)
    corners, found = meshes.place_on_surface(points, published.MEAN, published.TRIANGLES)
    np.testing.assert_allclose(np.einsum("nkc,nk->nc", published.MEAN[corners], found), points, atol=1e-6)
    assert found.min() >= 0


def test_texture_coordinates_are_turned_so_that_v_grows_downward():
    for uv in (published.UV, published.UV * [1, -1] + [0, 1]):
        turned = meshes.v_downward(uv, published.TRIANGLES, published.MEAN, published.TRIANGLES)
        np.testing.assert_allclose(turned, published.UV, atol=1e-12)


def test_normals_look_outward():
    assert (meshes.triangle_normals(published.MEAN, published.TRIANGLES)[:, 2] > 0).all()
