"""Everything that is said about predicted landmarks: errors by yaw and region, three normalizations, intervals."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation import landmark_error
from sirjax.evaluation.bootstrap import Interval, bootstrap_mean
from sirjax.evaluation.landmark_error import FAILURE, NORMALIZATIONS, YAW_BINS

LEVEL = 0.95
BIN_NAMES = ("|yaw| <= 30°", "30° < |yaw| <= 60°", "60° < |yaw|")


@dataclasses.dataclass(frozen=True)
class Bin:
    """The samples of one range of |yaw|."""

    name: str
    count: int
    error: Interval | None  # None if there are no samples


@dataclasses.dataclass(frozen=True)
class LandmarkResult:
    """Errors are fractions of the size of the face; intervals are bootstrap intervals over groups."""

    protocol: str
    errors: np.ndarray  # [N] NME by the main normalization
    error: Interval  # mean over all samples
    by_normalization: dict[str, Interval]
    bins: list[Bin] | None  # None where no yaw is known
    mean_of_bins: Interval | None  # mean over the bins that have samples: the figure published for AFLW2000-3D
    regions: dict[str, Interval]
    area: Interval  # under the cumulative distribution up to `limit`, a share
    failures: Interval  # share of samples with an error above `limit`
    limit: float
    order: np.ndarray  # [N] samples from the smallest error to the largest

    @property
    def median(self) -> float:
        """The error that half of the samples do not exceed."""
        return float(np.median(self.errors))

    def metrics(self) -> dict[str, float | int | list[float]]:
        """The figures by name; errors in percent of the size of the face, intervals as [low, high]."""
        values: dict[str, float | int | list[float]] = {"samples": len(self.errors)}

        def put(name: str, interval: Interval) -> None:
            values[name] = 100 * interval.mean
            values[f"{name}_interval"] = [100 * interval.low, 100 * interval.high]

        put("nme", self.error)
        values["nme_median"] = 100 * self.median
        for name, interval in self.by_normalization.items():
            put(f"nme_by_{name}", interval)
        for i, yaw_bin in enumerate(self.bins or []):
            values[f"nme_yaw_{i}_samples"] = yaw_bin.count
            if yaw_bin.error is not None:
                put(f"nme_yaw_{i}", yaw_bin.error)
        if self.mean_of_bins is not None:
            put("nme_mean_of_bins", self.mean_of_bins)
        for name, interval in self.regions.items():
            put(f"nme_of_{name}", interval)
        put("auc", self.area)
        put("failures", self.failures)
        return values


def evaluate_landmarks(
    predicted: Float[np.ndarray, "N 68 2"],
    target: Float[np.ndarray, "N 68 2"],
    *,
    yaw: Float[np.ndarray, " N"] | None = None,
    group: Int[np.ndarray, " N"] | None = None,
    normalization: str = "box",
    limit: float = FAILURE,
    resamples: int = 2000,
    seed: int = 0,
) -> LandmarkResult:
    """Errors of predicted landmarks with everything one wants to know about them.

    Args:
      predicted: points in the pixels of the original photos: the box of a turned crop is another one.
      target: labels in the same pixels.
      yaw: radians, for errors by yaw.
      group: what is drawn with replacement for the intervals, such as the person of each photo; each sample is its
        own group if not given.
      normalization: of the main figure, see `landmark_error.face_size`.
      limit: where the cumulative distribution ends and failures begin, a fraction.
      resamples: draws of the bootstrap.
      seed: of the bootstrap.

    Raises:
      ValueError: if there are no samples, arrays differ in length, or points or labels are unusable.
    """
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    count = len(target)
    if predicted.shape != target.shape or count == 0:
        raise ValueError(
            f"need predicted points and labels of one shape [N, 68, 2], got {list(predicted.shape)} and "
            f"{list(target.shape)}"
        )
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"unknown normalization {normalization!r}; choose one of {', '.join(NORMALIZATIONS)}")
    group = np.arange(count) if group is None else np.asarray(group)

    def interval(values: np.ndarray) -> Interval:
        # The same draws for every figure: they can be compared, and leaving one out changes no other.
        return bootstrap_mean(values, group, np.random.default_rng(seed), level=LEVEL, resamples=resamples)

    points = landmark_error.point_errors(predicted, target, normalization)
    errors = points.mean(axis=1)
    bins, mean_of_bins = (None, None) if yaw is None else _by_yaw(errors, yaw, group, resamples, seed)
    groups = len(np.unique(group))
    return LandmarkResult(
        protocol=(
            f"landmarks-v1: {count} faces, 68 points, NME / {normalization}, AUC and failures at {limit:.0%}, "
            f"{LEVEL:.0%} intervals from {resamples} draws of {groups} "
            f"{'photos' if groups == count else 'groups of photos'}, seed {seed}"
        ),
        errors=errors,
        error=interval(errors),
        by_normalization={name: interval(landmark_error.nme(predicted, target, name)) for name in NORMALIZATIONS},
        bins=bins,
        mean_of_bins=mean_of_bins,
        regions={name: interval(values) for name, values in landmark_error.by_region(points).items()},
        area=interval(landmark_error.area_under_curve(errors, limit)),
        failures=interval((errors > limit).astype(np.float64)),
        limit=limit,
        order=np.argsort(errors, kind="stable"),
    )


def _by_yaw(
    errors: np.ndarray, yaw: np.ndarray, group: np.ndarray, resamples: int, seed: int
) -> tuple[list[Bin], Interval]:
    """The bins, and the mean over them with an interval that draws the groups once for all bins."""
    place = landmark_error.yaw_bin(yaw)
    numbers = range(len(YAW_BINS) + 1)
    bins = []
    for name, i in zip(BIN_NAMES, numbers, strict=True):
        own = place == i
        rng = np.random.default_rng(seed)
        error = bootstrap_mean(errors[own], group[own], rng, level=LEVEL, resamples=resamples) if own.any() else None
        bins.append(Bin(name, int(own.sum()), error))

    _, member = np.unique(group, return_inverse=True)
    num_groups = member.max() + 1
    cell = member * len(bins) + place
    sums = np.bincount(cell, weights=errors, minlength=num_groups * len(bins)).reshape(num_groups, len(bins))
    counts = np.bincount(cell, minlength=num_groups * len(bins)).reshape(num_groups, len(bins))
    filled = counts.sum(axis=0) > 0
    rng = np.random.default_rng(seed)
    means = np.empty(resamples)
    for r in range(resamples):
        drawn = np.bincount(rng.integers(num_groups, size=num_groups), minlength=num_groups)
        drawn_sums, drawn_counts = (drawn @ sums)[filled], (drawn @ counts)[filled]
        # A draw without any profile says nothing about the mean over bins.
        means[r] = np.mean(drawn_sums / drawn_counts) if drawn_counts.all() else np.nan
    low, high = np.nanquantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    mean = float(np.mean(sums.sum(axis=0)[filled] / counts.sum(axis=0)[filled]))
    return bins, Interval(mean, float(low), float(high), LEVEL)
