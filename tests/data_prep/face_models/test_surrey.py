import numpy as np
import pytest

from data_prep.face_models import surrey
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_the_archives_of_eos_are_read(tmp_path):
    raw = surrey.read(published.write_surrey(tmp_path))
    assert_is_dome(raw)
    np.testing.assert_allclose(raw.uv, published.UV)
    np.testing.assert_array_equal(raw.triangles, published.TRIANGLES)


def test_the_list_numbers_landmarks_from_1_and_leaves_some_out(tmp_path):
    raw = surrey.read(published.write_surrey(tmp_path, unlisted=(0, 16, 60)) / "sfm_shape_3448.bin")
    np.testing.assert_array_equal(np.flatnonzero(~raw.landmarks.known), [0, 16, 60])
    known = raw.landmarks.known
    np.testing.assert_array_equal(raw.landmarks.vertices[known, 0], published.LANDMARKS[known])


@pytest.mark.parametrize("size", [3, 11, 2000, -1])
def test_a_cut_archive_is_refused(tmp_path, size):
    path = published.write_surrey(tmp_path) / "sfm_shape_3448.bin"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="sfm_shape_3448.bin is cut short or no archive of eos of this kind"):
        surrey.read(tmp_path)


def test_an_archive_of_another_version_is_refused(tmp_path):
    path = published.write_surrey(tmp_path) / "sfm_shape_3448.bin"
    data = path.read_bytes()
    path.write_bytes(data + b"more")
    with pytest.raises(ValueError, match="has 4 bytes left over: it was written by another version of eos"):
        surrey.read(tmp_path)
    path.write_bytes(b"\x02" + data[1:])
    with pytest.raises(ValueError, match="is no model archive of eos of version 1 but starts with 2"):
        surrey.read(tmp_path)


def test_facewarehouse_s_bin_is_not_taken_for_it(tmp_path):
    path = published.write_bfm2009(published.write_surrey(tmp_path)) / "Exp_Pca.bin"
    with pytest.raises(ValueError, match="no model archive of eos of version 1 but starts with 3"):
        surrey.read(path)


def test_a_landmark_beyond_the_mesh_is_refused(tmp_path):
    published.write_surrey(tmp_path)
    (tmp_path / "ibug_to_sfm.txt").write_text("9 = 5000")
    with pytest.raises(ValueError, match="names vertex 5000, the model has 289"):
        surrey.read(tmp_path)


@pytest.mark.parametrize("name", ["sfm_shape_3448.bin", "expression_blendshapes_3448.bin", "ibug_to_sfm.txt"])
def test_a_missing_file_is_named(tmp_path, name):
    (published.write_surrey(tmp_path) / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing. the Surrey Face Model needs .*get it from https"):
        surrey.read(tmp_path)


def test_expressions_of_another_mesh_are_refused(tmp_path):
    path = published.write_surrey(tmp_path) / "expression_blendshapes_3448.bin"
    data = bytearray(path.read_bytes())
    data[8 + 8 + 5 : 8 + 8 + 9] = (864).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"has an expression 'anger' of \(864, 1\), the model 289 vertices"):
        surrey.read(tmp_path)
