import json
import tarfile

import numpy as np
import pytest

from data_prep.face_models import ict
from data_prep.face_models.building import build
from data_prep.face_models.raw import EYE, SKIN
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def packed(tmp_path):
    path = tmp_path / "FaceXModel.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        archive.add(published.write_ict(tmp_path / "FaceXModel"), "FaceXModel")
    return path


def test_the_folder_is_read(tmp_path):
    published.write_ict(tmp_path / "FaceXModel")
    raw = ict.read(tmp_path)
    assert_is_dome(raw)
    assert len(raw.expression_std) == 3  # the mesh that the list does not name is left out
    np.testing.assert_array_equal(raw.landmarks.vertices[:, 0], published.LANDMARKS)
    assert raw.parts.tolist() == [SKIN] * published.COUNT + [EYE] * 6 + [SKIN] * 3


def test_the_archive_is_the_same_model(tmp_path):
    from_archive, from_folder = ict.read(packed(tmp_path)), ict.read(tmp_path / "FaceXModel")
    np.testing.assert_array_equal(from_archive.mean, from_folder.mean)
    np.testing.assert_array_equal(from_archive.uv, from_folder.uv)
    np.testing.assert_array_equal(from_archive.shape_basis, from_folder.shape_basis)


def test_transparent_shells_are_dropped_and_the_layout_is_symmetric(tmp_path):
    model, report = build(ict.read(published.write_ict(tmp_path)), uv_size=64)
    assert model.num_vertices == published.COUNT + 6
    assert any("UV layout the model's own, made exactly symmetric" in note for note in report.notes)
    uv, corners = np.asarray(model.uv), np.asarray(model.uv_triangles)
    eyes = uv[corners[(np.asarray(model.triangles) >= published.COUNT).all(axis=1)]]
    np.testing.assert_allclose(eyes[0].min(axis=0), [0.02, 0.76], atol=1e-5)
    np.testing.assert_allclose(1 - eyes[1].max(axis=0)[0], 0.02, atol=1e-5)


@pytest.mark.parametrize("name", ["generic_neutral_mesh.obj", "vertex_indices.json"])
def test_a_missing_file_is_named(tmp_path, name):
    (published.write_ict(tmp_path / "x") / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name}.*ICT-FaceKit needs the folder FaceXModel"):
        ict.read(tmp_path / "x")


def test_a_truncated_archive_is_refused(tmp_path):
    path = packed(tmp_path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError) as error:
        ict.read(path)
    assert str(path) in str(error.value)
    assert "cut short" in str(error.value)
    assert ict.FORMAT.remedy in str(error.value)


def test_something_else_than_an_archive_is_named(tmp_path):
    path = published.write_surrey(tmp_path) / "sfm_shape_3448.bin"
    with pytest.raises(ValueError, match="cannot be unpacked"):
        ict.read(path)


def test_meshes_of_other_sizes_are_refused(tmp_path):
    folder = published.write_ict(tmp_path)
    (folder / "jawOpen.obj").write_text("# cut\nv 0 0 0\n")
    with pytest.raises(ValueError, match="has 1 vertices in jawOpen.obj, 298 in the neutral mesh"):
        ict.read(folder)


def test_landmarks_that_are_not_68_are_refused(tmp_path):
    folder = published.write_ict(tmp_path)
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": [1, 2]}))
    with pytest.raises(ValueError, match="has 2 landmarks in vertex_indices.json, expected 68"):
        ict.read(folder)
    (folder / "vertex_indices.json").write_text("{")
    with pytest.raises(ValueError, match="has no list idx_to_landmark_verts in vertex_indices.json"):
        ict.read(folder)


def test_a_mesh_of_another_model_is_refused(tmp_path):
    folder = published.write_ict(tmp_path)
    path = folder / "generic_neutral_mesh.obj"
    path.write_text(path.read_text().replace("M_", "Other_"))
    with pytest.raises(ValueError, match="without the materials of ICT-FaceKit .found Other_Face, Other_ScleraRight"):
        ict.read(folder)
