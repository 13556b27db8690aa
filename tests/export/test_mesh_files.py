import numpy as np
import pytest
import trimesh

from sirjax.export.mesh_files import write_face
from sirjax.export.parameters import Provenance
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)
FACE = known_face(similarity(0.31, 21.0, (-80.0, -35.0)), MODEL)
ORIGIN = Provenance("f00d", licence="CC0-1.0")


def test_all_formats_of_both_poses_are_written(tmp_path):
    written = write_face(tmp_path, "face0", FACE, MODEL, ORIGIN)
    meshes = {
        f"face0_{pose}.{suffix}" for pose in ("neutral", "posed") for suffix in ("obj", "mtl", "png", "ply", "glb")
    }
    assert {path.name for path in written} == meshes | {"face0.npz"}
    assert {path.name for path in tmp_path.iterdir()} == meshes | {"face0.npz"}


def test_only_the_formats_asked_for_are_written(tmp_path):
    write_face(tmp_path, "face0", FACE, MODEL, ORIGIN, ("glb", "npz"))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"face0_neutral.glb", "face0_posed.glb", "face0.npz"}


def test_neutral_is_unturned_and_posed_is_as_in_the_photo(tmp_path):
    write_face(tmp_path, "f", FACE, MODEL, ORIGIN, ("ply",))
    neutral = trimesh.load(tmp_path / "f_neutral.ply", process=False).vertices
    posed = trimesh.load(tmp_path / "f_posed.ply", process=False).vertices
    np.testing.assert_allclose(neutral, FACE.neutral_vertices, atol=1e-5)
    camera = FACE.photo_camera
    pixels = posed[:, :2] * [1, -1] * float(camera.scale[0]) + np.asarray(camera.translation)
    np.testing.assert_allclose(pixels, FACE.projected_in_photo[:, :2], atol=1e-2)


def test_a_metric_face_has_the_eye_distance_that_was_given(tmp_path):
    write_face(tmp_path, "f", FACE.with_eye_distance(60.0), MODEL, ORIGIN, ("ply", "obj"))
    vertices = trimesh.load(tmp_path / "f_neutral.ply", process=False).vertices
    corners = vertices[np.asarray(MODEL.landmark_vertices)]
    landmarks = (corners * np.asarray(MODEL.landmark_weights)[..., None]).sum(axis=1)
    eyes = landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0)
    np.testing.assert_allclose(np.linalg.norm(eyes), 60.0, rtol=1e-5)
    assert "true millimeters (an eye distance was given)" in (tmp_path / "f_neutral.obj").read_text()


def test_files_say_that_they_are_not_metric_and_whose_licence_they_have(tmp_path):
    write_face(tmp_path, "f", FACE, MODEL, ORIGIN, ("obj",))
    header = (tmp_path / "f_posed.obj").read_text().split("mtllib")[0]
    assert "millimeters of an average head, not metric" in header
    assert "camera frame of the photo: x right, y up, z to the viewer" in header
    assert "face model: dome; licence: CC0-1.0" in header


def test_an_unknown_format_is_refused_before_writing(tmp_path):
    with pytest.raises(ValueError, match="unknown format 'fbx': choose from obj, ply, glb, npz"):
        write_face(tmp_path, "f", FACE, MODEL, ORIGIN, ("obj", "fbx"))
    assert not list(tmp_path.iterdir())
