"""YouTube Faces folders and lists of pairs, written here in the published layout."""

import argparse
import pickle

import numpy as np
import pytest

from data_prep import ytf
from data_prep.pairs import Pair
from data_prep.source import Rejected
from data_prep.ytf import YTF, parse_splits

SPLITS = """split number, pair number, first name, second name, is same
1, 1, Ada/0, Ada/2, 1
1, 2, Ada/0, Bob/1, 0
2, 1, Bob/1, Cy/5, 0
"""


@pytest.fixture
def root(tmp_path):
    frames = tmp_path / "frame_images_DB"
    videos = {"Ada/0": range(998, 1003), "Ada/2": range(3), "Bob/1": range(1), "Ada/7": range(9)}
    for video, numbers in videos.items():
        (frames / video).mkdir(parents=True)
        for number in numbers:
            (frames / video / f"{video.split('/')[1]}.{number}.jpg").write_bytes(f"{video} {number}".encode())
    (frames / "Ada.labeled_faces.txt").write_text(
        "Ada\\0\\0.998.jpg,0,262,165,132,130,0.0,1\nAda\\0\\0.1000.jpg,0,100,100,50,50,0.0,1\n"
    )
    (tmp_path / "splits.txt").write_text(SPLITS)
    return tmp_path


def test_pairs_are_of_videos():
    assert parse_splits(SPLITS, "splits.txt") == [
        Pair(0, True, "Ada/0/", "Ada/2/"),
        Pair(0, False, "Ada/0/", "Bob/1/"),
        Pair(1, False, "Bob/1/", "Cy/5/"),
    ]


def test_the_corrected_list_counts_by_its_last_column():
    text = "split number, pair number, first, second, is same, corrected\n1, 1, Ada/0, Ada/2, 1, 0\n"
    assert parse_splits(text, "splits_corrected.txt") == [Pair(0, False, "Ada/0/", "Ada/2/")]


def test_every_so_many_th_frame_of_the_pairs_videos_is_taken_in_the_videos_order(root):
    source = YTF(root, frame_step=2)
    # 998, 999, 1000, 1001, 1002: by number, not by letter; the video in no pair is left out; one video is missing
    assert [entry.name for entry in source.entries()] == [
        "Ada/0/0.1000.jpg",
        "Ada/0/0.1002.jpg",
        "Ada/0/0.998.jpg",
        "Ada/2/2.0.jpg",
        "Ada/2/2.2.jpg",
        "Bob/1/1.0.jpg",
        "Cy/5",
    ]
    assert [entry.identity for entry in source.entries()][-2:] == ["Bob", "Cy"]


def test_the_labelled_face_is_the_one_that_is_meant(root):
    source = pickle.loads(pickle.dumps(YTF(root)))
    entries = {entry.name: entry for entry in source.entries()}
    raw = source.read(entries["Ada/0/0.998.jpg"])
    assert raw.data == b"Ada/0 998"
    np.testing.assert_array_equal(raw.near, [262 - 66, 165 - 65, 262 + 66, 165 + 65])
    assert source.read(entries["Bob/1/1.0.jpg"]).near is None


def test_a_video_without_frames_is_rejected_by_its_name(root):
    source = YTF(root)
    with pytest.raises(Rejected, match="^the video has no frames in frame_images_DB$"):
        source.read(source.entries()[-1])
    assert source.side_files()["pairs.tsv"].splitlines()[3] == "1\t0\tBob/1/\tCy/5/"


def test_the_command_line_reaches_the_source(root):
    (root / "other.txt").write_text(SPLITS)
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    ytf.add_arguments(parser)
    source = ytf.from_arguments(parser.parse_args([str(root), "--frame-step", "3", "--pairs", str(root / "other.txt")]))
    assert (source.frame_step, source.parameters["pairs"]) == (3, "other.txt")


def test_wrong_folders_and_lists_are_refused(root, tmp_path_factory):
    with pytest.raises(
        FileNotFoundError, match="is not YouTube Faces: it holds no frame_images_DB. .* https://www.cs.tau"
    ):
        YTF(root / "frame_images_DB")
    with pytest.raises(ValueError, match="frame_step must be 1 or more, got 0"):
        YTF(root, frame_step=0)
    (root / "frame_images_DB/Ada.labeled_faces.txt").write_text("Ada\\0\\0.998.jpg,0,left\n")
    with pytest.raises(ValueError, match="Ada.labeled_faces.txt, line 1: .* is not a file, 0, x, y, width and height"):
        YTF(root).entries()
    (root / "splits.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"splits.txt is missing: get it from https://www.cs.tau.ac.il"):
        YTF(root)
    empty = tmp_path_factory.mktemp("empty")
    (empty / "frame_images_DB").mkdir()
    (empty / "splits_corrected.txt").write_text(SPLITS)
    with pytest.raises(FileNotFoundError, match="holds none of the pairs' videos: unpack it from"):
        YTF(empty).entries()


@pytest.mark.parametrize(
    "line",
    ["1, 1, Ada/0, Ada/2", "0, 1, Ada/0, Ada/2, 1", "1, 1, Ada, Ada/2, 1", "1, 1, Ada/0, Ada/.., 1", "1,1,a/0,b/0,2"],
)
def test_lines_that_are_no_pair_are_refused(line):
    with pytest.raises(ValueError, match="splits.txt, line 2: .* is not split, pair, two videos and 0 or 1"):
        parse_splits(f"header\n{line}\n", "splits.txt")


def test_an_empty_list_is_refused():
    with pytest.raises(ValueError, match="splits.txt lists no pairs"):
        parse_splits("header\n", "splits.txt")
