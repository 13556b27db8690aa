import re

import numpy as np
import pytest
import scipy.io

from data_prep.face_models.files import Format, describe, provenance, sha256

FORMAT = Format("toy", "the Toy Model", "toy.mat", "https://example.org/toy", "for play only")
REMEDY = (
    "the Toy Model needs toy.mat; get it from https://example.org/toy (licence: for play only), "
    "then run `sirjax face-model import toy PATH --out model.npz`"
)


def written(path, data):
    path.write_bytes(data)
    return path


def test_the_remedy_names_file_page_licence_and_command(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        FORMAT.find(tmp_path, "toy.mat", "other.mat")
    assert str(error.value) == f"{tmp_path / 'toy.mat'} is missing (nor is there other.mat). {REMEDY}"


def test_the_first_name_that_is_there_is_taken(tmp_path):
    written(tmp_path / "b.mat", b"x")
    assert FORMAT.find(tmp_path, "a.mat", "b.mat") == tmp_path / "b.mat"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid",
            "is a git-LFS pointer, not the file itself: run `git lfs pull`",
        ),
    ],
)
def test_empty_files_and_pointers_are_named(tmp_path, data, problem):
    with pytest.raises(ValueError, match=re.escape(problem)):
        FORMAT.check(written(tmp_path / "toy.mat", data))


def test_folders_and_absent_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="is a folder, not a file"):
        FORMAT.check(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        FORMAT.check(tmp_path / "absent")


def test_matlab_arrays_are_read_and_missing_ones_named(tmp_path):
    path = tmp_path / "toy.mat"
    scipy.io.savemat(path, {"mean": np.arange(3.0), "Pose_Para": np.zeros(7)})
    assert FORMAT.fields_of(path) == {"mean", "Pose_Para"}
    np.testing.assert_array_equal(FORMAT.read_mat(path, ["mean"])["mean"], [[0, 1, 2]])
    with pytest.raises(ValueError, match="no field basis: it looks like an annotation of 300W-LP or AFLW2000-3D"):
        FORMAT.read_mat(path, ["mean", "basis"])


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("lost", [1, 60, 2000])
def test_cut_matlab_files_are_named(tmp_path, compressed, lost):
    path = tmp_path / "toy.mat"
    scipy.io.savemat(
        path, {"a": np.random.default_rng(0).normal(size=300), "b": np.zeros(9)}, do_compression=compressed
    )
    data = path.read_bytes()
    with pytest.raises(ValueError, match="is cut short"):
        FORMAT.read_mat(written(path, data[:-lost]), ["a", "b"])


def test_damaged_matlab_files_are_named(tmp_path):
    path = tmp_path / "toy.mat"
    scipy.io.savemat(path, {"a": np.arange(300.0)}, do_compression=True)
    data = bytearray(path.read_bytes())
    data[150:170] = bytes(20)
    with pytest.raises(ValueError, match="is cut short or damaged"):
        FORMAT.read_mat(written(path, bytes(data)), ["a"])


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.h5", b"\x89HDF\r\n\x1a\n", "an HDF5 file, as BFM-2017 and BFM-2019 come (format bfm2017)"),
        ("a.mat", b"MATLAB 7.3 MAT-file", "an HDF5 file, as BFM-2017 and BFM-2019 come (format bfm2017)"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "a Matlab file, as BFM-2009 (format bfm2009) and 3DDFA (format 3ddfa) come"),
        (
            "a.npz",
            b"PK\x03\x04",
            "a .zip or .npz archive, as GNM (format gnm) and some FLAME files (format flame) come",
        ),
        ("a.xz", b"\xfd7zXZ\x00", "an .xz archive, as ICT-FaceKit comes (format ict)"),
        ("a.pkl", b"(dp0", "a pickle, as FLAME comes (format flame)"),
        ("a.zip", b"<!DOCTYPE html>", "a web page: the download asked for a login or a confirmation"),
        ("a", b"?", "a file of unknown kind (no suffix)"),
    ],
)
def test_files_are_told_apart(tmp_path, name, data, kind):
    assert describe(written(tmp_path / name, data)) == kind


def test_shapes_and_numbers_are_checked(tmp_path):
    path = tmp_path / "toy.mat"
    assert FORMAT.shaped(path, "x", np.zeros((2, 3), np.float32), (None, 3)).dtype == np.float64
    for array, message in [
        (np.zeros(3), r"has x of float64 \[3\], expected numbers \[any, 3\]"),
        (np.full((1, 3), np.inf), "has values in x that are not finite"),
        (np.array([["a", "b", "c"]]), "expected numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            FORMAT.shaped(path, "x", array, (None, 3))


def test_indices_are_made_to_start_at_0(tmp_path):
    path = tmp_path / "toy.mat"
    assert FORMAT.indices(path, "tri", np.array([1.0, 3.0]), 3).tolist() == [0, 2]
    for array, message in [
        (np.array([0, 1]), "has tri from 0 to 1, expected 1 to 3"),
        (np.array([1.5]), "has a tri that does not hold whole numbers"),
        (np.array([]), "has a tri that does not hold whole numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            FORMAT.indices(path, "tri", array, 3)


def test_provenance_names_files_by_their_content(tmp_path):
    path = written(tmp_path / "toy.mat", b"abc")
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert provenance(path) == f"toy.mat SHA-256 {sha256(path)}"
