"""Brings a predicted face onto the points of a scan by a similarity: closed-form fit, and ICP to the closest points.

ICP minimizes the sum of squared distances from the points to the surface. It runs on samples of the points first and
then on all, so that the many steps are cheap and the last ones exact; samples decide nothing but where those start.
NumPy, float64. N points.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from sirjax.evaluation.closest_point import ClosestPoints, Surface

MIN_POINTS = 10  # with fewer, a similarity fits anything
_REMEMBERED = 6  # earlier steps that accelerate the next
_BOLDEST = 10.0  # times the plain step
_ROUGHLY = 10.0  # times the tolerance, in the stages before the last
SAMPLES = (4000, 20000)  # points of the stages before the last
_SLANTED = np.array([0.3141592, 0.8628213, 0.3971651])  # a direction in which no two points of a scan lie level


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
    iterations: int  # of all stages
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
    earlier, secants = 0, []
    stages = [count for count in SAMPLES if len(points) > 2 * count]
    # All over the scan, and the same points in whatever order they come.
    order = np.argsort(points @ _SLANTED) if stages else np.arange(len(points))
    for count in stages:
        part = points[order[np.linspace(0, len(points) - 1, count).astype(int)]]
        rough = _iterate(part, surface, start, scale, trim, max_iterations, _ROUGHLY * tolerance, secants)
        start, earlier = rough.alignment, earlier + rough.iterations
    fit = _iterate(points, surface, start, scale, trim, max_iterations, tolerance, secants)
    return Fit(fit.alignment, fit.closest, earlier + fit.iterations, fit.converged)


def _iterate(
    points: np.ndarray,
    surface: Surface,
    alignment: Alignment,
    scale: float | None,
    trim: float,
    max_iterations: int,
    tolerance: float,
    secants: list[tuple[np.ndarray, np.ndarray]],
) -> Fit:
    """Pairs each point with the closest point of the surface, moves the surface, and so on until the RMSE settles.

    The closed-form fit to fixed pairs never raises the RMSE but crawls, as pairs resist sliding along the surface.
    So a Gauss-Newton step of the same objective, which lets them slide, is tried first, accelerated by what earlier
    steps did (`secants`, which go on from stage to stage), and the first one kept that is better. All have the same
    fixed points. It is over, too, when the Gauss-Newton step promises less than the tolerance.
    """
    kept = max(MIN_POINTS, round((1 - trim) * len(points)))
    center = points.mean(axis=0)
    size = float(np.sqrt(np.mean(np.sum(np.square(points - center[None]), axis=1))))

    def pair(alignment: Alignment) -> tuple[ClosestPoints, np.ndarray, float]:
        closest = surface.closest(alignment.invert(points))
        rows = np.argpartition(closest.distance, kept - 1)[:kept] if kept < len(points) else np.arange(len(points))
        return closest, rows, alignment.scale * float(np.sqrt(np.mean(np.square(closest.distance[rows]))))

    closest, rows, rmse = pair(alignment)
    last = None  # the step of the iteration before, and how the surface was moved then
    for iteration in range(max_iterations):
        source, target = closest.points[rows], points[rows]
        step, promise = _newton_step(alignment.apply(source), target, center, size, scale)
        if rmse <= 1e-9 * size or promise < tolerance:
            return Fit(alignment, closest, iteration, True)
        if last is not None:
            secants.append((step - last[0], last[1]))
            del secants[:-_REMEMBERED]
        accelerated = _accelerated(step, secants)
        for move in (step, None) if accelerated is step else (accelerated, step, None):
            if move is None:
                proposal = fit_alignment(source, target, scale=scale)
            else:
                proposal = _moved(alignment, move, center, size)
            found = pair(proposal)
            if found[2] < rmse:
                break
            secants.clear()  # they do not hold here
        else:
            return Fit(alignment, closest, iteration, True)
        last = None if move is None else (step, move)
        change = (rmse - found[2]) / rmse
        alignment, (closest, rows, rmse) = proposal, found
        if change < tolerance:
            return Fit(alignment, closest, iteration + 1, True)
    return Fit(alignment, closest, max_iterations, False)


def _newton_step(
    moved: np.ndarray, target: np.ndarray, center: np.ndarray, size: float, scale: float | None
) -> tuple[np.ndarray, float]:
    """The step, [6] or with a free scale [7], mm, and the relative fall of the RMSE that it promises.

    Gauss-Newton on sum_i |v_i - y_i|^2, y_i on the surface: only motion along u_i = (v_i - y_i) / |...| counts.

    u . (v - y) = u . (omega x p + t + sigma p),  p = (y - center) / size;  omega: turn, t: shift, sigma: log scale
    """
    arm, gap = (moved - center[None]) / size, target - moved
    distance = np.linalg.norm(gap, axis=1)
    # A pair that touches has no direction and, for this step, no say.
    direction = gap / np.maximum(distance, np.finfo(np.float64).tiny)[:, None]
    columns = [np.cross(arm, direction), direction]
    if scale is None:
        columns.append(np.sum(arm * direction, axis=1, keepdims=True))
    jacobian = np.concatenate(columns, axis=1)
    step = np.linalg.lstsq(jacobian, distance, rcond=1e-9)[0]
    left = np.linalg.norm(distance - jacobian @ step)
    return step, float(1 - left / max(float(np.linalg.norm(distance)), np.finfo(np.float64).tiny))


def _moved(alignment: Alignment, step: np.ndarray, center: np.ndarray, size: float) -> Alignment:
    """The alignment after a step: turn and growth are about the center, and in mm at the distance `size` from it."""
    turn = Rotation.from_rotvec(step[:3] / size).as_matrix()
    growth = float(np.exp(np.clip(step[6] / size, -0.5, 0.5))) if len(step) == 7 else 1.0
    return Alignment(
        scale=alignment.scale * growth,
        rotation=turn @ alignment.rotation,
        translation=growth * turn @ (alignment.translation - center) + center + step[3:6],
    )


def _accelerated(step: np.ndarray, secants: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Anderson acceleration (type II): where the step would vanish if it went on to change with moves as it did.

    Args:
      step: of the fixed-point iteration, here.
      secants: (change of that step, move that made it) of earlier iterations.
    """
    if not secants:
        return step
    changes, moves = (np.stack(part, axis=1) for part in zip(*secants, strict=True))
    weights = np.linalg.lstsq(changes, step, rcond=1e-3)[0]
    move = step - (moves + changes) @ weights
    return move if np.linalg.norm(move) <= _BOLDEST * np.linalg.norm(step) else step
