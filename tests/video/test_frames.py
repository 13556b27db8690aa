import cv2
import numpy as np
import pytest

from sirjax.video.frames import USUAL_RATE, VideoError, VideoFile, VideoWriter


def write(path, count, rate=10.0, size=(48, 64)):
    """A video whose frames get brighter by 10 each."""
    with VideoWriter(path, rate) as film:
        for i in range(count):
            film.add(np.full((*size, 3), 10 * i, np.uint8))
    return path


def test_what_is_written_is_read_again(tmp_path):
    video = VideoFile(write(tmp_path / "a.mp4", 8))
    assert (video.rate, video.num_frames) == (10.0, 8)
    frames = list(video.frames())
    assert [frame.number for frame in frames] == list(range(8))
    np.testing.assert_allclose([frame.seconds for frame in frames], np.arange(8) / 10)
    for i, frame in enumerate(frames):
        assert frame.image.shape == (48, 64, 3)
        np.testing.assert_allclose(frame.image.mean(), 10 * i, atol=4)  # the codec loses a little


def test_colors_keep_their_order(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as film:
        film.add(np.tile(np.array([200, 100, 30], np.uint8), (48, 64, 1)))
    (frame,) = VideoFile(tmp_path / "a.mp4").frames()
    np.testing.assert_allclose(frame.image.mean(axis=(0, 1)), [200, 100, 30], atol=6)


@pytest.mark.parametrize(
    ("every", "most", "numbers"), [(3, None, [0, 3, 6]), (1, 2, [0, 1]), (2, 3, [0, 2, 4]), (100, None, [0])]
)
def test_frames_can_be_left_out(tmp_path, every, most, numbers):
    video = VideoFile(write(tmp_path / "a.mp4", 8))
    assert [frame.number for frame in video.frames(every=every, max_frames=most)] == numbers


def test_an_odd_size_loses_its_last_row_and_column(tmp_path):
    (frame,) = VideoFile(write(tmp_path / "a.mp4", 1, size=(49, 65))).frames()
    assert frame.image.shape == (48, 64, 3)


def test_a_broken_off_video_leaves_the_earlier_one(tmp_path):
    write(tmp_path / "a.mp4", 2)
    before = (tmp_path / "a.mp4").read_bytes()
    film = VideoWriter(tmp_path / "a.mp4", 10)
    film.add(np.zeros((48, 64, 3), np.uint8))
    film.__exit__(KeyboardInterrupt)
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_video_without_frames_is_no_file(tmp_path):
    write(tmp_path / "a.mp4", 0)
    assert not list(tmp_path.iterdir())


def test_what_is_no_video_is_refused(tmp_path):
    with pytest.raises(VideoError, match=r"gone\.mp4: no such file") as error:
        VideoFile(tmp_path / "gone.mp4")
    assert error.value.status == "missing"
    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(VideoError, match=r"not a video that OpenCV reads: convert it to MP4") as error:
        VideoFile(tmp_path / "text.mp4")
    assert error.value.status == "unreadable"


def test_a_video_that_is_cut_off_still_gives_its_first_frames(tmp_path):
    path = tmp_path / "a.avi"  # its index is at the end: without it the frames are found one after the other
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(8):
        writer.write(np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8))
    writer.release()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert 1 <= len(list(VideoFile(path).frames())) < 8


@pytest.mark.parametrize("wrong", [{"every": 0}, {"max_frames": 0}])
def test_steps_below_one_are_refused(tmp_path, wrong):
    video = VideoFile(write(tmp_path / "a.mp4", 1))
    with pytest.raises(ValueError, match="every and max_frames must be at least 1"):
        next(video.frames(**wrong))


def test_a_single_picture_has_the_usual_rate(tmp_path, monkeypatch):
    path = write(tmp_path / "a.mp4", 1)
    real = cv2.VideoCapture

    class NoRate:
        def __init__(self, name):
            self.inner = real(name)

        def get(self, which):
            return 0.0 if which == cv2.CAP_PROP_FPS else self.inner.get(which)

        def __getattr__(self, name):
            return getattr(self.inner, name)

    monkeypatch.setattr(cv2, "VideoCapture", NoRate)
    assert VideoFile(path).rate == USUAL_RATE
