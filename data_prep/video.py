"""Single frames of videos, the same ones on every machine.

Motion JPEG as cameras write it (.mjpg, .mjpeg) is one JPEG after the other: frames are cut out as they are, by their
byte range, without decoding anything. Other videos are decoded from their beginning, frame by frame, since seeking is
only as exact as the file's index.
"""

import mmap
from pathlib import Path

import cv2
import numpy as np

from data_prep.raw_files import read_range
from data_prep.source import Rejected

VIDEO_SUFFIXES = (".mjpg", ".mjpeg", ".mpg", ".mpeg", ".avi", ".mp4", ".mov", ".m4v")
_START, _END = b"\xff\xd8\xff", b"\xff\xd9"


def frame_places(path: Path) -> list[tuple[int, ...]]:
    """Where the frames of a video are: (byte offset, length) each in Motion JPEG, else (frame number,).

    Decodes the whole video if it is not Motion JPEG. A video that cannot be decoded has no frames.
    """
    if path.suffix.lower() in (".mjpg", ".mjpeg"):
        places = _jpeg_ranges(path)
        if places:
            return places
    capture = cv2.VideoCapture(str(path))
    try:
        number = 0
        while capture.grab():
            number += 1
    finally:
        capture.release()
    return [(index,) for index in range(number)]


class VideoFrames:
    """Reads frames by their place. Keeps the last video open, so that asking for frames in order decodes each once."""

    def __init__(self):
        self._close()

    def read(self, path: Path, place: tuple[int, ...]) -> bytes | np.ndarray:
        """The JPEG as stored, or u8 [H, W, 3] RGB.

        Args:
          path: the video.
          place: one of `frame_places`.

        Raises:
          Rejected: if the file is missing, or holds no such frame.
        """
        if len(place) == 2:
            return read_range(path, place[0], place[1], "frame")
        frame = self._decoded(path, place[0])
        if frame is None:
            self._close()
            raise Rejected(f"frame {place[0]} of {path.name} cannot be decoded")
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)

    def _decoded(self, path: Path, number: int) -> np.ndarray | None:
        if self._path != path or number < self._next:
            self._close()
            self._path, self._capture = path, cv2.VideoCapture(str(path))
        while self._next <= number:
            if self._capture is None or not self._capture.grab():
                return None
            self._next += 1
        return self._capture.retrieve()[1] if self._capture is not None else None

    def _close(self) -> None:
        self._path: Path | None = None
        self._capture: cv2.VideoCapture | None = None
        self._next = 0  # number of the frame that `grab` would take

    def __getstate__(self) -> dict:
        return {}  # an open video cannot go to another process

    def __setstate__(self, state: dict) -> None:
        self._close()


def _jpeg_ranges(path: Path) -> list[tuple[int, ...]]:
    """(offset, length) of every JPEG in a file. An image cut off at the end of the file is left out."""
    if not path.stat().st_size:
        return []
    ranges = []
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_START)
        while start >= 0:
            pixels = _coded_pixels(data, start)
            # In the coded pixels 0xFF is always followed by 0 or a restart marker: the next end marker is the image's.
            end = data.find(_END, pixels) if pixels else -1
            if end >= 0:
                ranges.append((start, end + len(_END) - start))
            start = data.find(_START, end if end >= 0 else start + len(_START))
    return ranges


def _coded_pixels(data: mmap.mmap, start: int) -> int:
    """Where the pixels of the JPEG at `start` begin; 0 if its segments do not lead there."""
    position = start + 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        position += 2 + length
        if marker == 0xDA:
            return position
    return 0
