"""What an experiment found: tables of figures with intervals, claims with their verdicts, pictures; and its files."""

import dataclasses
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.evaluation.bootstrap import Interval
from sirjax.files import write_bytes, write_text
from sirjax.report import provenance

RESULTS = "results.json"
REPORT = "report.html"
SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
_JPEG_QUALITY = 88


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval, if it has one."""

    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""  # "%": value, low and high are fractions
    digits: int = 2

    @classmethod
    def of(cls, interval: Interval, unit: str = "", digits: int = 2, value: float | None = None) -> "Estimate":
        """From an interval; `value` where the figure is not the interval's mean."""
        return cls(interval.mean if value is None else value, interval.low, interval.high, unit, digits)

    def text(self) -> str:
        """For people: `81.0 % [77.7, 83.9]`."""
        factor = 100 if self.unit == "%" else 1
        shown = f"{factor * self.value:.{self.digits}f}" + (f" {self.unit}" if self.unit else "")
        if self.low is None or self.high is None:
            return shown
        return f"{shown} [{factor * self.low:.{self.digits}f}, {factor * self.high:.{self.digits}f}]"


Cell = Estimate | float | int | str | None


def share(interval: Interval, value: float | None = None) -> Estimate:
    """A share in percent, one digit."""
    return Estimate.of(interval, "%", 1, value)


@dataclasses.dataclass(frozen=True)
class ResultTable:
    """A titled table; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str = ""

    def texts(self) -> list[list[str]]:
        """The cells as people read them."""
        return [[cell_text(cell) for cell in row] for row in self.rows]

    def lines(self) -> list[str]:
        """Column names and rows for a terminal, in columns as wide as their widest cell."""
        rows = [list(self.columns), *self.texts()]
        widths = [max(len(row[c]) for row in rows) for c in range(len(self.columns))]
        return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


@dataclasses.dataclass(frozen=True)
class Claim:
    """Something that the paper says, and what was found here."""

    text: str
    verdict: str  # supported, contradicted or undecided
    evidence: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an experiment's `run` returns."""

    protocol: str  # what was done, in a line: figures of different protocols must not be compared
    tables: Sequence[ResultTable]
    claims: Sequence[Claim] = ()
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)
    sections: Sequence[Any] = ()  # further parts of the page: Plot, Meshes, Pictures of sirjax.report
    pictures: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # stem -> uint8 [H, W, 3]


def cell_text(cell: Cell) -> str:
    """A cell as people read it."""
    if cell is None:
        return ""
    if isinstance(cell, Estimate):
        return cell.text()
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)


def verdict(interval: Interval) -> str:
    """Whether a difference that a claim says is positive is: its whole interval lies on one side of 0."""
    return SUPPORTED if interval.low > 0 else CONTRADICTED if interval.high < 0 else UNDECIDED


def save_outcome(outcome: Outcome, folder: Path, facts: dict[str, Any]) -> None:
    """Writes results.json and the pictures; `facts` are those that hold for any experiment."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, image in outcome.pictures.items():
        write_bytes(folder / f"{stem}.jpg", encode_jpeg(image))
    document = {
        **facts,
        "protocol": outcome.protocol,
        "settings": outcome.settings,
        "tables": [
            {
                "title": table.title,
                "columns": list(table.columns),
                "rows": [[_plain(cell) for cell in row] for row in table.rows],
                "caption": table.caption,
            }
            for table in outcome.tables
        ],
        "claims": [dataclasses.asdict(claim) for claim in outcome.claims],
        "pictures": [f"{stem}.jpg" for stem in outcome.pictures],
    }
    write_text(folder / RESULTS, json.dumps(document, indent=1, allow_nan=False) + "\n")


def public_facts() -> dict[str, object]:
    """What ran, when and on what. The command line is left out: it may name folders that concern nobody else."""
    facts = provenance()
    return {name: facts[name] for name in ("sirjax", "jax", "commit", "time", "platform") if name in facts}


def load_tables(document: dict[str, Any]) -> list[ResultTable]:
    """The tables of a results file."""
    return [
        ResultTable(
            table["title"], table["columns"], [[_cell(c) for c in row] for row in table["rows"]], table["caption"]
        )
        for table in document["tables"]
    ]


def encode_jpeg(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """The RGB picture as a JPEG file."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not done:
        raise ValueError(f"a picture {image.shape} cannot be written as JPEG: check its size")
    return io.BytesIO(data).getvalue()


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Estimate):
        rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in dataclasses.asdict(cell).items()}
        return {k: v for k, v in rounded.items() if v is not None}
    return cell


def _cell(plain: Any) -> Cell:
    return Estimate(**plain) if isinstance(plain, dict) else plain
