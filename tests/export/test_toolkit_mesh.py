"""The check before an export finds what toolkits stumble over, and names the remedy."""

import jax.numpy as jnp
import numpy as np
import pytest
import trimesh

from sirjax.export.toolkit_mesh import check_meshes, flat_triangles, topology_of, write_plain_obj
from sirjax.geometry.mesh import mesh_topology
from sirjax.morphable.model import landmarks_of
from tests.face_models import dome_face_model

MODEL = dome_face_model()
MEAN = np.asarray(MODEL.mean, np.float64)


def damaged_model():
    """Two more vertices that no triangle uses, first and last, and a triangle of two corners only."""
    triangles = np.vstack([np.asarray(MODEL.triangles) + 1, [[1, 2, 2]]])
    mean = np.vstack([[0, 0, 500], MEAN, [0, 500, 0]])
    return MODEL.replace(
        mean=jnp.asarray(mean, jnp.float32),
        topology=mesh_topology(triangles.astype(np.int32), len(mean)),
        landmark_vertices=MODEL.landmark_vertices + 1,
    )


def test_a_sound_mesh_is_kept_as_it_is():
    topology = topology_of(MODEL)
    assert (topology.num_isolated, topology.num_flat) == (0, 0)
    np.testing.assert_array_equal(topology.triangles, MODEL.triangles)
    np.testing.assert_array_equal(topology.kept, np.arange(len(MEAN)))
    want = landmarks_of(MODEL, MODEL.mean[None])
    np.testing.assert_allclose(topology.landmarks(MEAN[None]), want, atol=1e-4)
    assert check_meshes(["mean"], MEAN[None], topology) == []


def test_isolated_vertices_and_flat_triangles_are_left_out():
    model = damaged_model()
    topology = topology_of(model)
    assert (topology.num_isolated, topology.num_flat) == (2, 1)
    kept = np.asarray(model.mean)[topology.kept]
    np.testing.assert_allclose(kept, MODEL.mean)
    np.testing.assert_array_equal(topology.triangles, MODEL.triangles)
    want = landmarks_of(MODEL, MODEL.mean[None])
    np.testing.assert_allclose(topology.landmarks(kept[None].astype(float)), want, atol=1e-4)


def test_a_landmark_on_an_isolated_vertex_is_refused():
    model = damaged_model()
    corners = np.asarray(model.landmark_vertices).copy()
    corners[5] = 0
    with pytest.raises(ValueError, match="landmark 5 of dome rests on a vertex that no triangle uses: choose another"):
        topology_of(model.replace(landmark_vertices=jnp.asarray(corners)))


def test_triangles_on_a_line_or_with_one_corner_twice_are_flat():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 0]], float)
    triangles = np.array([[0, 1, 2], [0, 1, 3], [0, 4, 1], [1, 2, 3]])
    np.testing.assert_array_equal(flat_triangles(vertices[None], triangles), [[True, False, True, False]])
    tiny = flat_triangles(1e-6 * vertices[None], triangles)
    np.testing.assert_array_equal(tiny, [[True, False, True, False]])  # whatever the unit


@pytest.mark.parametrize(("scale", "unit"), [(0.1, "centimeters"), (0.001, "meters"), (1000, "micrometers")])
def test_another_unit_is_recognized(scale, unit):
    found = check_meshes(["a", "b"], scale * np.stack([MEAN, MEAN]), topology_of(MODEL))
    assert len(found) == 2
    assert str(found[0]).startswith("2 meshes, the first of a: face width (points 0 and 16) of ")
    assert str(found[0]).endswith(f"the mesh seems to be in {unit}; import the face model again with the right unit")


def test_a_face_of_no_possible_size_is_named():
    found = check_meshes(["good", "huge"], np.stack([MEAN, 2 * MEAN]), topology_of(MODEL))
    assert str(found[0]) == (
        "huge: face width (points 0 and 16) of 255 mm, expected 100 to 190: no face has that size; check the face "
        "model with sirjax face-model info, and the photos of these names"
    )


def test_folded_and_broken_meshes_are_named():
    flat = MEAN.copy()
    flat[MODEL.triangles[0]] = flat[MODEL.triangles[0][0]]
    (found,) = check_meshes(["x", "y"], np.stack([MEAN, flat]), topology_of(MODEL))
    assert str(found).startswith("y: up to ")
    assert "triangles without area, on which scan-to-mesh distances fail" in found.what
    flat[3, 1] = np.nan
    (found,) = check_meshes(["x", "y"], np.stack([MEAN, flat]), topology_of(MODEL))
    assert str(found) == "y: vertices are not finite: the run has diverged; export an earlier checkpoint"


def test_written_meshes_hold_vertices_and_triangles_alone(tmp_path):
    write_plain_obj(tmp_path / "face.obj", MEAN, np.asarray(MODEL.triangles))
    lines = (tmp_path / "face.obj").read_text().splitlines()
    assert {len(line.split()) for line in lines} == {4}
    assert {line[:2] for line in lines} == {"v ", "f "}
    mesh = trimesh.load(tmp_path / "face.obj", process=False)
    np.testing.assert_allclose(mesh.vertices, MEAN, atol=1e-5)
    np.testing.assert_array_equal(mesh.faces, MODEL.triangles)
