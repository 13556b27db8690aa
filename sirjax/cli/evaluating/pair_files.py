"""Lists of pairs in any of the usual forms, told apart by their first line.

fold<TAB>same<TAB>name_a<TAB>name_b       pairs.tsv of prepared records (or the records folder itself)
10<TAB>300                                pairs.txt of LFW; 500: pairsDevTest.txt, one split
split number, pair number, first name, .. splits.txt of YouTube Faces
a/1.jpg<TAB>a/2.jpg<TAB>1[<TAB>fold]      anything else: name, name, 1 or 0 for one person or two, perhaps a fold from
                                          0; tabs, commas or spaces; a first line "name_a name_b same fold" may be there
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_prep.lfw import parse_pairs
from data_prep.pairs import PAIRS_FILE, Pair, read_pairs
from data_prep.ytf import parse_splits
from sirjax.evaluation.pair_lists import PairList
from sirjax.evaluation.verification import TRAIN_ONLY

_PREPARED = "fold\tsame\t"
_NO_FOLD = -1


def read_pair_list(path: Path) -> PairList:
    """The pairs of a file, or of the records folder that holds one; `fold` is None where there is only one.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if a line is no pair, or only some lines have a fold.
    """
    path = path / PAIRS_FILE if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give a list of pairs, or records of a set that comes with one")
    text = path.read_text(encoding="utf-8")
    first = (text.splitlines() or [""])[0]
    if first.startswith(_PREPARED):
        pairs = read_pairs(path)
    elif first.split() and all(word.isdecimal() for word in first.split()):
        pairs = parse_pairs(text, str(path))
    elif "split" in first.casefold() and "," in first:
        pairs = parse_splits(text, str(path))
    else:
        pairs = _plain_pairs(text, str(path))
    if not pairs:
        raise ValueError(f"{path} lists no pairs")
    return _as_list(pairs, str(path))


def with_training_pairs(judged: PairList, training: PairList) -> PairList:
    """The pairs to judge with one threshold, and those that choose it (LFW's View 1: development train and test)."""
    return PairList(
        judged.first + training.first,
        judged.second + training.second,
        np.concatenate([judged.same, training.same]),
        np.concatenate([np.zeros(len(judged.same), np.int64), np.full(len(training.same), TRAIN_ONLY)]),
    )


def _plain_pairs(text: str, where: str) -> list[Pair]:
    pairs = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = _fields(line)
        if not fields or (number == 1 and fields[:2] == ["name_a", "name_b"]):
            continue
        ok = len(fields) in (3, 4) and fields[2] in ("0", "1") and all(field.isdecimal() for field in fields[3:])
        if not ok:
            raise ValueError(f"{where}, line {number}: {line!r} is not two names, 1 or 0, and perhaps a fold from 0")
        pairs.append(Pair(int(fields[3]) if len(fields) == 4 else _NO_FOLD, fields[2] == "1", fields[0], fields[1]))
    return pairs


def _fields(line: str) -> list[str]:
    for sign in ("\t", ","):
        if sign in line:
            return [field.strip() for field in line.split(sign)]
    return line.split()


def _as_list(pairs: Sequence[Pair], where: str) -> PairList:
    fold = np.array([pair.fold for pair in pairs])
    if np.any(fold == _NO_FOLD) and np.any(fold != _NO_FOLD):
        raise ValueError(f"{where}: {np.sum(fold == _NO_FOLD)} of {len(fold)} pairs have no fold: give all or none one")
    return PairList(
        [pair.name_a for pair in pairs],
        [pair.name_b for pair in pairs],
        np.array([pair.same for pair in pairs]),
        None if len(np.unique(fold)) == 1 else fold,
    )
