"""Florence folders, written here in the published layout."""

import argparse
import hashlib
import pickle

import cv2
import numpy as np
import pytest

from data_prep import micc
from data_prep.micc import MICC
from data_prep.source import Rejected


def jpeg(level):
    return cv2.imencode(".jpg", np.full((16, 16, 3), level, np.uint8))[1].tobytes()


@pytest.fixture
def root(tmp_path):
    """subject_01: Motion JPEG; subject_02: extracted frames; subject_03: no outdoor video."""
    for number in (1, 2, 3):
        scan = tmp_path / f"subject_{number:02d}/Model/frontal1/obj/11092015045{number}.obj"
        scan.parent.mkdir(parents=True)
        scan.write_text(f"v 0 0 {number}\n")
    (tmp_path / "subject_01/Video").mkdir()
    (tmp_path / "subject_01/Video/PTZ-Outdoor.mjpg").write_bytes(b"".join(jpeg(10 * i) for i in range(20)))
    (tmp_path / "subject_02/PTZ-Outdoor").mkdir()
    for i in range(3):
        (tmp_path / f"subject_02/PTZ-Outdoor/frame{i:04d}.jpg").write_bytes(jpeg(10 * i))
    return tmp_path


def test_a_fixed_number_of_frames_of_each_video_is_drawn(root):
    entries = MICC(root, frames_per_video=5).entries()
    people = [entry.identity for entry in entries]
    assert people == ["subject_01"] * 5 + ["subject_02"] * 3 + ["subject_03"]
    assert len({entry.name for entry in entries}) == len(entries)


def test_the_seed_decides_which_frames_and_other_people_do_not(root):
    first = [entry.name for entry in MICC(root, frames_per_video=5).entries()][:5]
    assert [entry.name for entry in MICC(root, frames_per_video=5).entries()][:5] == first
    assert [entry.name for entry in MICC(root, frames_per_video=5, seed=1).entries()][:5] != first
    (root / "subject_00/PTZ-Outdoor").mkdir(parents=True)
    (root / "subject_00/PTZ-Outdoor/0.jpg").write_bytes(jpeg(0))
    assert [entry.name for entry in MICC(root, frames_per_video=5).entries()][1:6] == first


def test_frames_are_read_where_they_are(root):
    source = pickle.loads(pickle.dumps(MICC(root, frames_per_video=20)))
    for entry in source.entries()[:-1]:
        index = int(entry.name.split("/")[-1].removesuffix(".jpg"))
        assert source.read(entry).data == jpeg(10 * index)


def test_decoded_videos_give_pixels(root):
    writer = cv2.VideoWriter(str(root / "subject_03/PTZ-Outdoor.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for level in (50, 150):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    source = MICC(root)
    frames = [source.read(entry).pixels for entry in source.entries() if entry.identity == "subject_03"]
    assert [abs(int(np.median(frame)) - level) <= 2 for frame, level in zip(frames, (50, 150), strict=True)] == [
        True
    ] * 2


def test_a_person_without_the_video_is_rejected_by_name(root):
    source = MICC(root)
    with pytest.raises(Rejected, match="^subject_03/PTZ-Outdoor has no video and no frames$"):
        source.read(source.entries()[-1])


def test_scans_are_listed_with_their_hashes(root):
    digest = hashlib.sha256(b"v 0 0 1\n").hexdigest()
    lines = MICC(root).side_files()["scans.tsv"].splitlines()
    assert lines[:2] == [
        "identity\tkind\tfile\tsha256",
        f"subject_01\tfrontal1\tsubject_01/Model/frontal1/obj/110920150451.obj\t{digest}",
    ]
    assert len(lines) == 4


def test_the_command_line_reaches_the_source(root):
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    micc.add_arguments(parser)
    options = ["--settings", "PTZ-Indoor", "PTZ-Outdoor", "--frames-per-video", "2", "--frame-seed", "3"]
    source = micc.from_arguments(parser.parse_args([str(root), *options]))
    assert source.parameters | {"licence": ""} == {
        "preparer": "micc",
        "settings": ["PTZ-Indoor", "PTZ-Outdoor"],
        "frames_per_video": 2,
        "seed": 3,
        "licence": "",
    }


def test_wrong_folders_and_choices_are_refused(root):
    with pytest.raises(FileNotFoundError, match=r"is not the Florence data set: it holds no subject_\*. .*micc.unifi"):
        MICC(root / "subject_01")
    with pytest.raises(
        FileNotFoundError, match="holds no video of PTZ-Indoor: unpack it from https://www.micc.unifi.it"
    ):
        MICC(root, settings=("PTZ-Indoor",)).entries()
    with pytest.raises(ValueError, match="settings must be some of Indoor-Cooperative, .*, got Outdoor"):
        MICC(root, settings=("Outdoor",))
    with pytest.raises(ValueError, match="frames_per_video must be 1 or more, got 0"):
        MICC(root, frames_per_video=0)
