"""Triangle meshes that readers can turn: binary data for assets/mesh.js, a still picture where WebGL is missing."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, UInt8

from sirjax.colors import gradient_stops, palette
from sirjax.report import packing, still
from sirjax.report.markup import image_source, require_picture, text, to_base64, to_json
from sirjax.report.ticks import labels, linear_ticks

_CLAY = (0.80, 0.77, 0.72)
_AMBIENT = 0.55
_HINT = (
    "Drag or use the arrow keys to turn; select a view, then scroll to zoom (or pinch, or press + and -); "
    "move with shift or two fingers; double click to reset."
)


@dataclasses.dataclass(frozen=True)
class MeshView:
    """One mesh: in clay, colored by a value of each vertex, or with colors of its own.

    Raises:
      ValueError: if shapes do not fit, positions are not finite, or both values and colors are given.
    """

    name: str
    vertices: np.ndarray  # [V, 3] mm, y up, z toward the viewer
    triangles: np.ndarray  # int [T, 3], counterclockwise seen from outside
    values: np.ndarray | None = None  # [V]; NaN stays in clay
    colors: np.ndarray | None = None  # [V, 3] RGB in [0, 1]
    picture: np.ndarray | None = None  # uint8 [H, W, 3] for where WebGL is missing; drawn if None

    def __post_init__(self):
        count, name = len(self.vertices), self.name
        if np.shape(self.vertices)[1:] != (3,) or count == 0 or not np.isfinite(self.vertices).all():
            raise ValueError(f"mesh {name!r} needs finite vertices [V, 3], got {list(np.shape(self.vertices))}")
        triangles = np.asarray(self.triangles)
        if triangles.ndim != 2 or triangles.shape[1] != 3 or not np.issubdtype(triangles.dtype, np.integer):
            raise ValueError(f"mesh {name!r} needs triangles int [T, 3], got {triangles.dtype} {list(triangles.shape)}")
        if triangles.size and not (triangles.min() >= 0 and triangles.max() < count):
            raise ValueError(
                f"mesh {name!r} names the vertices {triangles.min()} to {triangles.max()}, but has {count}; "
                "number vertices from 0"
            )
        if self.values is not None and self.colors is not None:
            raise ValueError(f"mesh {name!r} has both values and colors: give one of them")
        if self.values is not None and np.shape(self.values) != (count,):
            raise ValueError(f"mesh {name!r} needs a value for each of {count} vertices, got {np.shape(self.values)}")
        if self.colors is not None and np.shape(self.colors) != (count, 3):
            raise ValueError(f"mesh {name!r} needs colors [{count}, 3], got {list(np.shape(self.colors))}")
        if self.picture is not None:
            require_picture(self.picture, name)


@dataclasses.dataclass(frozen=True)
class Meshes:
    """Views beside each other that turn together, in one frame and scale.

    Args:
      title: heading of the section.
      views: meshes in one frame; equal triangles are stored once.
      value_label: unit or name of the values, beside the color bar.
      value_range: the ends of the color scale. If None: from 0 to the 99 % quantile, or as far below 0 as above it
        where values have both signs.
      caption: a line below.

    Raises:
      ValueError: if there is no view, or `value_range` is empty.
    """

    title: str
    views: Sequence[MeshView]
    value_label: str = "mm"
    value_range: tuple[float, float] | None = None
    caption: str = ""

    def __post_init__(self):
        if not self.views:
            raise ValueError(f"meshes {self.title!r} need at least one view")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise ValueError(f"value_range must be (low, high) with low < high, got {self.value_range}")

    def html(self, name: str) -> str:
        """The views, the color bar and the data; `name` is unique on the page."""
        limits = self.limits()
        views = "".join(_view_html(view, self._still(view)) for view in self.views)
        bar = _color_bar(f"{name}-colors", limits, self.value_label) if limits else ""
        caption = f'<p class="caption">{text(self.caption)}</p>' if self.caption else ""
        return (
            f'<div class="meshes" id="{name}-meshes"><div class="views">{views}</div>{bar}'
            f'<p class="hint" hidden>{_HINT}</p>'
            f'<script type="application/json" class="mesh-data">{to_json(self.data())}</script></div>{caption}'
        )

    def figures(self) -> None:
        """Meshes are pictures, not figures."""
        return None

    def limits(self) -> tuple[float, float] | None:
        """The ends of the color scale; None if no view has values."""
        values = [np.ravel(view.values) for view in self.views if view.values is not None]
        if not values:
            return None
        if self.value_range is not None:
            return float(self.value_range[0]), float(self.value_range[1])
        pooled = np.concatenate(values).astype(float)
        finite = pooled[np.isfinite(pooled)]
        if not len(finite):
            return 0.0, 1.0
        high = float(np.quantile(np.abs(finite), 0.99)) or 1.0
        return (0.0 if finite.min() >= 0 else -high), high

    def data(self) -> dict[str, object]:
        """What mesh.js reads: positions as 16-bit shares of a common box, triangles stored once, colors.

        Values are 16-bit shares of each view's own range, 65535 where there is none.
        """
        low, size = self._box()
        stored: list[dict[str, object]] = []
        views = [_view_data(view, low, size, _stored_once(view.triangles, stored)) for view in self.views]
        return {
            "low": low,
            "size": size,
            "half": still.reach(size),
            "start": still.START,
            "triangles": stored,
            "views": views,
            "limits": self.limits(),
            "label": self.value_label,
            "palette": to_base64(palette(*(self.limits() or (0.0, 1.0)))),
        }

    def _box(self) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
        """Lowest corner and size of the box around all views, mm."""
        return packing.box([view.vertices for view in self.views])

    def _still(self, view: MeshView) -> UInt8[np.ndarray, "H W 3"]:
        if view.picture is not None:
            return view.picture
        vertices, triangles = np.asarray(view.vertices, float), np.asarray(view.triangles)
        low, size = self._box()
        ambient = _AMBIENT if view.values is not None or view.colors is not None else 0.0
        colors = _vertex_colors(view, self.limits())
        return still.draw(vertices, triangles, colors, low + size / 2, still.reach(size), ambient=ambient)


def _stored_once(triangles: Int[np.ndarray, "T 3"], stored: list[dict[str, object]]) -> int:
    """The place of these triangles among the stored ones, to which they are added if new."""
    packed = packing.triangles(triangles)
    if packed not in stored:
        stored.append(packed)
    return stored.index(packed)


def _view_data(
    view: MeshView, low: Float[np.ndarray, " 3"], size: Float[np.ndarray, " 3"], triangles: int
) -> dict[str, object]:
    data: dict[str, object] = {"positions": packing.positions(view.vertices, low, size), "triangles": triangles}
    if view.values is not None:
        data |= packing.values(view.values)
    if view.colors is not None:
        data["colors"] = packing.colors(view.colors)
    return data


def _vertex_colors(view: MeshView, limits: tuple[float, float] | None) -> Float[np.ndarray, "V 3"]:
    if view.colors is not None:
        return np.clip(np.asarray(view.colors, float), 0, 1)
    colors = np.tile(_CLAY, (len(view.vertices), 1))
    if view.values is not None and limits is not None:
        values = np.asarray(view.values, float)
        known = np.isfinite(values)
        level = 255 * (values[known] - limits[0]) / (limits[1] - limits[0])
        colors[known] = palette(*limits)[np.round(level.clip(0, 255)).astype(int)] / 255
    return colors


def _view_html(view: MeshView, picture: UInt8[np.ndarray, "H W 3"]) -> str:
    return (
        f'<figure class="view"><img class="still" src="{image_source(picture)}" alt="{text(view.name)}">'
        f'<canvas hidden tabindex="0" role="application" '
        f'aria-roledescription="mesh to turn" aria-label="{text(view.name)}"></canvas>'
        f'<output class="reading" hidden></output><figcaption>{text(view.name)}</figcaption></figure>'
    )


def _color_bar(name: str, limits: tuple[float, float], label: str) -> str:
    low, high = limits
    ticks = linear_ticks(low, high)
    inside = [(t, s) for t, s in zip(ticks, labels(ticks), strict=True) if low <= t <= high]
    marks = "".join(
        f'<path class="axis" d="M{_bar_place(t, limits):.1f} 16v5"/>'
        f'<text x="{_bar_place(t, limits):.1f}" y="35" text-anchor="middle">{text(s)}</text>'
        for t, s in inside
    )
    spoken = text(f"Colors from {low:.3g} to {high:.3g} {label}")
    return (
        f'<svg class="bar" viewBox="0 0 340 38" role="img" aria-label="{spoken}">'
        f'<linearGradient id="{name}">{gradient_stops(palette(*limits))}</linearGradient>'
        f'<rect x="20" y="2" width="260" height="14" fill="url(#{name})"/>{marks}'
        f'<text x="288" y="14">{text(label)}</text></svg>'
    )


def _bar_place(value: float, limits: tuple[float, float]) -> float:
    return 20 + 260 * (value - limits[0]) / (limits[1] - limits[0])
