"""Curves with axes, drawn as SVG: readable without scripts, with values under the pointer where scripts run."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from sirjax.report.markup import text, to_json
from sirjax.report.ticks import labels, linear_ticks, log_ticks

_COLORS = 8  # how many colors page.css has for curves; then dashes begin
_DASHES = ("", "7 4", "2 3", "8 3 2 3")
_WIDTH, _HEIGHT = 480, 330  # units of the drawing, about a pixel each
_TOP, _RIGHT, _BOTTOM = 10, 18, 48
_FEWEST_FOR_LINE = 13  # shorter curves get a dot at each point
_NEAR = 0.25  # points nearer than this to the last drawn one are left out


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points joined by a line, in the order given; gaps where a value is not finite.

    Raises:
      ValueError: if the arrays differ in length, or only one of `low` and `high` is given.
    """

    name: str
    x: np.ndarray  # [N]
    y: np.ndarray  # [N]
    low: np.ndarray | None = None  # [N] interval of y, shaded
    high: np.ndarray | None = None  # [N]

    def __post_init__(self):
        if (self.low is None) != (self.high is None):
            raise ValueError(f"curve {self.name!r} has one end of its interval: give both low and high, or neither")
        sizes = [np.shape(values) for values in (self.x, self.y, self.low, self.high) if values is not None]
        if len(sizes[0]) != 1 or len(set(sizes)) != 1:
            raise ValueError(f"curve {self.name!r} needs arrays [N] of one length, got {sizes}")


@dataclasses.dataclass(frozen=True)
class Plot:
    """Curves over one pair of axes, which end at round numbers around the data.

    Args:
      title: heading of the section.
      curves: drawn in this order, named in the legend.
      x_label: what is measured along x, with its unit.
      y_label: as `x_label`.
      x_log: logarithmic x; points that are not above 0 are left out.
      y_range: least range of y to show; the data's if None.
      caption: a line below.
    """

    title: str
    curves: Sequence[Curve]
    x_label: str
    y_label: str
    x_log: bool = False
    y_range: tuple[float, float] | None = None
    caption: str = ""

    def html(self, name: str) -> str:
        """The legend and the drawing; `name` is unique on the page."""
        axes = _Axes.around(self)
        legend = "".join(
            f'<li><button type="button" aria-pressed="true" data-curve="{i}">'
            f"{_sample(i)}{text(curve.name)}</button></li>"
            for i, curve in enumerate(self.curves)
        )
        caption = f'<figcaption class="caption">{text(self.caption)}</figcaption>' if self.caption else ""
        drawn = "".join(_draw(curve, i, axes) for i, curve in enumerate(self.curves))
        names = ", ".join(curve.name for curve in self.curves)
        return (
            f'<figure class="plot"><ul class="legend">{legend}</ul><div class="drawing">'
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" tabindex="0" data-axes="{text(axes.json())}" '
            f'aria-label="{text(f"{self.title}: {self.y_label} over {self.x_label} of {names}")}">'
            f'<clipPath id="{name}-clip"><rect x="{axes.left - 3}" y="{_TOP - 3}" width="{axes.width + 6}" '
            f'height="{axes.height + 6}"/></clipPath>{_frame(axes, self.x_label, self.y_label)}'
            f'<g clip-path="url(#{name}-clip)">{drawn}</g></svg><output class="reading" hidden></output></div>'
            f"{caption}</figure>"
        )

    def figures(self) -> dict[str, object]:
        """The points of the curves, as many as are drawn, for programs."""
        axes = _Axes.around(self)
        return {
            "kind": "plot",
            "title": self.title,
            "x": self.x_label,
            "y": self.y_label,
            "curves": [_points(curve, axes) for curve in self.curves],
        }


@dataclasses.dataclass(frozen=True)
class _Axes:
    """Where data lie in the drawing."""

    x_ticks: list[float]
    y_ticks: list[float]
    x_log: bool

    @staticmethod
    def around(plot: Plot) -> "_Axes":
        shown = [_is_shown(curve, plot.x_log) for curve in plot.curves]
        x = np.concatenate([np.zeros(0), *(np.asarray(c.x, float)[s] for c, s in zip(plot.curves, shown, strict=True))])
        y = [np.zeros(0)]
        for curve, mask in zip(plot.curves, shown, strict=True):
            y += [np.asarray(v, float)[mask] for v in (curve.y, curve.low, curve.high) if v is not None]
        y_low, y_high = plot.y_range or _range(np.concatenate(y), (0.0, 1.0))
        x_low, x_high = _range(x, (0.1, 1.0) if plot.x_log else (0.0, 1.0))
        x_ticks = log_ticks(x_low, x_high) if plot.x_log else linear_ticks(x_low, x_high)
        return _Axes(x_ticks, linear_ticks(float(y_low), float(y_high)), plot.x_log)

    @property
    def left(self) -> float:
        return 34 + 8 * max(map(len, labels(self.y_ticks)))

    @property
    def width(self) -> float:
        return _WIDTH - self.left - _RIGHT

    @property
    def height(self) -> float:
        return _HEIGHT - _TOP - _BOTTOM

    def place_x(self, x: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        low, high = self.x_ticks[0], self.x_ticks[-1]
        if self.x_log:
            x, low, high = np.log(x), math.log(low), math.log(high)
        return self.left + self.width * (x - low) / (high - low)

    def place_y(self, y: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return _TOP + self.height * (high - y) / (high - low)

    def json(self) -> str:
        """What a script needs to turn places back into data."""
        ends = {"x": [self.x_ticks[0], self.x_ticks[-1]], "y": [self.y_ticks[0], self.y_ticks[-1]]}
        box = [self.left, _TOP, self.left + self.width, _TOP + self.height]
        return to_json({**ends, "log": self.x_log, "box": box})


def _range(values: Float[np.ndarray, " N"], otherwise: tuple[float, float]) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else otherwise


def _is_shown(curve: Curve, x_log: bool) -> Bool[np.ndarray, " N"]:
    x, y = np.asarray(curve.x, float), np.asarray(curve.y, float)
    return np.isfinite(x) & np.isfinite(y) & ((x > 0) | (not x_log))


def _frame(axes: _Axes, x_label: str, y_label: str) -> str:
    """Grid, tick labels and names of the axes."""
    right, bottom = axes.left + axes.width, _TOP + axes.height
    parts = []
    for place, label in zip(axes.place_x(np.array(axes.x_ticks)), labels(axes.x_ticks, log=axes.x_log), strict=True):
        parts.append(f'<path class="grid" d="M{place:.1f} {_TOP}V{bottom:.1f}"/>')
        parts.append(f'<text x="{place:.1f}" y="{bottom + 17:.1f}" text-anchor="middle">{text(label)}</text>')
    for place, label in zip(axes.place_y(np.array(axes.y_ticks)), labels(axes.y_ticks), strict=True):
        parts.append(f'<path class="grid" d="M{axes.left:.1f} {place:.1f}H{right:.1f}"/>')
        parts.append(f'<text x="{axes.left - 7:.1f}" y="{place + 4:.1f}" text-anchor="end">{text(label)}</text>')
    parts.append(f'<path class="axis" d="M{axes.left:.1f} {_TOP}V{bottom:.1f}H{right:.1f}"/>')
    x, y = (axes.left + right) / 2, (_TOP + bottom) / 2
    middle = 'class="name" text-anchor="middle"'
    parts.append(f'<text {middle} x="{x:.1f}" y="{_HEIGHT - 7}">{text(x_label)}</text>')
    parts.append(f'<text {middle} transform="translate(15 {y:.1f}) rotate(-90)">{text(y_label)}</text>')
    return "".join(parts)


def _style(i: int) -> str:
    dash = _DASHES[i // _COLORS % len(_DASHES)]
    return f'class="curve c{i % _COLORS}"' + (f' stroke-dasharray="{dash}"' if dash else "")


def _sample(i: int) -> str:
    return f'<svg width="26" height="10" aria-hidden="true"><g {_style(i)}><polyline points="1,5 25,5"/></g></svg>'


def _draw(curve: Curve, i: int, axes: _Axes) -> str:
    parts = []
    for piece in _pieces(curve, axes):
        x, y = piece["x"], piece["y"]
        if "low" in piece:
            outline = [*zip(x, piece["high"], strict=True), *zip(x[::-1], piece["low"][::-1], strict=True)]
            parts.append(f'<polygon points="{_coordinates(outline)}"/>')
        points = list(zip(x, y, strict=True))
        parts.append(f'<polyline points="{_coordinates(points)}"/>')
        if len(curve.x) < _FEWEST_FOR_LINE or len(points) == 1:
            parts += [f'<circle cx="{px:.2f}" cy="{py:.2f}" r="3"/>' for px, py in points]
    return f'<g {_style(i)} data-curve="{i}" data-name="{text(curve.name)}">{"".join(parts)}</g>'


def _coordinates(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in points)


def _pieces(curve: Curve, axes: _Axes) -> list[dict[str, Float[np.ndarray, " M"]]]:
    """Runs of points that can be drawn, as places in the drawing."""
    data = {"x": curve.x, "y": curve.y} | ({} if curve.low is None else {"low": curve.low, "high": curve.high})
    shown = _is_shown(curve, axes.x_log)
    runs = np.split(np.arange(len(shown)), np.flatnonzero(shown[1:] != shown[:-1]) + 1)
    pieces = []
    for run in (run for run in runs if len(run) and shown[run[0]]):
        kept = run[_kept(curve, axes, run)]
        values = {key: np.asarray(value, float)[kept] for key, value in data.items()}
        # An interval that is not known shrinks to the value.
        values |= {k: np.where(np.isfinite(v), v, values["y"]) for k, v in values.items() if k in ("low", "high")}
        pieces.append({k: axes.place_x(v) if k == "x" else axes.place_y(v) for k, v in values.items()})
    return pieces


def _kept(curve: Curve, axes: _Axes, run: np.ndarray) -> list[int]:
    """Which points of a run to draw: the ends, and what is visibly apart from the point drawn before."""
    # Python floats: NumPy's are ten times as slow one at a time.
    x = axes.place_x(np.asarray(curve.x, float)[run]).tolist()
    y = axes.place_y(np.asarray(curve.y, float)[run]).tolist()
    kept, last_x, last_y = [0], x[0], y[0]
    for i in range(1, len(x) - 1):
        if abs(x[i] - last_x) >= _NEAR or abs(y[i] - last_y) >= _NEAR:
            kept.append(i)
            last_x, last_y = x[i], y[i]
    return [*kept, len(x) - 1] if len(x) > 1 else kept


def _points(curve: Curve, axes: _Axes) -> dict[str, object]:
    shown = np.flatnonzero(_is_shown(curve, axes.x_log))
    kept = shown[_kept(curve, axes, shown)] if len(shown) else shown
    columns = {"x": curve.x, "y": curve.y, "low": curve.low, "high": curve.high}
    points: dict[str, object] = {"name": curve.name}
    for key, column in columns.items():
        if column is not None:
            points[key] = [float(f"{value:.6g}") for value in np.asarray(column, float)[kept]]
    return points
