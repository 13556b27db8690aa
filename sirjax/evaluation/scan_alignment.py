"""Brings a predicted face onto the points of a scan by a similarity: closed-form fit, and ICP to the closest points.

ICP minimizes the sum of squared distances from the points to the surface. It runs on a sample of the points first and
then on all, so that the many steps are cheap and the last ones exact; the sample decides nothing but where those start.
NumPy, float64. N points.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from sirjax.evaluation.closest_point import ClosestPoints, Surface

MIN_POINTS = 10  # with fewer, a similarity fits anything
SAMPLE = 4000  # points of the first stage


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
class Fit:
    """What ICP came to."""

    alignment: Alignment
    closest: ClosestPoints  # of all points at this alignment, in the prediction's frame and unit
    iterations: int  # of both stages
    converged: bool


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


def icp(
    points: Float[np.ndarray, "N 3"],
    surface: Surface,
    start: Alignment,
    *,
    scale: float | None = None,
    trim: float = 0.0,
    max_iterations: int = 100,
    tolerance: float = 1e-5,
) -> Fit:
    """Moves the surface onto the points.

    Args:
      points: of the scan.
      surface: in its own frame and unit, where its search structure stays valid: it is the points that are moved.
      start: a similarity near the answer.
      scale: to keep it fixed.
      trim: share of the worst points that the fit ignores.
      max_iterations: of each stage.
      tolerance: relative change of the RMSE at which it stops.
    """
    first = 0
    if len(points) > 2 * SAMPLE:
        rough = _iterate(points[_sample(points)], surface, start, scale, trim, max_iterations, tolerance)
        start, first = rough.alignment, rough.iterations
    fit = _iterate(points, surface, start, scale, trim, max_iterations, tolerance)
    return Fit(fit.alignment, fit.closest, first + fit.iterations, fit.converged)


def _sample(points: Float[np.ndarray, "N 3"]) -> Int[np.ndarray, " M"]:
    """Rows of `SAMPLE` points all over the scan, the same points in whatever order they come."""
    order = np.lexsort(np.round(points, 3).T)
    return order[np.linspace(0, len(points) - 1, SAMPLE).astype(int)]


def _iterate(
    points: np.ndarray,
    surface: Surface,
    alignment: Alignment,
    scale: float | None,
    trim: float,
    max_iterations: int,
    tolerance: float,
) -> Fit:
    """Pairs each point with the closest point of the surface, moves the surface, and so on until the RMSE settles.

    The closed-form fit to fixed pairs never raises the RMSE but crawls, as pairs resist sliding along the surface.
    So a Gauss-Newton step of the same objective, which lets them slide, is tried first, and kept if it is better.
    Both have the same fixed points. It is over, too, when the Gauss-Newton step promises less than the tolerance.
    """
    kept = max(MIN_POINTS, round((1 - trim) * len(points)))
    size = np.sqrt(np.mean(np.sum(np.square(points - points.mean(axis=0)[None]), axis=1)))

    def pair(alignment: Alignment) -> tuple[ClosestPoints, np.ndarray, float]:
        closest = surface.closest(alignment.invert(points))
        rows = np.argpartition(closest.distance, kept - 1)[:kept] if kept < len(points) else np.arange(len(points))
        return closest, rows, alignment.scale * float(np.sqrt(np.mean(np.square(closest.distance[rows]))))

    closest, rows, rmse = pair(alignment)
    for iteration in range(max_iterations):
        source, target = closest.points[rows], points[rows]
        slide, promise = _newton_step(alignment, source, target, scale)
        if rmse <= 1e-9 * size or promise < tolerance:
            return Fit(alignment, closest, iteration, True)
        proposal = slide
        found = pair(proposal)
        if found[2] >= rmse:
            proposal = fit_alignment(source, target, scale=scale)
            found = pair(proposal)
        if found[2] >= rmse:
            return Fit(alignment, closest, iteration, True)
        change = (rmse - found[2]) / rmse
        alignment, (closest, rows, rmse) = proposal, found
        if change < tolerance:
            return Fit(alignment, closest, iteration + 1, True)
    return Fit(alignment, closest, max_iterations, False)


def _newton_step(
    alignment: Alignment, source: np.ndarray, target: np.ndarray, scale: float | None
) -> tuple[Alignment, float]:
    """The step, and the relative fall of the RMSE that it promises.

    Gauss-Newton on sum_i |v_i - y_i|^2, y_i on the surface: only motion along u_i = (v_i - y_i) / |...| counts.

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
    jacobian = np.concatenate(columns, axis=1)
    step = np.linalg.lstsq(jacobian, distance, rcond=1e-9)[0]
    left = np.linalg.norm(distance - jacobian @ step)
    promise = 1 - left / max(float(np.linalg.norm(distance)), np.finfo(np.float64).tiny)
    turn = Rotation.from_rotvec(step[:3]).as_matrix()
    growth = float(np.exp(np.clip(step[6], -0.5, 0.5))) if scale is None else 1.0
    moved_by = Alignment(
        scale=alignment.scale * growth,
        rotation=turn @ alignment.rotation,
        translation=growth * turn @ (alignment.translation - center) + center + step[3:6],
    )
    return moved_by, float(promise)
