import numpy as np
import pytest

from data_prep.landmark_files import LandmarkFiles, parse_pts
from data_prep.source import Rejected
from tests.data_prep.photos import drawn_face, jpeg, landmark_tree, pts

POINTS = drawn_face(0)[1]


def test_photos_of_all_subfolders_come_with_their_points(tmp_path):
    source = LandmarkFiles(landmark_tree(tmp_path, 4))
    entries = source.entries()
    assert [entry.name for entry in entries] == [
        "afw/0001.jpg",
        "afw/0002.jpg",
        "helen/train/0000.jpg",
        "helen/train/0003.jpg",
    ]
    assert all(entry.identity is None for entry in entries)
    raw = source.read(entries[1])
    image, landmarks = drawn_face(2)
    assert raw.data == jpeg(image)
    np.testing.assert_allclose(raw.landmarks, landmarks, atol=1e-5)  # `.pts` count from 1, photo pixels from 0


def test_files_that_count_from_zero_are_taken_as_they_are(tmp_path):
    source = LandmarkFiles(landmark_tree(tmp_path, 1), first_pixel=0)
    np.testing.assert_allclose(source.read(source.entries()[0]).landmarks, POINTS + 1, atol=1e-5)


def test_a_photo_without_points_is_rejected(tmp_path):
    source = LandmarkFiles(landmark_tree(tmp_path, 2))
    (tmp_path / "afw" / "0001.pts").unlink()
    with pytest.raises(Rejected, match="there is no .pts file beside it"):
        source.read(source.entries()[0])


def test_changed_points_make_another_entry(tmp_path):
    source = LandmarkFiles(landmark_tree(tmp_path, 2))
    before = source.entries()
    (tmp_path / "afw" / "0001.pts").write_text(pts(POINTS * 2))
    after = source.entries()
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, True]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "cut off or damaged: it has no { ... } around its points"),
        (pts(POINTS)[:200], "cut off or damaged"),
        (pts(POINTS).replace("}", "7\n}"), r"the .pts file has 68.5 points .n_points: 68., expected 68"),
        (pts(POINTS[:5]), "the .pts file has 5 points .n_points: 5., expected 68"),
        (pts(POINTS).replace("n_points: 68", "n_points: 51"), "has 68 points .n_points: 51., expected 68"),
        (pts(POINTS).replace("{\n", "{\nabc "), "holds something other than numbers"),
        ("{" + "1 " * 600_000 + "}", "the .pts file has 1200002 bytes: that is no list of points"),
    ],
)
def test_files_that_hold_no_68_points_are_rejected(text, reason):
    with pytest.raises(Rejected, match=reason):
        parse_pts(text.encode())


def test_points_that_are_no_numbers_reach_the_check_for_finite_ones():
    text = pts(POINTS).replace(f"{POINTS[0, 0] + 1:.6f}", "nan")
    assert np.isnan(parse_pts(text.encode())[0, 0])


def test_windows_line_ends_and_a_byte_order_mark_are_read():
    data = b"\xef\xbb\xbf" + pts(POINTS).replace("\n", "\r\n").encode()
    np.testing.assert_allclose(parse_pts(data), POINTS + 1, atol=1e-5)


def test_folders_without_points_or_photos_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        LandmarkFiles(tmp_path / "nowhere").entries()
    with pytest.raises(ValueError, match="holds no .pts files: 68 landmarks are expected beside each photo"):
        LandmarkFiles(tmp_path).entries()
    (tmp_path / "a.pts").write_text(pts(POINTS))
    with pytest.raises(ValueError, match="holds 1 .pts files but no photos: unpack both into one folder"):
        LandmarkFiles(tmp_path).entries()
