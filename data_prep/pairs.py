"""The one form in which verification protocols are kept: `pairs.tsv` beside the records they refer to.

    fold<TAB>same<TAB>name_a<TAB>name_b          this header, then one line per pair, UTF-8, in the protocol's order
    0<TAB>1<TAB>Abdullah_Gul/Abdullah_Gul_0013.jpg<TAB>Abdullah_Gul/Abdullah_Gul_0014.jpg

`fold` counts from 0. `same` is 1 for two images of one person, 0 for two people. A name is that of a sample, or ends in
"/" and then means all samples whose names begin with it (the frames of a video). Every pair of the protocol is listed,
also those of which an image was rejected: it is for the evaluation to say how many it could not use.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PAIRS_FILE = "pairs.tsv"
_HEADER = "fold\tsame\tname_a\tname_b"


@dataclass(frozen=True)
class Pair:
    """Two samples, or two sets of samples, to be told apart or not."""

    fold: int
    same: bool
    name_a: str
    name_b: str


def pairs_to_text(pairs: Iterable[Pair]) -> str:
    """The content of a `pairs.tsv`.

    Raises:
      ValueError: if a name holds a tab or a line break.
    """
    lines = [_HEADER]
    for pair in pairs:
        for name in (pair.name_a, pair.name_b):
            if any(sign in name for sign in "\t\r\n"):
                raise ValueError(f"{name!r} cannot be listed in {PAIRS_FILE}: rename it without tabs and line breaks")
        lines.append(f"{pair.fold}\t{int(pair.same)}\t{pair.name_a}\t{pair.name_b}")
    return "\n".join(lines) + "\n"


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a `pairs.tsv`, or of the records folder that holds one.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if it is not in this form; the message names the line.
    """
    path = path / PAIRS_FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: prepare the records from a data set with a verification protocol")
    lines = path.read_text(encoding="utf-8").split("\n")
    if lines[0] != _HEADER:
        raise ValueError(f"{path} begins with {lines[0]!r}, not with {_HEADER!r}: prepare the records again")
    pairs = []
    for number, line in enumerate(lines[1:], start=2):
        if not line and number == len(lines):
            break
        fields = line.split("\t")
        if len(fields) != 4 or not fields[0].isdecimal() or fields[1] not in ("0", "1"):
            raise ValueError(f"{path}, line {number}: {line!r} is not fold, 0 or 1, and two names")
        pairs.append(Pair(int(fields[0]), fields[1] == "1", fields[2], fields[3]))
    return pairs


def sample_names(pairs: Iterable[Pair]) -> list[str]:
    """Every name in the pairs once, sorted."""
    return sorted({name for pair in pairs for name in (pair.name_a, pair.name_b)})
