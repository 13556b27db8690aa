"""Files where NoW's toolkit looks for them: the way its `compute_error.py` takes a line of the list apart."""

from pathlib import PurePosixPath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.export.now import LANDMARKS, check_places, place_of, write_now

WORDS = st.text("abcXYZ_019", min_size=1, max_size=8)


@settings(max_examples=30)
@given(parts=st.lists(WORDS, min_size=3, max_size=5), suffix=st.sampled_from([".jpg", ".png", ".JPG"]))
def test_places_are_those_the_toolkit_opens(parts, suffix):
    line = "/".join(parts) + suffix
    # The toolkit: lines[i].split('/')[-3], [-2], [-1] and filename[:-4].
    subject, challenge, name = line.split("/")[-3:]
    assert place_of(line) == PurePosixPath(subject, challenge, name[:-4])


def test_names_that_the_toolkit_cuts_wrongly_are_refused():
    with pytest.raises(ValueError, match="toolkit cuts four characters off the name, so its suffix must have three"):
        place_of("FaMoS/selfie/IMG.jpeg")
    with pytest.raises(ValueError, match=r"'selfie/IMG.jpg' is not SUBJECT/CHALLENGE/PHOTO"):
        place_of("selfie/IMG.jpg")


def test_unknown_challenges_and_double_names_are_problems():
    good = PurePosixPath("a/selfie/1")
    assert check_places([good]) == []
    found = check_places([good, good, PurePosixPath("a/smile/2")])
    assert "'smile' is none of the challenges multiview_neutral, " in found[0].what
    assert str(found[1]) == "1 photos share a name up to the suffix: keep one of each"


def test_mesh_and_landmarks_lie_beside_each_other(tmp_path, rng):
    vertices, triangles = rng.normal(size=(4, 3)), np.array([[0, 1, 2], [1, 2, 3]])
    landmarks = rng.normal(size=(68, 3))
    write_now(tmp_path, PurePosixPath("FaMoS/selfie/IMG_1"), vertices, triangles, landmarks)
    folder = tmp_path / "FaMoS" / "selfie"
    assert sorted(path.name for path in folder.iterdir()) == ["IMG_1.npy", "IMG_1.obj"]
    points = np.load(folder / "IMG_1.npy", allow_pickle=False)
    assert points.shape == (7, 3)
    # What the toolkit's mask does with them: bridge between 1 and 2, outer eye corners 0 and 3, nose bottom 4.
    np.testing.assert_array_equal((points[1] + points[2]) / 2, (landmarks[39] + landmarks[42]) / 2)
    np.testing.assert_array_equal(points[[0, 3, 4]], landmarks[[36, 45, 33]])
    assert LANDMARKS[5:] == (48, 54)
