import struct

import numpy as np
import pytest
import scipy.io

from data_prep.face_models import bfm2009
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_basel_and_facewarehouse_files_become_one_model_in_millimeters(tmp_path):
    raw = bfm2009.read(published.write_bfm2009(tmp_path))
    assert_is_dome(raw)
    np.testing.assert_array_equal(raw.landmarks.vertices[:, 0], published.LANDMARKS)
    np.testing.assert_array_equal(raw.triangles, published.TRIANGLES)
    np.testing.assert_allclose(raw.colors, published.COLORS)
    np.testing.assert_allclose(raw.shape_std, published.SHAPE_STD)


def test_deep3d_result_is_the_same_model(tmp_path):
    raw = bfm2009.read(published.write_bfm_front(tmp_path))
    assert_is_dome(raw)
    np.testing.assert_array_equal(raw.landmarks.vertices[:, 0], published.LANDMARKS)
    np.testing.assert_allclose(raw.colors, published.COLORS)


def test_bfm_2017_is_named_where_2009_is_meant(tmp_path):
    path = tmp_path / "01_MorphableModel.mat"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(ValueError) as error:
        bfm2009.read(path)
    assert str(error.value) == (
        f"{path} is not a Matlab file (version 5 to 7.2) but an HDF5 file, as BFM-2017 and BFM-2019 come (format "
        f"bfm2017). {bfm2009.FORMAT.remedy}"
    )
    assert "https://faces.dmi.unibas.ch/bfm/main.php?nav=1-2&id=downloads" in str(error.value)
    assert "sirjax face-model import bfm2009 PATH --out model.npz" in str(error.value)


def test_another_model_s_fields_are_recognized(tmp_path):
    path = tmp_path / "01_MorphableModel.mat"
    scipy.io.savemat(path, {"mu_shape": np.zeros(3), "w": np.zeros(3)})
    with pytest.raises(ValueError, match="has no field shapeMU, shapePC, shapeEV, texMU: it looks like 3DDFA's"):
        bfm2009.read(path)


@pytest.mark.parametrize(
    "name", ["Exp_Pca.bin", "std_exp.txt", "BFM_exp_idx.mat", "BFM_front_idx.mat", "facemodel_info.mat"]
)
def test_each_missing_file_is_named(tmp_path, name):
    (published.write_bfm2009(tmp_path) / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"{name} is missing. the Basel Face Model 2009 needs 01_Morphable"):
        bfm2009.read(tmp_path)


def test_cut_expressions_are_refused(tmp_path):
    path = published.write_bfm2009(tmp_path) / "Exp_Pca.bin"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(
        ValueError, match="it announces 3 modes, which over 290 vertices take 13924 bytes, and has 13920"
    ):
        bfm2009.read(tmp_path)
    path.write_bytes(struct.pack("<i", -1))
    with pytest.raises(ValueError, match="announces -1 modes"):
        bfm2009.read(tmp_path)


def test_a_cut_matlab_file_is_refused(tmp_path):
    path = published.write_bfm2009(tmp_path) / "01_MorphableModel.mat"
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="01_MorphableModel.mat is cut short: at least .* bytes are missing"):
        bfm2009.read(tmp_path)


def test_landmarks_beyond_the_mesh_are_refused(tmp_path):
    published.write_bfm2009(tmp_path)
    info = {"tri": published.TRIANGLES + 1, "keypoints": np.full((1, 68), published.COUNT + 1)}
    scipy.io.savemat(tmp_path / "facemodel_info.mat", info)
    with pytest.raises(ValueError, match="has keypoints from 290 to 290, expected 1 to 289"):
        bfm2009.read(tmp_path)


def test_modes_that_are_not_finite_are_refused(tmp_path):
    published.write_bfm2009(tmp_path, shapeEV=np.full((6, 1), np.nan))
    with pytest.raises(ValueError, match="has values in shapeEV that are not finite"):
        bfm2009.read(tmp_path)
