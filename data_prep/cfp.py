"""Celebrities in Frontal-Profile: 500 people, 10 frontal and 4 profile photos each, and pairs in 10 folds.

    Data/Images/001/frontal/01.jpg, Data/Images/001/profile/01.jpg
    Data/Fiducial/001/profile/01.txt            30 hand-marked points, "x,y" a line (or Data/Fiducials)
    Protocol/Pair_list_F.txt, Pair_list_P.txt   "1 ../Data/Images/001/frontal/01.jpg": the numbers that pairs use
    Protocol/Split/FP/01/same.txt, diff.txt     "5,3": number in list F, number in list P (FF: both in list F)

The hand-marked points say which face of a photo is meant where they are there; they are not the five points that
alignment uses. The pairs are kept in `pairs.tsv` beside the records. For evaluation, never for training.

The data: http://www.cfpw.io (S. Sengupta et al., WACV 2016).
"""

import argparse
import io
import posixpath
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_prep.pairs import PAIRS_FILE, Pair, pairs_to_text, sample_names
from data_prep.raw_files import file_stamp, find_folder, read_bytes, read_text
from data_prep.source import Entry, RawImage

PAGE = "http://www.cfpw.io"
LICENCE = "CFP: for research; see " + PAGE
PROTOCOLS = {"FF": ("Pair_list_F.txt", "Pair_list_F.txt"), "FP": ("Pair_list_F.txt", "Pair_list_P.txt")}
_IMAGES = "../Data/Images/"
_FIDUCIAL_FOLDERS = ("Data/Fiducial", "Data/Fiducials")


class CFP:
    """The photos named by one protocol."""

    def __init__(self, root: str | Path, *, protocol: str = "FP"):
        """Reads the protocol.

        Args:
          root: the folder that holds Data and Protocol, or the one above it.
          protocol: "FP" for frontal against profile, "FF" for frontal against frontal.

        Raises:
          FileNotFoundError: if the folder or a list is not there.
          ValueError: for an unknown protocol or a list that is not in the published form.
        """
        if protocol not in PROTOCOLS:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
        self.root = find_folder(Path(root), ["Data/Images"], "CFP", PAGE, nested=("cfp-dataset",))
        self.pairs = _read_protocol(self.root / "Protocol", protocol)
        self.parameters = {"preparer": "cfp", "protocol": protocol, "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every photo named by the pairs."""
        images = self.root / "Data/Images"
        return [Entry(name, name.split("/")[0], file_stamp(images / name)) for name in sample_names(self.pairs)]

    def read(self, entry: Entry) -> RawImage:
        """The photo, and the box of its hand-marked points as a hint to the face that is meant."""
        data = read_bytes(self.root / "Data/Images" / entry.name, entry.name)
        return RawImage(data=data, near=self._box(entry))

    def side_files(self) -> dict[str, str]:
        """The pairs, as `pairs.tsv`."""
        return {PAIRS_FILE: pairs_to_text(self.pairs)}

    def _box(self, entry: Entry) -> Float[np.ndarray, "4"] | None:
        for folder in _FIDUCIAL_FOLDERS:
            path = (self.root / folder / entry.name).with_suffix(".txt")
            if path.is_file():
                try:
                    points = np.loadtxt(io.BytesIO(path.read_bytes()), delimiter=",", ndmin=2)
                except ValueError:
                    return None  # a hint only: the photo is good without it
                if points.size and points.shape[1] == 2 and np.isfinite(points).all():
                    return np.concatenate([points.min(axis=0), points.max(axis=0)])
        return None


def _read_protocol(folder: Path, protocol: str) -> list[Pair]:
    lists = [_read_list(folder / name) for name in PROTOCOLS[protocol]]
    splits = sorted(path for path in (folder / "Split" / protocol).glob("*") if path.is_dir())
    if not splits:
        raise FileNotFoundError(f"{folder / 'Split' / protocol} holds no folds: unpack the Protocol folder of {PAGE}")
    pairs = []
    for fold, split in enumerate(splits):
        for same, path in ((True, split / "same.txt"), (False, split / "diff.txt")):
            for number, line in enumerate(read_text(path, PAGE).split(), start=1):
                indices = line.split(",")
                if len(indices) != 2 or any(index not in names for index, names in zip(indices, lists, strict=False)):
                    raise ValueError(f"{path}, line {number}: {line!r} is not two numbers of the pair lists")
                pairs.append(Pair(fold, same, lists[0][indices[0]], lists[1][indices[1]]))
    return pairs


def _read_list(path: Path) -> dict[str, str]:
    """Number -> name of the photo below Data/Images."""
    names = {}
    for number, line in enumerate(read_text(path, PAGE).splitlines(), start=1):
        if not line.strip():
            continue
        index, _, file = line.strip().partition(" ")
        name = posixpath.normpath(file.strip().replace("\\", "/"))
        if not index.isdecimal() or not name.startswith(_IMAGES) or ".." in name.removeprefix(_IMAGES):
            raise ValueError(f"{path}, line {number}: {line!r} is not a number and a file below {_IMAGES}")
        names[index] = name.removeprefix(_IMAGES)
    return names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument("--protocol", choices=tuple(PROTOCOLS), default="FP", help="which pairs (default FP)")


def from_arguments(args: argparse.Namespace) -> CFP:
    """The source that the command line asks for."""
    return CFP(args.raw, protocol=args.protocol)
