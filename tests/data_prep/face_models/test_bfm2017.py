import builtins

import numpy as np
import pytest

from data_prep.face_models import bfm2017
from tests.data_prep.face_models import published
from tests.data_prep.face_models.checks import assert_is_dome


def test_means_add_up_and_variances_become_deviations(tmp_path):
    raw = bfm2017.read(published.write_bfm2017(tmp_path / "model2017-1_bfm_nomouth.h5", bfm2017.IBUG))
    assert_is_dome(raw)
    np.testing.assert_allclose(raw.colors, published.COLORS)
    assert raw.name == "bfm-2017"


def test_named_points_become_landmarks_and_others_stay_unknown(tmp_path):
    raw = bfm2017.read(published.write_bfm2017(tmp_path / "model2019_bfm.h5", bfm2017.IBUG | {"left.ear": 16}))
    known = sorted(bfm2017.IBUG.values())
    np.testing.assert_array_equal(np.flatnonzero(raw.landmarks.known), known)
    np.testing.assert_array_equal(raw.landmarks.vertices[known, 0], published.LANDMARKS[known])
    assert raw.name == "bfm-2019"


def test_bfm_2009_in_this_format_is_named(tmp_path):
    path = published.write_bfm2017(tmp_path / "model2009-publicmm1-bfm.h5", expressions=False)
    with pytest.raises(
        ValueError, match="has no expressions: it is a BFM-2009 in this format, or a shape-only variant"
    ):
        bfm2017.read(path)


def test_bfm_2009_s_matlab_file_is_named(tmp_path):
    path = published.write_bfm2009(tmp_path) / "01_MorphableModel.mat"
    with pytest.raises(
        ValueError, match="is not an HDF5 file but a Matlab file, as BFM-2009 .format bfm2009. and 3DDFA"
    ):
        bfm2017.read(path)


def test_a_cut_file_is_refused(tmp_path):
    path = published.write_bfm2017(tmp_path / "model.h5")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="model.h5 is cut short or damaged"):
        bfm2017.read(path)


def test_another_hdf5_file_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "model.h5", "w") as file:
        file["weights"] = np.zeros(3)
    with pytest.raises(ValueError, match="has no field shape/model/mean, .* .it holds weights."):
        bfm2017.read(tmp_path / "model.h5")


def test_without_h5py_the_package_is_named(tmp_path, monkeypatch):
    path = published.write_bfm2017(tmp_path / "model.h5")
    real = builtins.__import__

    def without(name, *rest):
        if name == "h5py":
            raise ImportError("no h5py")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="needs the package h5py: pip install h5py"):
        bfm2017.read(path)
