"""Matlab files: the right arrays in 0-based pixels, and a reason for everything else."""

import numpy as np
import pytest
import scipy.io

from data_prep import matlab
from data_prep.source import Rejected


def test_landmarks_lose_matlabs_one(tmp_path, rng):
    points = rng.uniform(1, 450, (2, 68))
    scipy.io.savemat(tmp_path / "a.mat", {"pt2d": points, "roi": np.zeros(4)})
    fields = matlab.read_fields(tmp_path / "a.mat", ["pt2d"])
    assert list(fields) == ["pt2d"]
    np.testing.assert_array_equal(matlab.landmarks_from_matlab(fields["pt2d"], "pt2d", "a.mat"), points.T - 1)


@pytest.mark.parametrize("shape", [(2, 68), (3, 68), (68, 2), (68, 3)])
def test_points_may_lie_in_rows_or_columns_and_have_a_depth(shape, rng):
    array = rng.uniform(size=shape).astype(np.float32)
    wide = array if shape[0] == 68 else array.T
    got = matlab.landmarks_from_matlab(array, "pts", "a.mat")
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, wide[:, :2].astype(np.float64) - 1)


def test_the_center_of_the_top_left_pixel_is_zero():
    assert not matlab.landmarks_from_matlab(np.ones((2, 68)), "pt2d", "a.mat").any()


def test_a_missing_field_is_named_beside_those_that_are_there(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"roi": np.zeros(4), "Pose_Para": np.zeros(7)})
    with pytest.raises(
        Rejected, match=r"^a.mat has no field pt2d \(it has Pose_Para, roi\): is it from another data set\?$"
    ):
        matlab.read_fields(tmp_path / "a.mat", ["pt2d", "Pose_Para"])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 21)), r"^pt2d of a.mat is \[2, 21\], not 68 points$"),
        (np.zeros((1, 2, 68)), r"^pt2d of a.mat is float64 \[1, 2, 68\], not a table of numbers$"),
        (np.array([["text"]]), r"not a table of numbers$"),
        (np.zeros((2, 68), complex), r"not a table of numbers$"),
        (np.zeros((0, 68)), r"^pt2d of a.mat is \[0, 68\], not 68 points$"),
    ],
)
def test_arrays_that_are_no_landmarks_are_rejected(array, message):
    with pytest.raises(Rejected, match=message):
        matlab.landmarks_from_matlab(array, "pt2d", "a.mat")


def test_damaged_files_are_rejected_wherever_they_end(tmp_path, rng):
    scipy.io.savemat(tmp_path / "whole.mat", {"pt2d": rng.uniform(size=(2, 68))})
    whole = (tmp_path / "whole.mat").read_bytes()
    for length in (0, 1, 100, 127, 128, 130, 200, len(whole) - 9):
        (tmp_path / "cut.mat").write_bytes(whole[:length])
        with pytest.raises(Rejected, match="^cut.mat "):
            matlab.read_fields(tmp_path / "cut.mat", ["pt2d"])


def test_files_of_other_kinds_are_named(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(Rejected, match=r"^a.mat is a Matlab 7.3 file: save it again with `save -v7`$"):
        matlab.read_fields(tmp_path / "a.mat", ["pt2d"])
    (tmp_path / "b.mat").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(Rejected, match=r"^b.mat is a git-LFS pointer"):
        matlab.read_fields(tmp_path / "b.mat", ["pt2d"])


def test_an_enormous_file_is_not_parsed(tmp_path, monkeypatch):
    monkeypatch.setattr(matlab, "MAX_MEBIBYTES", 1)
    (tmp_path / "a.mat").write_bytes(bytes(2 * 2**20))
    with pytest.raises(Rejected, match=r"^a.mat has 2 MiB, the limit is 1$"):
        matlab.read_fields(tmp_path / "a.mat", ["pt2d"])
