"""AFLW2000-3D folders, written here in the published layout."""

import pickle

import numpy as np
import pytest
import scipy.io

from data_prep.aflw2000 import AFLW2000
from data_prep.source import Rejected


def write_photo(root, number, rng, **changes):
    fields = {
        "pt3d_68": rng.uniform(100, 300, (3, 68)).astype(np.float32),
        "pt2d": np.full((2, 21), -1.0),  # AFLW's own points, of which hidden ones are -1: not used
        "Pose_Para": np.array([[-0.1, 0.5, 0.2, 229, 209, -110, 1e-3]], np.float32),
    } | changes
    (root / f"image{number:05d}.jpg").write_bytes(b"\xff\xd8\xff")
    scipy.io.savemat(
        root / f"image{number:05d}.mat", {key: value for key, value in fields.items() if value is not None}
    )
    return fields


def test_the_68_points_are_those_of_the_3d_model_without_depth(tmp_path, rng):
    fields = write_photo(tmp_path, 2, rng)
    write_photo(tmp_path, 1, rng)
    source = pickle.loads(pickle.dumps(AFLW2000(tmp_path)))
    assert [entry.name for entry in source.entries()] == ["image00001.jpg", "image00002.jpg"]
    raw = source.read(source.entries()[1])
    np.testing.assert_array_equal(raw.landmarks, fields["pt3d_68"][:2].T.astype(np.float64) - 1)
    assert raw.data == b"\xff\xd8\xff"


def test_the_poses_are_listed_in_degrees_for_photos_that_can_be_read(tmp_path, rng):
    write_photo(tmp_path, 1, rng)
    write_photo(tmp_path, 2, rng, pt3d_68=None)
    # -0.1, 0.5 and 0.2 radians, as float32
    assert AFLW2000(tmp_path).side_files() == {
        "poses.tsv": "name\tpitch\tyaw\troll\nimage00001.jpg\t-5.7296\t28.6479\t11.4592\n"
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pt3d_68": None}, r"^image00001.mat has no field pt3d_68 \(it has Pose_Para, pt2d\): is it"),
        ({"pt3d_68": np.zeros((3, 21))}, r"^pt3d_68 of image00001.mat is \[3, 21\], not 68 points$"),
        ({"Pose_Para": np.zeros((1, 3))}, r"^Pose_Para of image00001.mat is float64 \[1, 3\], not 7 numbers$"),
        ({"Pose_Para": np.full((1, 7), np.nan)}, r"^Pose_Para of image00001.mat .* not 7 numbers$"),
    ],
)
def test_wrong_fields_are_rejected(tmp_path, rng, changes, message):
    write_photo(tmp_path, 1, rng, **changes)
    source = AFLW2000(tmp_path)
    with pytest.raises(Rejected, match=message):
        source.read(source.entries()[0])


def test_a_wrong_folder_names_the_page(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not AFLW2000-3D: it holds no \*.jpg. .* http://www.cbsr.ia.ac.cn"):
        AFLW2000(tmp_path)
