"""Figures over many scans: means over images, what all points together give, cumulative curves, intervals by person.

The MICC protocol averages figures of images; the NoW challenge takes the distances of all images as one heap. Both are
here. Intervals come from drawing whole people with replacement. I images, S people, B bins of a histogram; NumPy.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation.bootstrap import Interval, bootstrap_mean
from sirjax.evaluation.scan_error import Distances, ScanError

KINDS = ("plane", "surface", "vertex")
STATISTICS = ("rmse", "mean", "median", "percentile_95")
BIN = 0.01  # mm, of the histograms: medians of all points are known to this
LAST = 20.0  # mm, where they end; one more bin takes what is beyond
CED = np.linspace(0.0, 5.0, 101)  # mm, step 0.05
TIP_GAP = 25.0  # mm between a scan's nose tip and the aligned prediction's, beyond which the former is doubtful
_LEVEL, _RESAMPLES = 0.95, 1000


@dataclass(frozen=True)
class Measured:
    """The error of one image, without the distances of its points."""

    name: str
    subject: str
    error: dict[str, Distances]  # of each of KINDS
    scale: float
    iterations: int
    converged: bool
    num_points: int
    histogram: np.ndarray  # int64 [B], of the distances to the surface
    total: float  # of those distances, mm
    total_square: float  # mm^2
    tip_gap: float | None  # mm, as in ScanError

    @classmethod
    def of(cls, name: str, subject: str, error: ScanError) -> "Measured":
        """Summarizes one measurement."""
        distance = error.surface_distance
        bins = np.minimum((distance / BIN).astype(np.int64), round(LAST / BIN))
        return cls(
            name=name,
            subject=subject,
            error={kind: getattr(error, kind) for kind in KINDS},
            scale=error.alignment.scale,
            iterations=error.iterations,
            converged=error.converged,
            num_points=len(distance),
            histogram=np.bincount(bins, minlength=round(LAST / BIN) + 1),
            total=float(distance.sum()),
            total_square=float(np.square(distance).sum()),
            tip_gap=error.tip_gap,
        )


@dataclass(frozen=True)
class ScanSummary:
    """Figures over I images, mm."""

    images: dict[str, dict[str, Interval]]  # [kind][statistic]: mean over images
    points: dict[str, Interval]  # median, mean, std of the distances to the surface of all points of all images
    ced_images: np.ndarray  # [101] share of images whose plane RMSE is at most CED
    ced_points: np.ndarray  # [101] share of points whose distance to the surface is at most CED

    def metrics(self) -> dict:
        """For JSON."""
        return {
            "mean_over_images": {
                kind: {name: _as_dict(interval) for name, interval in figures.items()}
                for kind, figures in self.images.items()
            },
            "all_points": {name: _as_dict(interval) for name, interval in self.points.items()},
            "ced": {
                "millimeters": CED.round(2).tolist(),
                "images_plane_rmse": self.ced_images.round(5).tolist(),
                "points_surface": self.ced_points.round(5).tolist(),
            },
        }


def tip_is_doubtful(one: Measured) -> bool:
    """Whether the scan was cropped around something that is not the nose: a spike, hair, a chin."""
    return one.tip_gap is not None and one.tip_gap > TIP_GAP


def summarize(measured: list[Measured], *, seed: int = 0) -> ScanSummary:
    """Figures and intervals of at least one image.

    Raises:
      ValueError: if there is none.
    """
    if not measured:
        raise ValueError("no image could be measured: there is nothing to summarize")
    _, person = np.unique([one.subject for one in measured], return_inverse=True)
    rng = np.random.default_rng(seed)
    images = {
        kind: {
            name: bootstrap_mean(np.array([getattr(one.error[kind], name) for one in measured]), person, rng)
            for name in STATISTICS
        }
        for kind in KINDS
    }
    rmse = np.array([one.error["plane"].rmse for one in measured])
    cumulative = np.cumsum(np.sum([one.histogram for one in measured], axis=0))
    below = np.concatenate([[0], cumulative])[np.rint(CED / BIN).astype(int)]
    return ScanSummary(
        images=images,
        points=_of_all_points(measured, person, rng),
        ced_images=(rmse[None, :] <= CED[:, None]).mean(axis=1),
        ced_points=below / cumulative[-1],
    )


def paired_difference(measured: list[Measured], other: dict[str, Measured], *, seed: int = 0) -> Interval:
    """Mean plane RMSE of images minus that of `other` for the same person's scan."""
    difference = np.array([one.error["plane"].rmse - other[one.subject].error["plane"].rmse for one in measured])
    _, person = np.unique([one.subject for one in measured], return_inverse=True)
    return bootstrap_mean(difference, person, np.random.default_rng(seed))


def _of_all_points(
    measured: list[Measured], person: Int[np.ndarray, " I"], rng: np.random.Generator
) -> dict[str, Interval]:
    """Median, mean and standard deviation of one heap of distances, and of heaps of resampled people."""
    people = person.max() + 1
    heap = np.zeros((people, len(measured[0].histogram)))
    moments = np.zeros((people, 3))
    for one, who in zip(measured, person, strict=True):
        heap[who] += one.histogram
        moments[who] += [one.num_points, one.total, one.total_square]
    drawn = rng.multinomial(people, np.full(people, 1 / people), size=_RESAMPLES)
    weights = np.concatenate([np.ones((1, people)), drawn])  # the first row: everybody once
    count, total, square = (weights @ moments).T
    mean = total / count
    values = {
        "median": _median(weights @ heap),
        "mean": mean,
        "std": np.sqrt(np.maximum(square / count - mean**2, 0.0)),
    }
    ends = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    intervals = {}
    for name, value in values.items():
        low, high = np.quantile(value[1:], ends)
        intervals[name] = Interval(float(value[0]), float(low), float(high), _LEVEL)
    return intervals


def _median(histograms: Float[np.ndarray, "R B"]) -> Float[np.ndarray, " R"]:
    """Where half of each histogram lies below, straight inside a bin."""
    cumulative = np.cumsum(histograms, axis=1)
    half = cumulative[:, -1:] / 2
    place = (cumulative < half).sum(axis=1)
    rows = np.arange(len(histograms))
    before = cumulative[rows, place] - histograms[rows, place]
    return BIN * (place + (half[:, 0] - before) / histograms[rows, place])


def _as_dict(interval: Interval) -> dict[str, float]:
    return {"value": interval.mean, "low": interval.low, "high": interval.high, "level": interval.level}
