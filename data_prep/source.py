"""What a raw data set offers to the preparation: a sorted list of entries, and the image and labels of each.

    source.entries() -> [Entry]          once, cheap: file names, no pixels
    source.read(entry) -> RawImage       in the worker processes; raises Rejected for an image that cannot be used

Photo coordinates (u, v) are pixels, u to the right and v down; the center of the top-left pixel is (0, 0).
"""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np


class Rejected(ValueError):
    """This one image cannot be used; `str(error)` is the reason written to the manifest."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of a raw data set, before it is read. Small and picklable: millions of them fit in memory."""

    name: str  # unique, like a relative POSIX path; becomes Sample.name and is the sort key
    identity: str | None = None
    # What the source needs to find it again: relative path, byte offset, frame number, ... With the file's size and
    # modification time in it, an interrupted preparation notices a file that was changed meanwhile.
    where: tuple = ()


@dataclass(frozen=True)
class RawImage:
    """What a source knows of one image: its encoded file or its pixels, and the labels it came with."""

    data: bytes | None = None  # the encoded file as found (JPEG, PNG, ...); or
    pixels: np.ndarray | None = None  # u8 [H, W, 3] RGB where the source decoded it already (video frames)
    landmarks: np.ndarray | None = None  # f64 [68, 2] photo pixels as stored (before any EXIF turn), iBUG order
    five_points: np.ndarray | None = None  # f64 [5, 2] photo pixels: eye centers, nose tip, mouth corners
    near: np.ndarray | None = None  # f64 [2] point or [4] box (left, top, right, bottom) of the face that is meant


@runtime_checkable
class HasSideFiles(Protocol):
    """A source that comes with more than samples: pairs to compare, poses, a list of scans."""

    def side_files(self) -> dict[str, str]:
        """File name -> text to keep beside the samples; no machine paths."""
        ...


class Source(Protocol):
    """A raw data set in its published layout. Picklable: every worker process gets a copy."""

    parameters: dict[str, Any]  # JSON, without machine paths: the preparer's name, its options, the licence

    def entries(self) -> list[Entry]:
        """Every image, sorted by name, the same on every call.

        Raises:
          ValueError, FileNotFoundError: if the folder is not this data set; the message says what to do.
        """
        ...

    def read(self, entry: Entry) -> RawImage:
        """One image with its labels.

        Raises:
          Rejected: if this image cannot be used.
        """
        ...
