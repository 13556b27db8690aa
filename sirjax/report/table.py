"""Tables of figures."""

import dataclasses
import re
from collections.abc import Sequence

from sirjax.report.markup import NOT_AVAILABLE, is_number, shown, text

_STARTS_AS_NUMBER = re.compile(r"[-+±<>≤≥]?\s*[\d.]")


@dataclasses.dataclass(frozen=True)
class Table:
    """Rows of texts and numbers. Columns of numbers are right aligned; after the first column, texts that begin with a
    number count as numbers.

    Numbers show four significant digits; NaN and infinity show as "n/a", None as an empty cell. Give figures with
    intervals or units as text: "94.5 % [93.9, 95.1]".

    Raises:
      ValueError: if a row has not one cell for each column.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    caption: str = ""

    def __post_init__(self):
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"row {i} of table {self.title!r} has {len(row)} cells for {len(self.columns)} columns; "
                    "give one each, None for an empty one"
                )

    def html(self, name: str) -> str:
        """The table; `name` is unique on the page."""
        # Names of rows may begin with a number, too.
        right = [
            all((is_number if c == 0 else _is_numeric)(row[c]) for row in self.rows) for c in range(len(self.columns))
        ]
        classes = [' class="number"' if r else "" for r in right]
        head = "".join(f'<th scope="col"{c}>{text(t)}</th>' for t, c in zip(self.columns, classes, strict=True))
        body = "".join(f"<tr>{_cells(row, classes)}</tr>" for row in self.rows)
        caption = f'<p class="caption">{text(self.caption)}</p>' if self.caption else ""
        return (
            f'<div class="scroll" tabindex="0" role="region" aria-label="{text(self.title)}">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{caption}"
        )

    def _is_numeric(self, column: int) -> bool:
        # Names of rows may begin with a number, too: the first column's texts never count.
        return all((is_number if column == 0 else _is_numeric)(row[column]) for row in self.rows)

    def figures(self) -> dict[str, object]:
        """The table for programs."""
        return {"kind": "table", "title": self.title, "columns": self.columns, "rows": self.rows}


def _cells(row: Sequence[object], classes: Sequence[str]) -> str:
    cells = []
    for i, (value, c) in enumerate(zip(row, classes, strict=True)):
        names_row = i == 0 and isinstance(value, str)
        cells.append(f'<th scope="row"{c}>{shown(value)}</th>' if names_row else f"<td{c}>{shown(value)}</td>")
    return "".join(cells)


def _is_numeric(value: object) -> bool:
    if value is None or is_number(value):
        return True
    return isinstance(value, str) and (value in ("", NOT_AVAILABLE) or bool(_STARTS_AS_NUMBER.match(value)))
