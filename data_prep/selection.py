"""Which entries of a data set become records, and which are held out for evaluation.

A rule is one of
  last:40       the last 40 identities by name (the last 40 photos where there are no identities)
  every:10      the 1st, 11th, 21st, ... photo; whole identities where there are any
  a file        identities or photos' names, one a line; a line that begins with # is a comment
"""

from collections.abc import Sequence
from pathlib import Path

from data_prep.source import Entry


def hold_out(entries: Sequence[Entry], rule: str) -> tuple[list[Entry], list[Entry]]:
    """Splits entries into (kept, held out). People are never split: their photos are all on one side.

    Raises:
      ValueError: if the rule is none, or leaves one side empty, or lists what the data set does not have.
      FileNotFoundError: if the file is missing.
    """
    groups = list(dict.fromkeys(_group(entry) for entry in entries))
    kind, _, number = rule.partition(":")
    if kind in ("last", "every") and number.isdecimal() and int(number) > 0:
        chosen = set(groups[-int(number) :] if kind == "last" else groups[:: int(number)])
        held = [_group(entry) in chosen for entry in entries]
    else:
        held = _listed(entries, rule)
    if all(held) or not any(held):
        raise ValueError(f"the rule {rule!r} holds out {sum(held)} of {len(held)} photos: there is nothing to split")
    sides = [[entry for entry, out in zip(entries, held, strict=True) if out is side] for side in (False, True)]
    return sides[0], sides[1]


def read_list(path: str | Path) -> frozenset[str]:
    """The lines of a list file, without comments and empty lines.

    Raises:
      FileNotFoundError: if it is missing.
      ValueError: if it is empty or not text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file: give a list of identities or photos, one a line")
    try:
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error})") from None
    names = frozenset(line for line in lines if line and not line.startswith("#"))
    if not names:
        raise ValueError(f"{path} lists nothing: give identities or photos, one a line")
    return names


def _group(entry: Entry) -> str:
    return entry.name if entry.identity is None else entry.identity


def _listed(entries: Sequence[Entry], rule: str) -> list[bool]:
    if not Path(rule).is_file():
        raise ValueError(f"the rule {rule!r} is neither last:N nor every:N (N at least 1) nor a file")
    names = read_list(rule)
    unknown = names - {entry.name for entry in entries} - {entry.identity for entry in entries}
    if unknown:
        raise ValueError(
            f"{rule} lists {len(unknown)} names that the data set does not have, such as {min(unknown)!r}: "
            "a line is an identity or a photo's path below the root"
        )
    return [entry.name in names or entry.identity in names for entry in entries]
