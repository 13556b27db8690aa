"""Photos with 68 landmarks in a `.pts` file each, in any tree of folders: 300-W, HELEN, AFW, LFPW, IBUG.

    root/afw/1051618982_1.jpg, root/afw/1051618982_1.pts

A `.pts` file, as published by iBUG, counts pixels from 1 (MATLAB):

    version: 1
    n_points: 68
    {
    95.671 133.897
    ...
    }
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_prep.identity_folders import printable, read_photo_file, walk_photos
from data_prep.raw_files import read_bytes
from data_prep.source import Entry, RawImage, Rejected
from sirjax.constants import NUM_LANDMARKS
from sirjax.photo import SUFFIXES

FIRST_PIXEL = 1.0  # where `.pts` files begin to count
MAX_PTS_BYTES = 1 << 20


class LandmarkFiles:
    """A tree of photos that have a `.pts` file of the same name beside them."""

    def __init__(self, root: str | Path, *, licence: str = "", first_pixel: float = FIRST_PIXEL):
        """Names the tree.

        Args:
          root: the folder, searched with all its subfolders.
          licence: kept in the manifest.
          first_pixel: coordinate of the center of the top-left pixel in the `.pts` files.
        """
        self.root, self.first_pixel = Path(root), first_pixel
        self.parameters = {"preparer": "landmark_files", "licence": licence, "first_pixel": first_pixel}

    def entries(self) -> list[Entry]:
        """Every photo with or without its `.pts` (which is found out when it is read), sorted by name.

        Raises:
          FileNotFoundError: if the root is no folder.
          ValueError: if it holds no photos or no `.pts` files.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root} is not a folder: name the one that holds photos and .pts files")
        found = {path: stamp for path, *stamp in walk_photos(self.root, (*SUFFIXES, ".pts"))}
        marks = {path.rpartition(".")[0]: path for path in found if path.lower().endswith(".pts")}
        if not marks:
            raise ValueError(
                f"{self.root} holds no .pts files: 68 landmarks are expected beside each photo, as photo.jpg and "
                "photo.pts (300-W: https://ibug.doc.ic.ac.uk/resources/300-W/)"
            )
        entries = []
        for path, stamp in found.items():
            if path.lower().endswith(".pts"):
                continue
            mark = marks.get(path.rpartition(".")[0])
            entries.append(Entry(printable(path), None, (path, *stamp, mark, *(found[mark] if mark else ()))))
        if not entries:
            raise ValueError(f"{self.root} holds {len(marks)} .pts files but no photos: unpack both into one folder")
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, entry: Entry) -> RawImage:
        """The photo and its landmarks.

        Raises:
          Rejected: if there is no `.pts` file, or it does not hold 68 points.
        """
        mark = entry.where[3]
        if mark is None:
            raise Rejected("there is no .pts file beside it")
        landmarks = parse_pts(read_bytes(self.root / mark, printable(mark)))
        return RawImage(data=read_photo_file(self.root, entry), landmarks=landmarks - self.first_pixel)


def parse_pts(data: bytes) -> Float[np.ndarray, "68 2"]:
    """The points of a `.pts` file, as they are written there.

    Raises:
      Rejected: if it is not one, or of another number of points.
    """
    if len(data) > MAX_PTS_BYTES:
        raise Rejected(f"the .pts file has {len(data)} bytes: that is no list of points")
    text = data.decode("utf-8-sig", "replace")
    before, opening, rest = text.partition("{")
    body, closing, _ = rest.partition("}")
    if not opening or not closing:
        raise Rejected("the .pts file is cut off or damaged: it has no { ... } around its points")
    promised = next((line.split(":")[1].strip() for line in before.splitlines() if line.startswith("n_points:")), None)
    try:
        values = np.array(body.split(), np.float64)
    except ValueError:
        raise Rejected("the .pts file holds something other than numbers between { and }") from None
    if len(values) != 2 * NUM_LANDMARKS or promised not in (None, str(NUM_LANDMARKS)):
        raise Rejected(f"the .pts file has {len(values) / 2:g} points (n_points: {promised}), expected {NUM_LANDMARKS}")
    return values.reshape(NUM_LANDMARKS, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of this source."""
    parser.add_argument("--licence", default="", help="terms of the photos, kept in the manifest")
    parser.add_argument(
        "--first-pixel",
        type=float,
        default=FIRST_PIXEL,
        help="coordinate of the center of the top-left pixel in the .pts files (default 1, as iBUG publishes them)",
    )


def from_arguments(args: argparse.Namespace) -> LandmarkFiles:
    """The source that the command line names."""
    return LandmarkFiles(args.raw, licence=args.licence, first_pixel=args.first_pixel)
