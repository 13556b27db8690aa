"""Error of projected landmarks relative to the size of the face (NME): whole face, by region, by yaw, cumulative.

All normalizations are lengths in the image, so that an error is the same number in the crop's pixels and in the
photo's: a similarity leads from one to the other and scales both alike. The box is the one exception: it is that of
the axes it is measured along, and a crop is turned against its photo.
"""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Float

NORMALIZATIONS = ("box", "eyes", "pupils")
OUTER_EYE_CORNERS = (36, 45)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
REGIONS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
YAW_BINS = (30.0, 60.0)  # degrees, borders of |yaw|: the bins of the AFLW2000-3D protocol
FAILURE = 0.08  # a face whose error is larger counts as lost


def face_size(target: Float[np.ndarray, "N 68 2"], normalization: str = "box") -> Float[np.ndarray, " N"]:
    """What an error is divided by, pixels.

    Args:
      target: labels in pixels.
      normalization: "box", the square root of width x height of the box around the labels (AFLW2000-3D protocol);
        "eyes", the distance of the outer eye corners (inter-ocular, 300-W protocol) or "pupils", that of the eye
        centers, means of six points each (inter-pupil); both for faces that are not in profile.

    Raises:
      ValueError: if `normalization` is unknown, a label is not finite or a face has no size.
    """
    target = np.asarray(target, np.float64)
    if normalization == "box":
        size = np.sqrt(np.prod(target.max(axis=1) - target.min(axis=1), axis=-1))
    elif normalization == "eyes":
        size = np.linalg.norm(target[:, OUTER_EYE_CORNERS[0]] - target[:, OUTER_EYE_CORNERS[1]], axis=-1)
    elif normalization == "pupils":
        size = np.linalg.norm(target[:, RIGHT_EYE].mean(axis=1) - target[:, LEFT_EYE].mean(axis=1), axis=-1)
    else:
        raise ValueError(f"unknown normalization {normalization!r}; choose one of {', '.join(NORMALIZATIONS)}")
    bad = np.flatnonzero(~(size > 0))
    if bad.size:
        raise ValueError(f"the labels of {bad.size} samples span no area, first sample {bad[0]}; leave them out")
    return size


def point_errors(
    predicted: Float[np.ndarray, "N 68 2"], target: Float[np.ndarray, "N 68 2"], normalization: str = "box"
) -> Float[np.ndarray, "N 68"]:
    """Distance of each point to its label / size of the face, a fraction; see `face_size`.

    Raises:
      ValueError: as `face_size`, and if a predicted point is not finite: a point that was not found must not count as
        a good one, nor spoil the mean of the others.
    """
    predicted, target = np.asarray(predicted, np.float64), np.asarray(target, np.float64)
    bad = np.flatnonzero(~np.isfinite(predicted).all(axis=(1, 2)))
    if bad.size:
        raise ValueError(f"{bad.size} samples have predicted points that are not finite, first sample {bad[0]}")
    return np.linalg.norm(predicted - target, axis=-1) / face_size(target, normalization)[:, None]


def nme(
    predicted: Float[np.ndarray, "N 68 2"], target: Float[np.ndarray, "N 68 2"], normalization: str = "box"
) -> Float[np.ndarray, " N"]:
    """Normalized mean error of each sample: mean distance over the 68 points / size of the face, a fraction."""
    return point_errors(predicted, target, normalization).mean(axis=-1)


def by_region(errors: Float[np.ndarray, "N 68"]) -> dict[str, Float[np.ndarray, " N"]]:
    """Mean error of each sample over the points of jaw, brows, nose, eyes and mouth."""
    return {name: np.asarray(errors)[:, points].mean(axis=1) for name, points in REGIONS.items()}


def cumulative(
    errors: Float[np.ndarray, " N"], limit: float = FAILURE, steps: int = 161
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Cumulative error distribution: thresholds from 0 to `limit`, and the share of samples with at most that error."""
    thresholds = np.linspace(0.0, limit, steps)
    return thresholds, np.searchsorted(np.sort(errors), thresholds, side="right") / max(len(errors), 1)


def area_under_curve(errors: Float[np.ndarray, " N"], limit: float = FAILURE) -> Float[np.ndarray, " N"]:
    """What each sample adds to the area under the cumulative distribution from 0 to `limit`, as a share of it.

    The mean over the samples is the area, exactly: the curve is a sum of steps, and the step of a sample with error e
    fills max(0, 1 - e / limit) of its row.
    """
    return np.maximum(0.0, 1.0 - np.asarray(errors, np.float64) / limit)


def yaw_bin(yaw: Float[np.ndarray, " N"]) -> np.ndarray:
    """The bin of each |yaw| (radians): 0 up to 30 degrees, 1 up to 60, 2 beyond."""
    # Angles that were degrees in a file must not cross a border by rounding on their way through radians.
    degrees = np.round(np.abs(np.rad2deg(np.asarray(yaw, np.float64))), 6)
    return np.digitize(degrees, YAW_BINS, right=True)


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
    place = yaw_bin(yaw)
    borders = (0.0, *YAW_BINS, 90.0)
    bins = []
    for i, (low, high) in enumerate(itertools.pairwise(borders)):
        own = np.asarray(errors, np.float64)[place == i]
        bins.append(YawBin(low, high, len(own), float(own.mean()) if len(own) else float("nan")))
    means = [b.mean for b in bins if b.count]
    return bins, float(np.mean(means)) if means else float("nan")
