"""Labeled Faces in the Wild: photos in a folder per person, and lists of pairs that are of one person or of two.

    lfw/Abdullah_Gul/Abdullah_Gul_0013.jpg
    pairs.txt                                View 2: "10 <tab> 300", then 10 x (300 same + 300 different)
    pairsDevTrain.txt, pairsDevTest.txt      View 1, for choosing models: "1100" or "500", then as many same, different
        Abdullah_Gul <tab> 13 <tab> 14                          one person, two photos
        Abdel_Madi_Shabneh <tab> 1 <tab> Dean_Barker <tab> 1    two people

Only the photos that the pairs name become samples; the pairs themselves are kept in `pairs.tsv` beside them. For
evaluation, never for training.

The data: http://vis-www.cs.umass.edu/lfw/ (G. Huang et al., UMass TR 07-49).
"""

import argparse
from pathlib import Path

from data_prep.pairs import PAIRS_FILE, Pair, pairs_to_text, sample_names
from data_prep.raw_files import file_stamp, find_folder, read_bytes, read_text
from data_prep.source import Entry, RawImage

PAGE = "http://vis-www.cs.umass.edu/lfw/"
LICENCE = "LFW: for research; see " + PAGE
PAIR_LISTS = ("pairs.txt", "pairsDevTest.txt", "pairsDevTrain.txt")
_IMAGE_FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled", "lfw-deepfunneled/lfw-deepfunneled")


class LFW:
    """The photos named by one list of pairs."""

    def __init__(self, root: str | Path, *, pairs: str | Path | None = None):
        """Reads the list of pairs and finds the photos.

        Args:
          root: the folder of people, or the one above it.
          pairs: the list; by default the only one of the three published lists that lies in `root`.

        Raises:
          FileNotFoundError: if the list or the photos are not there.
          ValueError: if there are several lists to choose from, or the list is not whole.
        """
        root = Path(root)
        path = Path(pairs) if pairs is not None else _only_list(root)
        self.pairs = parse_pairs(read_text(path, PAGE), str(path))
        first = self.pairs[0].name_a.split("/")[0]
        self.root = find_folder(root, [first], f"LFW (with the people of {path.name})", PAGE, nested=_IMAGE_FOLDERS)
        self.parameters = {"preparer": "lfw", "pairs": path.name, "licence": LICENCE}

    def entries(self) -> list[Entry]:
        """Every photo named by the pairs; one that is missing is rejected when it is read."""
        names = sample_names(self.pairs)
        return [Entry(name, name.split("/")[0], file_stamp(self.root / name)) for name in names]

    def read(self, entry: Entry) -> RawImage:
        """The photo; LFW gives no points."""
        return RawImage(data=read_bytes(self.root / entry.name, entry.name))

    def side_files(self) -> dict[str, str]:
        """The pairs, as `pairs.tsv`."""
        return {PAIRS_FILE: pairs_to_text(self.pairs)}


def parse_pairs(text: str, where: str) -> list[Pair]:
    """The pairs of one of LFW's lists.

    Args:
      text: its content.
      where: its path, for messages.

    Raises:
      ValueError: if a line is no pair, or there are more or fewer pairs than the first line says.
    """
    first, *rest = text.rstrip().splitlines() or [""]
    if not all(word.isdecimal() for word in first.split()) or len(first.split()) not in (1, 2):
        raise ValueError(f"{where} begins with {first!r}, not with the number of pairs: get LFW's list from {PAGE}")
    *folds, count = (int(word) for word in first.split())
    num_folds = folds[0] if folds else 1
    if len(rest) != 2 * num_folds * count or not rest:
        raise ValueError(
            f"{where} has {len(rest)} pairs, its first line says {num_folds} x 2 x {count}: get it again from {PAGE}"
        )
    return [
        _pair(line, index // (2 * count), index % (2 * count) < count, f"{where}, line {index + 2}")
        for index, line in enumerate(rest)
    ]


def _pair(line: str, fold: int, same: bool, where: str) -> Pair:
    fields = line.split("\t") if "\t" in line else line.split()
    if "/" in line or "\\" in line:
        raise ValueError(f"{where}: {line!r} names a path, not a person")
    if same and len(fields) == 3 and all(field.isdecimal() for field in fields[1:]):
        return Pair(fold, True, _file(fields[0], fields[1]), _file(fields[0], fields[2]))
    if not same and len(fields) == 4 and fields[1].isdecimal() and fields[3].isdecimal():
        return Pair(fold, False, _file(fields[0], fields[1]), _file(fields[2], fields[3]))
    wanted = "a name and two numbers" if same else "two names, each with a number"
    raise ValueError(f"{where}: {line!r} is not {wanted}")


def _file(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}.jpg"


def _only_list(root: Path) -> Path:
    found = [root / name for name in PAIR_LISTS if (root / name).is_file()]
    if not found:
        raise FileNotFoundError(
            f"{root} holds none of {', '.join(PAIR_LISTS)}: get one from {PAGE}, or name it (--pairs)"
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ValueError(f"{root} holds {names}: say which one to prepare (--pairs)")
    return found[0]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument("--pairs", type=Path, help="the list of pairs (default: the only one in the folder)")


def from_arguments(args: argparse.Namespace) -> LFW:
    """The source that the command line asks for."""
    return LFW(args.raw, pairs=args.pairs)
