"""Where results go and what became of each photo: folder names that never clash, and the status table."""

import csv
import io
import json
import re
from pathlib import Path

from sirjax.files import write_text

COLUMNS: tuple[str, ...] = (
    "photo",
    "status",
    "face",
    "folder",
    "left",
    "top",
    "right",
    "bottom",
    "score",
    "width",
    "height",
    "message",
)
Row = dict[str, object]


class StatusTable:
    """OUT/status.jsonl and OUT/status.csv: a row for each photo and face, of this run and of earlier ones.

    Rows are appended to the .jsonl file as they come, so that an interrupted run leaves its results; `close` writes
    both files anew, with one set of rows for each photo. A context manager.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        path = folder / "status.jsonl"
        self._rows = _read_rows(path)
        self._owners = {
            str(row["folder"]).casefold(): photo for photo, rows in self._rows.items() for row in rows if row["folder"]
        }
        self._journal = path.open("a", encoding="utf-8")

    def __enter__(self) -> "StatusTable":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def add(self, photo: Path, rows: list[Row]) -> None:
        """Records what became of a photo; replaces what an earlier run said about it."""
        complete = [{name: {"photo": key(photo), **row}.get(name, "") for name in COLUMNS} for row in rows]
        self._rows[key(photo)] = complete
        for row in complete:
            self._journal.write(json.dumps(row, ensure_ascii=False) + "\n")
        self._journal.flush()

    def folder_for(self, photo: Path) -> Path:
        """The photo's own folder: named after it, with a number where another photo has that name already."""
        stem = re.sub(r"[^\w.-]+", "_", photo.stem).strip("._") or "photo"
        name, count = stem, 1
        while not self._is_free(name, key(photo)):
            count += 1
            name = f"{stem}-{count}"
        self._owners[name.casefold()] = key(photo)
        return self._folder / name

    def _is_free(self, name: str, photo: str) -> bool:
        owner = self._owners.get(name.casefold())
        return owner == photo or (owner is None and not (self._folder / name).exists())

    def close(self) -> None:
        """Writes both tables."""
        self._journal.close()
        rows = [row for rows in self._rows.values() for row in rows]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        write_text(self._folder / "status.jsonl", "".join(lines))
        table = io.StringIO()
        writer = csv.DictWriter(table, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
        write_text(self._folder / "status.csv", table.getvalue())


def key(photo: Path) -> str:
    """How a photo is called in the table: its absolute path."""
    return str(photo.absolute())


def _read_rows(path: Path) -> dict[str, list[Row]]:
    """The rows of earlier runs by photo; of a photo that was recorded twice (by interrupted runs) the last ones.

    Raises:
      ValueError: if the file is not a status table.
    """
    rows: dict[str, list[Row]] = {}
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            row = {name: row[name] for name in COLUMNS}
        except (ValueError, KeyError, TypeError):
            raise ValueError(
                f"{path}, line {number} is not a row of a status table: name another --out, or move the file away"
            ) from None
        if row["face"] in ("", 0):  # the first row of a photo
            rows.pop(str(row["photo"]), None)
        rows.setdefault(str(row["photo"]), []).append(row)
    return rows
