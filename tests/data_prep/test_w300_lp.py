"""300W-LP trees, written here in the published layout."""

import argparse
import pickle

import cv2
import numpy as np
import pytest
import scipy.io

from data_prep import w300_lp
from data_prep.source import Rejected
from data_prep.w300_lp import W300LP


def write_photo(root, name, rng, *, yaw=0.0, points=None):
    """One photo with its Matlab file; returns the points written, Matlab's coordinates [2, 68]."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".jpg", rng.integers(0, 255, (45, 45, 3), np.uint8))[1].tobytes())
    points = rng.uniform(100, 300, (2, 68)) if points is None else points
    scipy.io.savemat(
        path.with_suffix(".mat"),
        {
            "pt2d": points,
            "roi": np.array([[1, 1, 450, 450]], np.int16),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "Pose_Para": np.array([[0.1, yaw, 0.2, 180, 190, -80, 1e-3]], np.float32),
        },
    )
    return points


def write_landmarks(root, name, rng):
    path = (root / "landmarks" / name).with_suffix("")
    path = path.with_name(path.name + "_pts.mat")
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = {"pts_2d": rng.uniform(100, 300, (68, 2)), "pts_3d": rng.uniform(100, 300, (68, 2))}
    scipy.io.savemat(path, fields)
    return fields


def test_the_photos_of_the_tree_are_listed_without_mirrored_ones_and_code(tmp_path, rng):
    for name in ("HELEN/HELEN_1_0.jpg", "AFW/AFW_1_1_0.jpg", "AFW_Flip/AFW_1_1_0.jpg", "Code/example.jpg"):
        write_photo(tmp_path / "300W_LP", name, rng)
    assert [entry.name for entry in W300LP(tmp_path).entries()] == ["AFW/AFW_1_1_0.jpg", "HELEN/HELEN_1_0.jpg"]
    assert [entry.name for entry in W300LP(tmp_path, mirrored=True).entries()] == [
        "AFW/AFW_1_1_0.jpg",
        "AFW_Flip/AFW_1_1_0.jpg",
        "HELEN/HELEN_1_0.jpg",
    ]


def test_the_points_of_the_landmark_folder_are_preferred(tmp_path, rng):
    own = write_photo(tmp_path, "AFW/AFW_1_1_3.jpg", rng)
    fields = write_landmarks(tmp_path, "AFW/AFW_1_1_3.jpg", rng)
    expected = {"auto": fields["pts_2d"], "pts_2d": fields["pts_2d"], "pts_3d": fields["pts_3d"], "pt2d": own.T}
    for choice, points in expected.items():
        source = W300LP(tmp_path, landmarks=choice)
        np.testing.assert_array_equal(source.read(source.entries()[0]).landmarks, points - 1)
    assert W300LP(tmp_path).parameters["landmarks"] == "pts_2d"


def test_a_copy_reads_in_another_process_what_the_first_one_reads(tmp_path, rng):
    points = write_photo(tmp_path, "IBUG_1_0.jpg", rng)  # a flat folder
    source = pickle.loads(pickle.dumps(W300LP(tmp_path)))
    (entry,) = source.entries()
    raw = source.read(entry)
    assert raw.data == (tmp_path / "IBUG_1_0.jpg").read_bytes()
    np.testing.assert_array_equal(raw.landmarks, points.T - 1)
    assert str(tmp_path) not in str(source.parameters)


def test_turned_photos_with_the_points_of_the_original_are_rejected(tmp_path, rng):
    points = write_photo(tmp_path, "AFW/AFW_1_1_0.jpg", rng, yaw=0.1)
    write_photo(tmp_path, "AFW/AFW_1_1_7.jpg", rng, yaw=0.9, points=points)
    write_photo(tmp_path, "AFW/AFW_1_1_8.jpg", rng, yaw=1.0)  # its own points
    source = W300LP(tmp_path)
    original, stale, good = source.entries()
    with pytest.raises(
        Rejected, match=r"^pt2d of AFW/AFW_1_1_7.mat is that of AFW/AFW_1_1_0.mat, of another yaw: .* landmarks folder$"
    ):
        source.read(stale)
    assert source.read(original).landmarks is not None
    assert source.read(good).landmarks is not None


def test_a_photo_without_labels_or_with_wrong_ones_is_rejected(tmp_path, rng):
    for name in ("AFW/a_0.jpg", "AFW/b_0.jpg", "AFW/c_0.jpg"):
        write_photo(tmp_path, name, rng)
    (tmp_path / "AFW/a_0.mat").unlink()
    scipy.io.savemat(tmp_path / "AFW/b_0.mat", {"pt2d": np.zeros((2, 21)), "Pose_Para": np.zeros((1, 7))})
    scipy.io.savemat(tmp_path / "AFW/c_0.mat", {"pts_2d": np.zeros((68, 2))})
    source = W300LP(tmp_path)
    reasons = []
    for entry in source.entries():
        with pytest.raises(Rejected) as error:
            source.read(entry)
        reasons.append(str(error.value))
    assert reasons == [
        "AFW/a_0.mat is missing",
        "pt2d of AFW/b_0.mat is [2, 21], not 68 points",
        "AFW/c_0.mat has no field pt2d, Pose_Para (it has pts_2d): is it from another data set?",
    ]


def test_a_wrong_folder_names_the_page(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not 300W-LP: it holds no AFW or .* from http://www.cbsr.ia.ac.cn"):
        W300LP(tmp_path)
    (tmp_path / "AFW").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no .jpg: unpack 300W-LP from"):
        W300LP(tmp_path).entries()


def test_choices_the_data_cannot_serve_are_refused(tmp_path, rng):
    write_photo(tmp_path, "AFW/AFW_1_1_0.jpg", rng)
    with pytest.raises(ValueError, match="has no landmarks folder, so no pts_2d: take pt2d"):
        W300LP(tmp_path, landmarks="pts_2d")
    with pytest.raises(ValueError, match="landmarks must be auto, pts_2d, pts_3d, pt2d, got 'pt3d'"):
        W300LP(tmp_path, landmarks="pt3d")
    write_landmarks(tmp_path, "AFW/AFW_1_1_0.jpg", rng)
    with pytest.raises(ValueError, match="does not cover the mirrored photos"):
        W300LP(tmp_path, landmarks="pts_3d", mirrored=True)


def test_the_command_line_reaches_the_source(tmp_path, rng):
    write_photo(tmp_path, "AFW/AFW_1_1_0.jpg", rng)
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    w300_lp.add_arguments(parser)
    source = w300_lp.from_arguments(parser.parse_args([str(tmp_path), "--landmarks", "pt2d", "--mirrored"]))
    assert (source.landmarks, source.mirrored) == ("pt2d", True)
