"""Frames of videos: those of Motion JPEG byte for byte, those of others as decoded from the beginning."""

import pickle

import cv2
import numpy as np
import pytest

from data_prep.source import Rejected
from data_prep.video import VideoFrames, frame_places


def jpegs(rng, count=4):
    frames = [cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (64, 48)) for _ in range(count)]
    return [
        cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 5 + 30 * i])[1].tobytes()
        for i, frame in enumerate(frames)
    ]


def write_avi(path, levels):
    """A video whose frames are grey levels that survive its codec."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()


@pytest.mark.parametrize("between", [b"", b"\r\n--boundary\r\nContent-Type: image/jpeg\r\nContent-Length: 9\r\n\r\n"])
def test_motion_jpeg_is_cut_where_its_images_end(tmp_path, rng, between):
    frames = jpegs(rng)
    # A comment that holds the end marker, as a camera's time stamp may.
    frames[1] = frames[1][:2] + b"\xff\xfe\x00\x08at\xff\xd9\xff\xd8" + frames[1][2:]
    (tmp_path / "a.mjpg").write_bytes(between + between.join(frames) + frames[0][:200])  # the last one is cut off
    places = frame_places(tmp_path / "a.mjpg")
    reader = VideoFrames()
    assert [reader.read(tmp_path / "a.mjpg", place) for place in places] == frames


def test_other_videos_are_read_in_any_order(tmp_path):
    levels = [10, 60, 110, 160, 210]
    write_avi(tmp_path / "a.avi", levels)
    places = frame_places(tmp_path / "a.avi")
    assert places == [(0,), (1,), (2,), (3,), (4,)]
    reader = VideoFrames()
    for index in (0, 3, 4, 1, 1):
        frame = reader.read(tmp_path / "a.avi", (index,))
        assert frame.shape == (48, 64, 3)
        assert abs(int(np.median(frame)) - levels[index]) <= 2
    assert abs(int(np.median(pickle.loads(pickle.dumps(reader)).read(tmp_path / "a.avi", (2,)))) - 110) <= 2


def test_colors_are_red_green_blue(tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / "a.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # OpenCV's order: red
    writer.release()
    red, green, blue = VideoFrames().read(tmp_path / "a.avi", (0,))[24, 32].tolist()
    assert red > 200
    assert max(green, blue) < 50


def test_frames_that_are_not_there_are_rejected(tmp_path, rng):
    write_avi(tmp_path / "a.avi", [10, 60])
    reader = VideoFrames()
    with pytest.raises(Rejected, match="^frame 2 of a.avi cannot be decoded$"):
        reader.read(tmp_path / "a.avi", (2,))
    assert reader.read(tmp_path / "a.avi", (1,)).shape == (48, 64, 3)
    (tmp_path / "a.mjpg").write_bytes(jpegs(rng)[0])
    (place,) = frame_places(tmp_path / "a.mjpg")
    with pytest.raises(Rejected, match="^a.mjpg ends inside the frame at byte 1$"):
        reader.read(tmp_path / "a.mjpg", (place[0] + 1, place[1]))
    with pytest.raises(Rejected, match="^b.mjpg cannot be read"):
        reader.read(tmp_path / "b.mjpg", place)


def test_empty_and_damaged_files_have_no_frames(tmp_path, rng):
    for name in ("a.mjpg", "a.mpg"):
        (tmp_path / name).write_bytes(b"")
        assert frame_places(tmp_path / name) == []
        (tmp_path / name).write_bytes(rng.bytes(1000))
        assert frame_places(tmp_path / name) == []
