"""Error of projected landmarks relative to the size of the face (NME)."""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Float

NORMALIZATIONS = ("box", "eyes")
OUTER_EYE_CORNERS = (36, 45)
YAW_BINS = (30.0, 60.0)  # degrees, borders of |yaw|: the bins of the AFLW2000-3D protocol


def nme(
    predicted: Float[np.ndarray, "N 68 2"], target: Float[np.ndarray, "N 68 2"], normalization: str = "box"
) -> Float[np.ndarray, " N"]:
    """Normalized mean error of each sample: mean distance over the 68 points / size of the face, a fraction.

    Args:
      predicted: landmarks in pixels.
      target: labels in pixels.
      normalization: "box", the square root of width x height of the box around the labels (AFLW2000-3D protocol), or
        "eyes", the distance of the outer eye corners (300W protocol, for frontal faces).

    Raises:
      ValueError: if `normalization` is unknown or a face has no size.
    """
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    if normalization == "box":
        size = np.sqrt(np.prod(target.max(axis=1) - target.min(axis=1), axis=-1))
    elif normalization == "eyes":
        size = np.linalg.norm(target[:, OUTER_EYE_CORNERS[0]] - target[:, OUTER_EYE_CORNERS[1]], axis=-1)
    else:
        raise ValueError(f"unknown normalization {normalization!r}; choose one of {', '.join(NORMALIZATIONS)}")
    bad = np.flatnonzero(~(size > 0))
    if bad.size:
        raise ValueError(f"the labels of {bad.size} samples span no area, first sample {bad[0]}; leave them out")
    return np.linalg.norm(predicted - target, axis=-1).mean(axis=-1) / size


@dataclasses.dataclass(frozen=True)
class YawBin:
    """Samples whose |yaw| is in (low, high] degrees (the first bin includes its lower border)."""

    low: float
    high: float
    count: int
    mean: float  # NaN if the bin is empty


def by_yaw(errors: Float[np.ndarray, " N"], yaw: Float[np.ndarray, " N"]) -> tuple[list[YawBin], float]:
    """Mean error per bin of |yaw| (0-30, 30-60, 60-90 degrees), and the mean over the bins that have samples.

    The mean over bins is what is published for AFLW2000-3D: few profiles count as much as many frontal faces.

    Args:
      errors: one per sample.
      yaw: radians.
    """
    degrees = np.abs(np.rad2deg(yaw))
    place = np.digitize(degrees, YAW_BINS, right=True)
    borders = (0.0, *YAW_BINS, 90.0)
    bins = []
    for i, (low, high) in enumerate(itertools.pairwise(borders)):
        own = np.asarray(errors, np.float64)[place == i]
        bins.append(YawBin(low, high, len(own), float(own.mean()) if len(own) else float("nan")))
    means = [b.mean for b in bins if b.count]
    return bins, float(np.mean(means)) if means else float("nan")
