import cv2
import numpy as np
import pytest

from sirjax.cli.reconstructing import camera
from sirjax.cli.reconstructing.camera import watch
from tests.cli.reconstructing.videos import DARK, ONE, make_predictor


class Camera:
    """Shows one person, then nobody."""

    opens, greys = True, [ONE, ONE, DARK]

    def __init__(self, number):
        self.left = [np.full((128, 192, 3), grey, np.uint8) for grey in self.greys]

    def isOpened(self):
        return self.opens

    def read(self):
        return (True, self.left.pop(0)) if self.left else (False, None)

    def release(self):
        pass


@pytest.fixture
def predictor(monkeypatch):
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    return make_predictor(batch_size=1)


def test_the_face_is_drawn_until_the_camera_ends(predictor, capsys):
    shown = []
    assert watch(0, predictor, show=lambda image: shown.append(image) or True) == 3
    assert [image.std() > 3 for image in shown] == [True, True, False]
    assert "3 frames, " in capsys.readouterr().out


def test_the_window_can_be_closed(predictor):
    assert watch(0, predictor, show=lambda image: False) == 1
    assert watch(0, predictor, show=lambda image: True, max_frames=2) == 2


def test_a_camera_that_is_not_there_is_named(predictor, monkeypatch):
    monkeypatch.setattr(Camera, "opens", False)
    with pytest.raises(ValueError, match="camera 7 cannot be opened: try another number"):
        watch(7, predictor, show=lambda image: True)


def test_without_a_display_no_camera_is_opened(predictor, monkeypatch):
    monkeypatch.setattr(camera.sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RuntimeError, match="--camera shows a window, and there is no display"):
        watch(0, predictor)


def test_an_opencv_without_windows_is_explained(monkeypatch):
    def no_windows(*_):
        raise cv2.error("not implemented")

    monkeypatch.setattr(cv2, "imshow", no_windows)
    with pytest.raises(RuntimeError, match="cannot open windows .*: install opencv-python"):
        camera.show_in_window(np.zeros((4, 4, 3), np.uint8))


def test_the_key_q_ends(monkeypatch):
    monkeypatch.setattr(cv2, "imshow", lambda *_: None)
    monkeypatch.setattr(cv2, "waitKey", lambda _: ord("q"))
    assert not camera.show_in_window(np.zeros((4, 4, 3), np.uint8))
