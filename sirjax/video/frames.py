"""Frames of a video one by one, and a video written frame by frame: memory does not grow with their length."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".mjpg", ".mjpeg", ".wmv")
USUAL_RATE = 25.0  # frames a second where the file does not tell


class VideoError(ValueError):
    """A video that cannot be used; `status` is one word for tables: missing or unreadable."""

    def __init__(self, message: str, status: str = "unreadable"):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Frame:
    """One image of a video."""

    number: int  # in the file, from 0
    seconds: float  # from the beginning
    image: np.ndarray  # u8 [H, W, 3] RGB, upright as the file says


class VideoFile:
    """A video to be read once from its beginning.

    Raises:
      VideoError: if there is no such file, or OpenCV cannot open it.
    """

    def __init__(self, path: Path):
        if not path.is_file():
            raise VideoError(f"{path}: no such file", "missing")
        self.path, self._capture = path, cv2.VideoCapture(str(path))
        if not self._capture.isOpened():
            raise VideoError(f"{path}: not a video that OpenCV reads: convert it to MP4 (H.264)")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = float(rate) if np.isfinite(rate) and 0 < rate <= 1000 else USUAL_RATE  # frames a second
        self.num_frames = max(0, int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)))  # as promised; 0 if unknown

    def frames(self, *, every: int = 1, max_frames: int | None = None) -> Iterator[Frame]:
        """Every `every`-th frame, at most `max_frames` of them. Frames left out are not converted.

        Raises:
          ValueError: if `every` or `max_frames` is below 1.
          VideoError: if not a single frame can be decoded.
        """
        if every < 1 or (max_frames is not None and max_frames < 1):
            raise ValueError(f"every and max_frames must be at least 1, got {every} and {max_frames}")
        number = taken = 0
        try:
            while (max_frames is None or taken < max_frames) and self._capture.grab():
                if number % every == 0:
                    read, image = self._capture.retrieve()
                    if not read:
                        break
                    yield Frame(number, number / self.rate, cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
                    taken += 1
                number += 1
        finally:
            self._capture.release()
        if not taken:
            raise VideoError(f"{self.path}: no frame can be decoded: convert it to MP4 (H.264)")


class VideoWriter:
    """Writes an .mp4 file (MPEG-4) frame by frame; it has its name only once it is complete. A context manager.

    Args:
      path: ending in .mp4.
      rate: frames a second.
    """

    def __init__(self, path: Path, rate: float):
        self._path, self._rate = path, rate
        self._unfinished = path.with_name(f".{path.stem}.tmp{path.suffix}")
        self._writer: cv2.VideoWriter | None = None

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        if self._writer is None:
            return
        self._writer.release()
        if kind is None:
            self._unfinished.replace(self._path)
        else:
            self._unfinished.unlink(missing_ok=True)

    def add(self, image: UInt8[np.ndarray, "H W 3"]) -> None:
        """Appends a frame, as large as the first one. An odd last row or column is lost: the format wants even sizes.

        Raises:
          OSError: if the file cannot be opened, or this OpenCV cannot write MPEG-4.
        """
        if self._writer is None:
            size = image.shape[1], image.shape[0]
            self._writer = cv2.VideoWriter(str(self._unfinished), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
            if not self._writer.isOpened():
                raise OSError(f"{self._path} cannot be written as MPEG-4 video: leave the pictures out")
        self._writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
