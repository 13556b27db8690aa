"""Face recognition packs as insightface publishes them: MXNet RecordIO files of aligned faces.

    faces_webface_112x112/train.rec    the records
    faces_webface_112x112/train.idx    "number <tab> byte offset" of each
    faces_webface_112x112/property     "10572,112,112": people, height, width (train.lst is not needed)

Record 0 holds [end of the images, end of the people]: images are records 1 to a - 1, records a to b - 1 give for each
person the range [first, last + 1) of its images. Packs without such a header hold images only, each with its label.

Faces of 112 x 112 were aligned to the template of the crops here, 8 pixels further right: they are cut, not warped.

Packs: https://github.com/deepinsight/insightface/tree/master/recognition/_datasets_ (terms of each set apply).
"""

import argparse
from pathlib import Path

import numpy as np
from jaxtyping import Float

from data_prep.raw_files import read_text
from data_prep.recordio import RecordFile, RecordHeader, read_index
from data_prep.source import Entry, RawImage, Rejected
from sirjax.data.alignment import TEMPLATE

PAGE = "https://github.com/deepinsight/insightface/tree/master/recognition/_datasets_"
LICENCE = "non-commercial research, by the terms of the set the pack was made from; see " + PAGE
# Height and width of the faces -> where our template's corner is in them.
_TEMPLATE_CORNER = {(112, 112): (8.0, 0.0), (112, 96): (0.0, 0.0)}
_EXACT = 2**24  # float32 counts no further: in larger packs the header's numbers are rounded, so every label is read


class InsightFacePack:
    """The images of one pack, with its labels as identities."""

    def __init__(self, root: str | Path, *, stem: str = "train"):
        """Looks for the files.

        Args:
          root: the pack's folder, or its .rec file.
          stem: name of the .rec file without its ending.

        Raises:
          FileNotFoundError: if .rec or .idx are missing.
          ValueError: if `property` is not three numbers.
        """
        root = Path(root)
        self.root, self.stem = (root.parent, root.stem) if root.suffix == ".rec" else (root, stem)
        for suffix in (".rec", ".idx"):
            path = self.root / f"{self.stem}{suffix}"
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path} is missing: a pack holds {self.stem}.rec and .idx; get one from {PAGE}"
                )
        self.size = _size(self.root / "property")
        self.parameters = {"preparer": "insightface_rec", "size": list(self.size or ()), "licence": LICENCE}

    @property
    def _records(self) -> RecordFile:
        return RecordFile(self.root / f"{self.stem}.rec")

    def entries(self) -> list[Entry]:
        """Every image; `where` is its byte offset and its label."""
        offsets = read_index(self.root / f"{self.stem}.idx")
        entries = []
        for label, number in self._images(offsets):
            entries.append(Entry(f"{label:07d}/{number:09d}.jpg", f"{label:07d}", (offsets[number], label)))
        if not entries:
            raise ValueError(f"{self._records.path} holds no images: get the pack again from {PAGE}")
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, entry: Entry) -> RawImage:
        """The face and, for the usual sizes, its five points."""
        offset, label = entry.where
        header, data = self._records.read(offset)
        if header.labels[0] != label:
            raise Rejected(f"the record is labelled {list(header.labels)}, the pack's list of people says {label}")
        if not data:
            raise Rejected("the record holds no image")
        return RawImage(data=data, five_points=_five_points(self.size))

    def _images(self, offsets: dict[int, int]) -> list[tuple[int, int]]:
        """(label, record number) of every image."""
        first = self._records.read_header(offsets[0]) if 0 in offsets else None
        if first is None or first.flag == 0 or max(first.labels) > _EXACT:
            headers = {number: self._records.read_header(offset) for number, offset in offsets.items()}
            return [(_label(header, self.stem), number) for number, header in headers.items() if header.image_bytes]
        if len(first.labels) < 2:
            raise ValueError(f"record 0 of {self.stem}.rec is {list(first.labels)}, not the ends of images and people")
        images = []
        for person in range(int(first.labels[0]), int(first.labels[1])):
            numbers = self._range(person, offsets)
            if numbers:
                label = _label(self._records.read_header(offsets[numbers[0]]), self.stem)
                images += [(label, number) for number in numbers]
        return images

    def _range(self, person: int, offsets: dict[int, int]) -> range:
        header = self._records.read_header(offsets[person]) if person in offsets else None
        if header is None or len(header.labels) < 2:
            raise ValueError(f"record {person} of {self.stem}.rec is no person's range of images: get the pack again")
        numbers = range(int(header.labels[0]), int(header.labels[1]))
        if numbers and not {numbers[0], numbers[-1]} <= offsets.keys():
            listed = f"images {numbers.start} to {numbers.stop - 1} of record {person}"
            raise ValueError(f"{self.stem}.idx does not list {listed}: get the pack again from {PAGE}")
        return numbers


def _label(header: RecordHeader, stem: str) -> int:
    label = header.labels[0]
    if label != int(label):
        raise ValueError(f"record {header.number} of {stem}.rec has the label {label}, not a person's number")
    return int(label)


def _five_points(size: tuple[int, int] | None) -> Float[np.ndarray, "5 2"] | None:
    """The template's points in a face of this size; None where it must be detected."""
    corner = _TEMPLATE_CORNER.get(size) if size else None
    return None if corner is None else TEMPLATE + np.array(corner)


def _size(path: Path) -> tuple[int, int] | None:
    """Height and width that `property` gives; None without the file."""
    if not path.is_file():
        return None
    words = read_text(path, PAGE).strip().split(",")
    if len(words) != 3 or not all(word.strip().isdecimal() for word in words):
        raise ValueError(f"{path} is {','.join(words)!r}, not people, height and width like 10572,112,112")
    return int(words[1]), int(words[2])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument("--stem", default="train", help="name of the .rec file without its ending (default train)")


def from_arguments(args: argparse.Namespace) -> InsightFacePack:
    """The source that the command line asks for."""
    return InsightFacePack(args.raw, stem=args.stem)
