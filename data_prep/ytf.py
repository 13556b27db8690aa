"""YouTube Faces: frames of 3,425 videos of 1,595 people, and 5,000 pairs of videos in 10 folds.

    frame_images_DB/Richard_Gere/3/3.618.jpg          person / video / video.frame.jpg
    frame_images_DB/Richard_Gere.labeled_faces.txt    Richard_Gere\\3\\3.618.jpg,0,262,165,132,132,0.0,1
                                                      center x, center y, width, height of the face that is meant
    splits.txt, or the makers' splits_corrected.txt   a header, then
        split number, pair number, first video, second video, is same[, corrected]

A pair's label is the last number of its line. Names in `pairs.tsv` are videos ("Richard_Gere/3/"): all samples whose
names begin so. For evaluation, never for training.

The data: https://www.cs.tau.ac.il/~wolf/ytfaces/ (L. Wolf et al., CVPR 2011).
"""

import argparse
from pathlib import Path

import numpy as np

from data_prep.pairs import PAIRS_FILE, Pair, pairs_to_text, sample_names
from data_prep.raw_files import file_stamp, find_folder, read_bytes, read_text
from data_prep.source import Entry, RawImage, Rejected

PAGE = "https://www.cs.tau.ac.il/~wolf/ytfaces/"
LICENCE = "YouTube Faces: for research; see " + PAGE
PAIR_LISTS = ("splits.txt", "splits_corrected.txt")
_FRAMES = "frame_images_DB"


class YTF:
    """Frames of the videos named by the pairs."""

    def __init__(self, root: str | Path, *, pairs: str | Path | None = None, frame_step: int = 20):
        """Reads the pairs.

        Args:
          root: the folder that holds frame_images_DB.
          pairs: the list; by default splits.txt, else splits_corrected.txt, in `root`.
          frame_step: take every so many-th frame of a video, from its first; 1 takes all.

        Raises:
          FileNotFoundError: if the folder or the list is not there.
          ValueError: if the list is not in the published form, or `frame_step` is below 1.
        """
        if frame_step < 1:
            raise ValueError(f"frame_step must be 1 or more, got {frame_step}")
        self.root = find_folder(Path(root), [_FRAMES], "YouTube Faces", PAGE, nested=("YouTubeFaces",))
        folders = (self.root, Path(root))
        known = [folder / name for name in PAIR_LISTS for folder in folders if (folder / name).is_file()]
        path = Path(pairs) if pairs is not None else (known or [self.root / PAIR_LISTS[0]])[0]
        self.pairs = parse_splits(read_text(path, PAGE), str(path))
        self.frame_step = frame_step
        self.parameters = {"preparer": "ytf", "pairs": path.name, "frame_step": frame_step, "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every `frame_step`-th frame of the videos; `where` ends with the box of the face that is meant.

        A video without frames is one entry with its own name, to be rejected when it is read.
        """
        entries = []
        boxes: dict[str, dict[str, tuple[float, ...]]] = {}
        for video in sample_names(self.pairs):
            person = video.split("/")[0]
            if person not in boxes:
                boxes = {person: self._boxes(person)}  # videos are sorted: one person at a time
            files = sorted((self.root / _FRAMES / video).glob("*.jpg"), key=_frame_number)
            for file in files[:: self.frame_step]:
                name = video + file.name
                entries.append(Entry(name, person, file_stamp(file) + boxes[person].get(name, ())))
            if not files:
                entries.append(Entry(video.rstrip("/"), person))
        if not any(entry.name.endswith(".jpg") for entry in entries):
            raise FileNotFoundError(f"{self.root / _FRAMES} holds none of the pairs' videos: unpack it from {PAGE}")
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, entry: Entry) -> RawImage:
        """The frame, and the box of the face that is meant."""
        if not entry.name.endswith(".jpg"):
            raise Rejected(f"the video has no frames in {_FRAMES}")
        data = read_bytes(self.root / _FRAMES / entry.name, entry.name)
        box = entry.where[2:]
        return RawImage(data=data, near=np.array(box, np.float64) if box else None)

    def side_files(self) -> dict[str, str]:
        """The pairs of videos, as `pairs.tsv`."""
        return {PAIRS_FILE: pairs_to_text(self.pairs)}

    def _boxes(self, person: str) -> dict[str, tuple[float, ...]]:
        """Frame -> (left, top, right, bottom), of the frames that are listed."""
        path = self.root / _FRAMES / f"{person}.labeled_faces.txt"
        boxes = {}
        for number, line in enumerate(read_text(path, PAGE).splitlines() if path.is_file() else (), start=1):
            fields = line.split(",")
            try:
                u, v, width, height = (float(field) for field in fields[2:6])
            except ValueError:
                raise ValueError(f"{path}, line {number}: {line!r} is not a file, 0, x, y, width and height") from None
            box = (u - width / 2, v - height / 2, u + width / 2, v + height / 2)
            boxes[fields[0].replace("\\", "/")] = box
        return boxes


def parse_splits(text: str, where: str) -> list[Pair]:
    """The pairs of splits.txt or splits_corrected.txt.

    Args:
      text: its content.
      where: its path, for messages.

    Raises:
      ValueError: if a line is no pair; the message names it.
    """
    pairs = []
    for number, line in enumerate(text.splitlines()[1:], start=2):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split(",")]
        videos = [name.replace("\\", "/").strip("/") for name in fields[2:4]]
        ok = len(fields) in (5, 6) and fields[0].isdecimal() and int(fields[0]) >= 1 and fields[-1] in ("0", "1")
        if not ok or any(len(video.split("/")) != 2 or ".." in video for video in videos):
            raise ValueError(f"{where}, line {number}: {line!r} is not split, pair, two videos and 0 or 1")
        pairs.append(Pair(int(fields[0]) - 1, fields[-1] == "1", videos[0] + "/", videos[1] + "/"))
    if not pairs:
        raise ValueError(f"{where} lists no pairs: get it from {PAGE}")
    return pairs


def _frame_number(path: Path) -> tuple[int, str]:
    number = path.stem.rpartition(".")[2]
    return (int(number) if number.isdecimal() else -1, path.name)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument("--pairs", type=Path, help="the list of pairs (default: splits.txt or splits_corrected.txt)")
    parser.add_argument("--frame-step", type=int, default=20, help="take every so many-th frame (default 20)")


def from_arguments(args: argparse.Namespace) -> YTF:
    """The source that the command line asks for."""
    return YTF(args.raw, pairs=args.pairs, frame_step=args.frame_step)
