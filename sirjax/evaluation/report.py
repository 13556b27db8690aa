"""A table of results for people, in Markdown, which is also readable as plain text."""

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure. A value alone says little: give what to compare it with and how sure it is."""

    metric: str
    value: float
    unit: str = ""  # "%" for fractions, which are then shown times 100
    baseline: float | None = None  # the same figure of a trivial method
    baseline_name: str = ""
    low: float | None = None  # interval of the value
    high: float | None = None


def format_table(rows: Sequence[Row]) -> str:
    """Markdown table with the columns metric, value, interval, baseline, aligned for a fixed-width font."""
    table = [("metric", "value", "interval", "baseline")]
    table += [(row.metric, _figure(row.value, row.unit), _interval(row), _baseline(row)) for row in rows]
    widths = [max(len(line[c]) for line in table) for c in range(4)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in table
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _figure(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.2f} %"
    return f"{value:.3f} {unit}".strip()


def _interval(row: Row) -> str:
    if row.low is None or row.high is None:
        return ""
    scale, digits = (100, 2) if row.unit == "%" else (1, 3)
    return f"{scale * row.low:.{digits}f} to {scale * row.high:.{digits}f}"


def _baseline(row: Row) -> str:
    if row.baseline is None:
        return ""
    name = f" ({row.baseline_name})" if row.baseline_name else ""
    return _figure(row.baseline, row.unit) + name
