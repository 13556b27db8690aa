"""The face in front of a camera, drawn over its picture in a window, as fast as this machine can."""

import os
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.predictor import Predictor
from sirjax.video.tracking import Lead, Tracker

TITLE = "sirjax: q ends"
MAX_GAP = 15  # frames


def watch(
    camera: int,
    predictor: Predictor,
    *,
    smooth: float = 1.0,
    backend: str = "auto",
    max_frames: int | None = None,
    show: Callable[[UInt8[np.ndarray, "H W 3"]], bool] | None = None,
) -> int:
    """Shows the largest face until the key q (or `show` returns False); returns how many frames were shown.

    Raises:
      RuntimeError: if there is no display, or OpenCV was built without windows.
      ValueError: if the camera cannot be opened.
    """
    if show is None:
        check_display()
        show = show_in_window
    capture = cv2.VideoCapture(camera)
    if not capture.isOpened():
        raise ValueError(f"camera {camera} cannot be opened: try another number, or close the program that uses it")
    tracker, lead, start, count = Tracker(max_gap=MAX_GAP, smooth=smooth), Lead(), time.perf_counter(), 0
    try:
        while max_frames is None or count < max_frames:
            read, image = capture.read()
            if not read:
                break
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
            faces = predictor.reconstruct(image)
            tracks, _ = tracker.update(faces, count)
            drawings = []
            for i in lead.choose(tracks, tracker.tracks):
                seconds = time.perf_counter() - start
                face = tracks[i].smoother(faces[i], seconds, predictor.face_model, tracks[i].shape.mean)
                drawings.append(render_in_photo(face, predictor.face_model, image.shape[:2], backend=backend))
            count += 1
            if not show(overlay(image, drawings)):
                break
    finally:
        capture.release()
    print(f"{count} frames, {count / max(time.perf_counter() - start, 1e-9):.1f} frames/s")
    return count


def check_display() -> None:
    """Refuses to open a window where there is none to see.

    Raises:
      RuntimeError: on Linux without X11 or Wayland.
    """
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise RuntimeError("--camera shows a window, and there is no display: record a video and give that")


def show_in_window(image: UInt8[np.ndarray, "H W 3"]) -> bool:
    """Shows an image; False once the key q was pressed.

    Raises:
      RuntimeError: if this OpenCV has no windows (opencv-python-headless).
    """
    try:
        cv2.imshow(TITLE, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        return cv2.waitKey(1) & 0xFF != ord("q")
    except cv2.error as error:
        raise RuntimeError(f"this OpenCV cannot open windows ({error}): install opencv-python") from None
