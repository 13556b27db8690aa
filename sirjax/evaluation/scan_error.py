"""Distance of a predicted face to a scan after similarity ICP: the protocol of the MICC evaluation (Table V, Fig. 4).

The scan is cropped around the nose tip; the prediction, which is not, is brought onto it by ICP; then every scan vertex
is measured against the prediction, never the other way round (with a free scale a prediction shrunk to a point would
win). Figures of different protocol strings must not be compared. NumPy, float64. V/W vertices, N vertices of the crop.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from sirjax.evaluation.closest_point import Surface

CROP_RADIUS = 95.0  # mm around the nose tip
MIN_POINTS = 10  # of the crop; with fewer, a similarity fits anything
MIN_LANDMARKS = 3


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
class Alignment:
    """scan_from_prediction: y = scale * rotation @ x + translation."""

    scale: float  # mm per unit of the prediction
    rotation: np.ndarray  # [3, 3] proper
    translation: np.ndarray  # [3] mm

    def apply(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """From the prediction's frame to the scan's."""
        return self.scale * points @ self.rotation.T + self.translation

    def invert(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """From the scan's frame to the prediction's."""
        return (points - self.translation) @ self.rotation / self.scale


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
    plane_distance: np.ndarray  # [N] mm, for error maps and cumulative curves
    surface_distance: np.ndarray  # [N] mm


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
    crop_radius: float = CROP_RADIUS,
    trim: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
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
      crop_radius: mm around the nose tip.
      trim: share of the worst pairs that the fit ignores; they are measured all the same.
      max_iterations: of the alignment.
      tolerance: relative change of the RMSE at which the alignment stops.

    Raises:
      ValueError: if the crop or the prediction has too few points, or an argument is out of range.
    """
    _check(scan_landmarks, predicted_landmarks, scale, crop_radius, trim, max_iterations)
    scan, triangles = _mesh("scan", scan_vertices, scan_triangles)
    predicted, predicted_triangles = _mesh("prediction", predicted_vertices, predicted_triangles)
    predicted_triangles = proper_triangles(predicted, predicted_triangles)
    if len(predicted_triangles) == 0:
        raise ValueError("the prediction has no triangle with an area: check its triangles and its unit")
    tip = scan[scan[:, 2].argmax()] if scan_nose_tip is None else np.asarray(scan_nose_tip, np.float64)
    crop, _ = crop_scan(scan, triangles, tip, crop_radius)
    points = scan[crop]

    if scan_landmarks is not None and predicted_landmarks is not None:
        start, begin = fit_alignment(predicted_landmarks, scan_landmarks, scale=scale), "landmarks"
    else:
        used = predicted[np.unique(predicted_triangles)]
        predicted_tip = used[used[:, 2].argmax()] if predicted_nose_tip is None else np.asarray(predicted_nose_tip)
        start, begin = _start_from_tips(points, tip, used, predicted_tip, scale, crop_radius), "nose tips"
    # Points go to the prediction's frame, not the prediction to theirs: its search tree is built once.
    surface = Surface(predicted, predicted_triangles)
    alignment, iterations, converged = _icp(points, surface, start, scale, trim, max_iterations, tolerance)
    plane, on_surface, to_vertex = _distances(points, surface, predicted, predicted_triangles, alignment)
    return ScanError(
        protocol=(
            f"scan-v1: crop {crop_radius:g} mm, ICP from {begin}, scale "
            f"{'per mesh' if scale is None else f'fixed at {scale:g} mm'}, trim {trim:g}, scan to prediction, "
            f"at most {max_iterations} iterations to {tolerance:g}"
        ),
        plane=Distances.of(plane),
        surface=Distances.of(on_surface),
        vertex=Distances.of(to_vertex),
        alignment=alignment,
        iterations=iterations,
        converged=converged,
        crop=crop,
        plane_distance=plane,
        surface_distance=on_surface,
    )


def crop_scan(
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    nose_tip: Float[np.ndarray, "3"],
    radius: float = CROP_RADIUS,
) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, "K 3"]]:
    """Rows of the vertices within `radius` of the nose tip that a whole triangle uses, and those triangles.

    A triangle goes if it loses a vertex or is degenerate; a vertex goes if no triangle is left that uses it.

    Raises:
      ValueError: if fewer than `MIN_POINTS` vertices remain.
    """
    near = np.linalg.norm(vertices - nose_tip[None], axis=1) <= radius
    kept = proper_triangles(vertices, triangles[near[triangles].all(axis=1)])
    rows = np.unique(kept)
    if len(rows) < MIN_POINTS:
        raise ValueError(
            f"only {len(rows)} vertices of the scan lie on triangles within {radius:g} mm of the nose tip "
            f"{np.round(nose_tip, 3).tolist()}, need at least {MIN_POINTS}: check the nose tip, and that the scan is "
            "in millimeters"
        )
    return rows, kept


def proper_triangles(vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]) -> Int[np.ndarray, "K 3"]:
    """Those with an area: their height above the longest edge is more than rounding."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    longest = np.max([np.sum(np.square(edge), axis=1) for edge in (b - a, c - b, a - c)], axis=0)
    return triangles[np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-9 * longest]


def fit_alignment(
    source: Float[np.ndarray, "N 3"], target: Float[np.ndarray, "N 3"], *, scale: float | None = None
) -> Alignment:
    """The similarity with the least squared distance (Umeyama 1991), its scale fixed if given.

    As `sirjax.geometry.similarity`, in double precision: errors of a perfect fit should vanish.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    centered = source - source_mean[None]
    u, singular_values, vt = np.linalg.svd((target - target_mean[None]).T @ centered)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # never a reflection
    rotation = (u * sign[None]) @ vt
    spread = np.sum(np.square(centered))
    if scale is None:
        if spread == 0 or (singular_values * sign).sum() <= 0:
            raise ValueError("no scale can be fitted: the points to be aligned coincide")
        scale = float((singular_values * sign).sum() / spread)
    return Alignment(scale, rotation, target_mean - scale * rotation @ source_mean)


def _icp(
    points: np.ndarray,
    surface: Surface,
    alignment: Alignment,
    scale: float | None,
    trim: float,
    max_iterations: int,
    tolerance: float,
) -> tuple[Alignment, int, bool]:
    """Pairs each point with the closest point of the surface, moves the surface, and so on until the RMSE settles.

    The closed-form fit to fixed pairs never raises the RMSE but crawls, as pairs resist sliding along the surface.
    So a Gauss-Newton step of the same objective, which lets them slide, is tried first, and kept if it is better.
    """
    kept = max(MIN_POINTS, round((1 - trim) * len(points)))
    size = np.sqrt(np.mean(np.sum(np.square(points - points.mean(axis=0)[None]), axis=1)))

    def pair(alignment: Alignment) -> tuple[np.ndarray, np.ndarray, float]:
        closest = surface.closest(alignment.invert(points))
        rows = np.argpartition(closest.distance, kept - 1)[:kept]
        rmse = alignment.scale * float(np.sqrt(np.mean(np.square(closest.distance[rows]))))
        return closest.points[rows], points[rows], rmse

    source, target, rmse = pair(alignment)
    for iteration in range(max_iterations):
        if rmse <= 1e-9 * size:
            return alignment, iteration, True
        proposals = (
            lambda alignment, source, target: _newton_step(alignment, source, target, scale),
            lambda _, source, target: fit_alignment(source, target, scale=scale),
        )
        for propose in proposals:
            proposal = propose(alignment, source, target)
            new_source, new_target, new_rmse = pair(proposal)
            if new_rmse < rmse:
                break
        else:
            return alignment, iteration, True
        change = (rmse - new_rmse) / rmse
        alignment, source, target, rmse = proposal, new_source, new_target, new_rmse
        if change < tolerance:
            return alignment, iteration + 1, True
    return alignment, max_iterations, False


def _newton_step(alignment: Alignment, source: np.ndarray, target: np.ndarray, scale: float | None) -> Alignment:
    """Gauss-Newton on sum_i |v_i - y_i|^2, y_i on the surface: only motion along u_i = (v_i - y_i) / |...| counts.

    u . (v - y) = u . (omega x p + t + sigma p),  p = y - mean(y);  omega: turn, t: shift, sigma: log scale
    """
    moved = alignment.apply(source)
    center = moved.mean(axis=0)
    arm, gap = moved - center[None], target - moved
    distance = np.linalg.norm(gap, axis=1)
    # A pair that touches has no direction and, for this step, no say.
    direction = gap / np.maximum(distance, np.finfo(np.float64).tiny)[:, None]
    columns = [np.cross(arm, direction), direction]
    if scale is None:
        columns.append(np.sum(arm * direction, axis=1, keepdims=True))
    step = np.linalg.lstsq(np.concatenate(columns, axis=1), distance, rcond=1e-9)[0]
    turn = Rotation.from_rotvec(step[:3]).as_matrix()
    growth = float(np.exp(np.clip(step[6], -0.5, 0.5))) if scale is None else 1.0
    return Alignment(
        scale=alignment.scale * growth,
        rotation=turn @ alignment.rotation,
        translation=growth * turn @ (alignment.translation - center) + center + step[3:6],
    )


def _distances(
    points: np.ndarray, surface: Surface, predicted: np.ndarray, triangles: np.ndarray, alignment: Alignment
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """To the closest triangle's plane, to the surface, to the closest vertex; mm."""
    moved = alignment.invert(points)
    closest = surface.closest(moved)
    a, b, c = (predicted[triangles[closest.triangle, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    plane = np.abs(np.sum((moved - closest.points) * normal, axis=1))
    to_vertex = nearest_vertex(moved, predicted[np.unique(triangles)])
    return alignment.scale * plane, alignment.scale * closest.distance, alignment.scale * to_vertex


def nearest_vertex(points: Float[np.ndarray, "N 3"], vertices: Float[np.ndarray, "W 3"]) -> Float[np.ndarray, " N"]:
    """Distance to the closest of the vertices."""
    return np.asarray(cKDTree(vertices).query(points)[0])


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


def _check(scan_landmarks, predicted_landmarks, scale, crop_radius, trim, max_iterations) -> None:
    if (scan_landmarks is None) != (predicted_landmarks is None):
        raise ValueError("scan_landmarks and predicted_landmarks must be given together")
    if scan_landmarks is not None:
        shapes = [list(np.shape(points)) for points in (scan_landmarks, predicted_landmarks)]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2 or shapes[0][0] < MIN_LANDMARKS or shapes[0][1] != 3:
            raise ValueError(
                f"need at least {MIN_LANDMARKS} pairs of landmarks [L, 3], got {shapes[0]} and {shapes[1]}"
            )
    if scale is not None and not scale > 0:
        raise ValueError(f"scale must be positive (mm per unit of the prediction), got {scale}")
    if not crop_radius > 0:
        raise ValueError(f"crop_radius must be positive (mm), got {crop_radius}")
    if not 0 <= trim < 1:
        raise ValueError(f"trim must be in [0, 1), got {trim}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
