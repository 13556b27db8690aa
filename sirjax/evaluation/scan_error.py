"""Distance of a predicted face to a scan after similarity ICP: the protocol of the MICC evaluation (Table V, Fig. 4).

The scan is cropped around the nose tip; the prediction, which is not, is brought onto it by ICP; then every scan vertex
is measured against the prediction, never the other way round (with a free scale a prediction shrunk to a point would
win). Figures of different protocol strings must not be compared. NumPy, float64. V/W vertices, N vertices of the crop.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from sirjax.evaluation.closest_point import Surface, fcpw_is_installed, in_threads
from sirjax.evaluation.plane_distance import plane_distances
from sirjax.evaluation.scan_alignment import MIN_POINTS, Alignment, Fit, fit_alignment, icp

CROPS = ("sphere", "no_forehead", "now")
CROP_RADIUS = 95.0  # mm around the nose tip
FOREHEAD = 60.0  # mm above the nose tip: about where the brows end
MIN_LANDMARKS = 3
_PART = 1 << 14  # triangles that a thread looks at at a time
NOW_LANDMARKS = 7  # right eye's outer and inner corner, left eye's inner and outer, nose bottom, mouth corners


@dataclass(frozen=True)
class Distances:
    """What is reported of N distances, mm."""

    rmse: float
    mean: float
    median: float
    percentile_95: float

    @classmethod
    def of(cls, values: Float[np.ndarray, " N"]) -> "Distances":
        """Summarizes distances that are not negative."""
        rmse = float(np.sqrt(np.mean(np.square(values))))
        return cls(rmse, float(values.mean()), float(np.median(values)), float(np.percentile(values, 95)))


@dataclass(frozen=True)
class ScanError:
    """Error of one prediction. The main figure is `plane.rmse`; the authors' code reports `vertex.rmse`."""

    protocol: str
    plane: Distances  # along the normal of the closest triangle
    surface: Distances  # to the closest point of the surface
    vertex: Distances  # to the closest vertex
    alignment: Alignment
    iterations: int
    converged: bool  # False: stopped by `max_iterations`
    crop: np.ndarray  # int [N] rows of the scan's vertices that were measured
    crop_triangles: np.ndarray  # int [K, 3] rows of the scan's vertices: the triangles between those
    plane_distance: np.ndarray  # [N] mm, for error maps and cumulative curves
    surface_distance: np.ndarray  # [N] mm
    tip_gap: float | None  # mm between the tip that was cropped around and the aligned prediction's, where both exist


def scan_error(
    scan_vertices: Float[np.ndarray, "V 3"],
    scan_triangles: Int[np.ndarray, "T 3"],
    predicted_vertices: Float[np.ndarray, "W 3"],
    predicted_triangles: Int[np.ndarray, "U 3"],
    *,
    scan_nose_tip: Float[np.ndarray, "3"] | None = None,
    predicted_nose_tip: Float[np.ndarray, "3"] | None = None,
    scan_landmarks: Float[np.ndarray, "L 3"] | None = None,
    predicted_landmarks: Float[np.ndarray, "L 3"] | None = None,
    scale: float | None = None,
    crop: str = "sphere",
    crop_radius: float = CROP_RADIUS,
    trim: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
    threads: int = 1,
) -> ScanError:
    """Aligns a predicted neutral face to a scan and measures it.

    Args:
      scan_vertices: mm.
      scan_triangles: rows of `scan_vertices`.
      predicted_vertices: any unit if landmarks are given; else about mm, as the tip's neighborhoods are compared.
      predicted_triangles: rows of `predicted_vertices`.
      scan_nose_tip: the crop's center, mm; the vertex with the largest z if None (the scan must be frontal).
      predicted_nose_tip: the same point of the prediction, where alignment starts without landmarks.
      scan_landmarks: points that pair with `predicted_landmarks`: where alignment starts.
      predicted_landmarks: in the prediction's frame and unit.
      scale: mm per unit of the prediction, to keep it fixed; fitted to each mesh if None.
      crop: "sphere" around the nose tip; "no_forehead": of it what lies less than `FOREHEAD` above the tip; "now": the
        sphere that the NoW challenge puts around seven landmarks of the scan.
      crop_radius: mm around the nose tip.
      trim: share of the worst pairs that the fit ignores; they are measured all the same.
      max_iterations: of the alignment.
      tolerance: relative change of the RMSE at which the alignment stops.
      threads: that share the work, with the same figures; fcpw's search takes all cores that it is allowed anyway.

    Raises:
      ValueError: if the crop or the prediction has too few points, or an argument is out of range.
    """
    _check(scan_landmarks, predicted_landmarks, scale, crop, crop_radius, trim, max_iterations)
    scan, triangles = _mesh("scan", scan_vertices, scan_triangles)
    predicted, predicted_triangles = _mesh("prediction", predicted_vertices, predicted_triangles)
    predicted_triangles = proper_triangles(predicted, predicted_triangles, threads)
    if len(predicted_triangles) == 0:
        raise ValueError("the prediction has no triangle with an area: check its triangles and its unit")
    tip, radius = scan[scan[:, 2].argmax()] if scan_nose_tip is None else np.asarray(scan_nose_tip), crop_radius
    if crop == "now":
        tip, radius = now_crop(np.asarray(scan_landmarks, np.float64))
    rows, kept = crop_scan(scan, triangles, tip, radius, threads)

    predicted_tip = None if predicted_nose_tip is None else np.asarray(predicted_nose_tip, np.float64)
    if scan_landmarks is not None and predicted_landmarks is not None:
        start = fit_alignment(predicted_landmarks, scan_landmarks, scale=scale)
    else:
        used = predicted[_named(predicted_triangles, len(predicted))]
        predicted_tip = used[used[:, 2].argmax()] if predicted_tip is None else predicted_tip
        start = _start_from_tips(scan[rows], tip, used, predicted_tip, scale, radius)
    if crop == "no_forehead":
        low = (scan - tip[None]) @ start.rotation[:, 1] <= FOREHEAD  # the second column: the prediction's y axis, up
        rows, kept = crop_scan(scan, kept[low[kept].all(axis=1)], tip, radius)
    points = scan[rows]
    # Points go to the prediction's frame, not the prediction to theirs: its search tree is built once.
    surface = Surface(predicted, predicted_triangles, use_fcpw=fcpw_is_installed(), threads=threads)
    fit = icp(points, surface, start, scale=scale, trim=trim, max_iterations=max_iterations, tolerance=tolerance)
    plane, on_surface, to_vertex = _distances(points, fit, predicted, predicted_triangles, threads)
    return ScanError(
        protocol=protocol_string(
            crop,
            crop_radius,
            from_landmarks=scan_landmarks is not None,
            scale="per mesh" if scale is None else f"fixed at {scale:g} mm",
            trim=trim,
            max_iterations=max_iterations,
            tolerance=tolerance,
        ),
        plane=Distances.of(plane),
        surface=Distances.of(on_surface),
        vertex=Distances.of(to_vertex),
        alignment=fit.alignment,
        iterations=fit.iterations,
        converged=fit.converged,
        crop=rows,
        crop_triangles=kept,
        plane_distance=plane,
        surface_distance=on_surface,
        tip_gap=None if predicted_tip is None or crop == "now" else _gap(tip, fit.alignment, predicted_tip),
    )


def protocol_string(
    crop: str = "sphere",
    crop_radius: float = CROP_RADIUS,
    *,
    from_landmarks: bool = False,
    scale: str = "per mesh",
    trim: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> str:
    """What was done, in one line; figures with different lines must not be compared."""
    start = "landmarks" if from_landmarks else "nose tips"
    cropped = {
        "sphere": f"micc-sir-v1: crop {crop_radius:g} mm",
        "no_forehead": f"micc-sir-v1: crop {crop_radius:g} mm without forehead (above {FOREHEAD:g} mm)",
        "now": "now-sir-v1: crop of 7 landmarks",
    }[crop]
    return (
        f"{cropped}, ICP from {start}, scale {scale}, trim {trim:g}, scan to prediction, "
        f"at most {max_iterations} iterations to {tolerance:g}"
    )


def now_crop(landmarks: Float[np.ndarray, "7 3"]) -> tuple[Float[np.ndarray, "3"], float]:
    """Center and radius of what the NoW challenge compares (Sanyal et al. 2019), from a scan's landmarks, mm.

    center = bottom + 0.3 (bridge - bottom),  radius = 1.4 (|outer eye corners| + |bridge - bottom|) / 2
    """
    right_outer, right_inner, left_inner, left_outer, bottom = landmarks[:5]
    bridge = (right_inner + left_inner) / 2
    width, height = np.linalg.norm(left_outer - right_outer), np.linalg.norm(bridge - bottom)
    return bottom + 0.3 * (bridge - bottom), float(1.4 * (width + height) / 2)


def crop_scan(
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    nose_tip: Float[np.ndarray, "3"],
    radius: float = CROP_RADIUS,
    threads: int = 1,
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, "K 3"]]:
    """Rows of the vertices within `radius` of the nose tip that a whole triangle uses, and those triangles.

    A triangle goes if it loses a vertex or is degenerate; a vertex goes if no triangle is left that uses it.

    Raises:
      ValueError: if fewer than `MIN_POINTS` vertices remain.
    """
    near = np.linalg.norm(vertices - nose_tip[None], axis=1) <= radius
    inside = near[triangles[:, 0]] & near[triangles[:, 1]] & near[triangles[:, 2]]
    kept = proper_triangles(vertices, triangles[inside], threads)
    rows = _named(kept, len(vertices))
    if len(rows) < MIN_POINTS:
        raise ValueError(
            f"only {len(rows)} vertices of the scan lie on triangles within {radius:g} mm of the nose tip "
            f"{np.round(nose_tip, 3).tolist()}, need at least {MIN_POINTS}: check the nose tip, and that the scan is "
            "in millimeters"
        )
    return rows, kept


def _named(triangles: np.ndarray, count: int) -> np.ndarray:
    """The vertices, of `count`, that some triangle names; in order."""
    named = np.zeros(count, bool)
    named[triangles] = True
    return np.flatnonzero(named)


def proper_triangles(
    vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"], threads: int = 1
) -> Int[np.ndarray, "K 3"]:
    """Those with an area: their height above the longest edge is more than rounding."""

    def proper(part: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[part[:, k]] for k in range(3))
        longest = np.max([np.sum(np.square(edge), axis=1) for edge in (b - a, c - b, a - c)], axis=0)
        return part[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-9 * longest]

    parts = [triangles[start : start + _PART] for start in range(0, max(1, len(triangles)), _PART)]
    return np.concatenate(in_threads(proper, parts, threads))


def _distances(
    points: np.ndarray, fit: Fit, predicted: np.ndarray, triangles: np.ndarray, threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """To the closest triangle's plane, to the surface, to the closest vertex; mm."""
    moved, scale = fit.alignment.invert(points), fit.alignment.scale
    plane = plane_distances(moved, fit.closest, predicted, triangles, threads=threads)
    to_vertex = nearest_vertex(moved, predicted[_named(triangles, len(predicted))], threads)
    return scale * plane, scale * fit.closest.distance, scale * to_vertex


def _gap(tip: np.ndarray, alignment: Alignment, predicted_tip: np.ndarray) -> float:
    return float(np.linalg.norm(alignment.apply(predicted_tip[None])[0] - tip))


def nearest_vertex(
    points: Float[np.ndarray, "N 3"], vertices: Float[np.ndarray, "W 3"], threads: int = 1
) -> Float[np.ndarray, " N"]:
    """Distance to the closest of the vertices."""
    return np.asarray(cKDTree(vertices).query(points, workers=threads)[0])


def _start_from_tips(
    points: np.ndarray, tip: np.ndarray, predicted: np.ndarray, predicted_tip: np.ndarray, scale: float | None, radius
) -> Alignment:
    """Tip on tip, unturned; the scale makes the RMS radii of both neighborhoods equal."""
    if scale is None:
        offsets = np.linalg.norm(predicted - predicted_tip[None], axis=1)
        near = offsets[offsets <= radius]
        if len(near) < MIN_POINTS or not near.any():
            raise ValueError(
                f"only {len(near)} vertices of the prediction lie within {radius:g} of its nose tip, need at least "
                f"{MIN_POINTS}: check the tip and the unit (millimeters), or give landmarks"
            )
        own = np.linalg.norm(points - tip[None], axis=1)
        scale = float(np.sqrt(np.mean(np.square(own)) / np.mean(np.square(near))))
    return Alignment(scale, np.eye(3), tip - scale * predicted_tip)


def _mesh(name: str, vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    vertices, triangles = np.asarray(vertices, np.float64), np.asarray(triangles, np.int64)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or triangles.ndim != 2 or triangles.shape[1] != 3:
        raise ValueError(
            f"the {name} needs vertices [V, 3] and triangles [T, 3], got {list(vertices.shape)} and "
            f"{list(triangles.shape)}"
        )
    if len(triangles) and not 0 <= triangles.min() <= triangles.max() < len(vertices):
        raise ValueError(
            f"the {name}'s triangles name vertices {triangles.min()} to {triangles.max()}, but there are "
            f"{len(vertices)}: indices count from 0"
        )
    if not np.isfinite(vertices).all():
        raise ValueError(f"the {name} has vertices that are not finite: remove them first")
    return vertices, triangles


def _check(scan_landmarks, predicted_landmarks, scale, crop, crop_radius, trim, max_iterations) -> None:
    if crop not in CROPS:
        raise ValueError(f"crop must be one of {', '.join(CROPS)}, got {crop!r}")
    if crop == "now" and np.shape(scan_landmarks) != (NOW_LANDMARKS, 3):
        found = "none" if scan_landmarks is None else str(list(np.shape(scan_landmarks)))
        raise ValueError(f"the crop of NoW needs {NOW_LANDMARKS} landmarks [7, 3] of the scan, got {found}")
    if (scan_landmarks is None) != (predicted_landmarks is None):
        raise ValueError("scan_landmarks and predicted_landmarks must be given together")
    if scan_landmarks is not None:
        shapes = [list(np.shape(points)) for points in (scan_landmarks, predicted_landmarks)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] < MIN_LANDMARKS or shapes[0][1] != 3:
            raise ValueError(
                f"need at least {MIN_LANDMARKS} pairs of landmarks [L, 3], got {shapes[0]} and {shapes[1]}"
            )
        if not (np.isfinite(scan_landmarks).all() and np.isfinite(predicted_landmarks).all()):
            raise ValueError("there are landmarks that are not finite: leave their pairs out")
    if scale is not None and not scale > 0:
        raise ValueError(f"scale must be positive (mm per unit of the prediction), got {scale}")
    if not crop_radius > 0:
        raise ValueError(f"crop_radius must be positive (mm), got {crop_radius}")
    if not 0 <= trim < 1:
        raise ValueError(f"trim must be in [0, 1), got {trim}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
