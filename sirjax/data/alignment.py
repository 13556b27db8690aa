"""From a photo to the aligned crop and back: similarity transforms between five points and the template.

A transform is a 2x3 matrix M named target from source: target = M[:, :2] @ source + M[:, 2], in pixels whose top-left
center is (0, 0) (the convention of cv2.warpAffine and of sirjax.types). Everything is NumPy float64, so that points
carried into the crop and back return to within 1e-4 px even in the largest photos.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.constants import IMAGE_SIZE, TEMPLATE_POINTS

TEMPLATE = np.asarray(TEMPLATE_POINTS, np.float64)  # [5, 2] eye centers, nose tip, mouth corners of the aligned crop
# Where boxes land in aligned crops (left, top, right, bottom), medians: the box of the 68 landmarks over 1,207 photos
# of HELEN and AFW, that of MTCNN over 60 of them.
LANDMARK_BOX = (6.7, 38.7, 88.6, 118.1)
DETECTOR_BOX = (7.9, 12.2, 84.3, 115.0)
MAX_TEMPLATE_RESIDUAL = 12.0  # px; the worst of the same 1,207 photos, hand-marked at all poses, has 10.3


def crop_from_photo(points: Float[np.ndarray, "5 2"], template: Float[np.ndarray, "5 2"] = TEMPLATE) -> np.ndarray:
    """The similarity (rotation, uniform scale, shift; never a reflection) that best moves five points to the template.

    Least squares in closed form: with points as complex numbers, a = sum(conj(s) t) / sum(|s|^2) about the means.

    Args:
      points: subject's right eye center (left in the image), other eye center, nose tip, mouth corners; photo pixels.
      template: where they belong in the crop.

    Returns:
      The 2x3 matrix crop_from_photo.

    Raises:
      ValueError: if the points are not finite, coincide, or have no direction in common with the template.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise ValueError(f"alignment needs 5 finite points (x, y), got {points.tolist()}")
    source, target = points @ (1, 1j), np.asarray(template, np.float64) @ (1, 1j)
    centered_source, centered_target = source - source.mean(), target - target.mean()
    spread = np.sum(np.abs(centered_source) ** 2)
    turn = np.sum(np.conj(centered_source) * centered_target)
    if spread < 1e-6 or np.abs(turn) < 1e-6 * np.sqrt(spread):
        raise ValueError(f"the five points {points.tolist()} leave no similarity to fit: use crop_from_box")
    turn /= spread
    shift = target.mean() - turn * source.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def crop_from_box(
    box: Float[np.ndarray, "4"] | tuple[float, float, float, float],
    target: tuple[float, float, float, float] = DETECTOR_BOX,
) -> np.ndarray:
    """The upright fallback crop where five points cannot be trusted: moves a face box onto its usual place.

    Args:
      box: left, top, right, bottom in photo pixels.
      target: where such a box lands in aligned crops; `DETECTOR_BOX` or `LANDMARK_BOX`.

    Raises:
      ValueError: if the box is empty or not finite.
    """
    left, top, right, bottom = (float(value) for value in box)
    if not np.isfinite([left, top, right, bottom]).all() or right <= left or bottom <= top:
        raise ValueError(f"a face box needs left < right and top < bottom, got {(left, top, right, bottom)}")
    # The geometric mean of both ratios: a profile's box is narrow, a box cut by the photo's edge is low.
    scale = np.sqrt((target[2] - target[0]) * (target[3] - target[1]) / ((right - left) * (bottom - top)))
    shift_x = (target[0] + target[2]) / 2 - scale * (left + right) / 2
    shift_y = (target[1] + target[3]) / 2 - scale * (top + bottom) / 2
    return np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]])


def five_points(landmarks: Float[np.ndarray, "68 2"]) -> np.ndarray:
    """The five alignment points of 68 iBUG landmarks: eye centers are means of six points; nose 30; mouth 48, 54."""
    landmarks = np.asarray(landmarks, np.float64)
    return np.stack(
        [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0), landmarks[30], landmarks[48], landmarks[54]]
    )


def template_residual(points: Float[np.ndarray, "5 2"], matrix: Float[np.ndarray, "2 3"]) -> float:
    """Root mean square distance of the moved five points to the template, in crop pixels."""
    return float(np.sqrt(np.mean(np.sum((transform_points(matrix, points) - TEMPLATE) ** 2, axis=-1))))


def crop_from_landmarks(landmarks: Float[np.ndarray, "68 2"]) -> np.ndarray:
    """The crop of a face with 68 known landmarks: by its five points, or by their box where the points do not fit.

    Profiles whose eyes and mouth corners collapse onto each other turn or blow up the five-point crop; those whose
    residual exceeds `MAX_TEMPLATE_RESIDUAL` get the upright crop of the landmarks' box.
    """
    points = five_points(landmarks)
    try:
        matrix = crop_from_photo(points)
        if template_residual(points, matrix) <= MAX_TEMPLATE_RESIDUAL:
            return matrix
    except ValueError:
        if not np.isfinite(landmarks).all():
            raise
    return crop_from_box((*np.min(landmarks, axis=0), *np.max(landmarks, axis=0)), LANDMARK_BOX)


def transform_points(matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "*batch 2"]) -> np.ndarray:
    """Moves points (x, y) by a 2x3 matrix."""
    matrix = np.asarray(matrix, np.float64)
    return np.asarray(points, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def compose(outer: Float[np.ndarray, "2 3"], inner: Float[np.ndarray, "2 3"]) -> np.ndarray:
    """The matrix that applies `inner` first, then `outer`."""
    return np.concatenate([outer[:, :2] @ inner[:, :2], transform_points(outer, inner[:, 2])[:, None]], axis=1)


def invert(matrix: Float[np.ndarray, "2 3"]) -> np.ndarray:
    """The inverse transform: photo_from_crop of a crop_from_photo.

    Raises:
      ValueError: if the matrix has no inverse.
    """
    matrix = np.asarray(matrix, np.float64)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-12:
        raise ValueError(f"the transform {matrix.tolist()} has no inverse")
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -(linear @ matrix[:, 2:])], axis=1)


def warp(
    image: UInt8[np.ndarray, "H W 3"],
    matrix: Float[np.ndarray, "2 3"],
    image_size: tuple[int, int] = IMAGE_SIZE,
) -> UInt8[np.ndarray, "h w 3"]:
    """Cuts the crop out of a photo; black where the photo ends. Anti-aliased: a large photo is shrunk by area first.

    Args:
      image: the photo, channels in any order.
      matrix: crop_from_photo, any similarity.
      image_size: height and width of the crop.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or 0 in image.shape:
        raise ValueError(f"warp takes a non-empty uint8 image [H, W, C], got {image.dtype} {list(image.shape)}")
    height, width = image_size
    scale = np.sqrt(abs(np.linalg.det(np.asarray(matrix)[:, :2])))
    if scale < 1.0:
        image, matrix = _shrink(image, np.asarray(matrix, np.float64), (height, width), scale)
    return cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _shrink(image, matrix, image_size, scale):
    """Cuts the part of the photo that the crop shows and resizes it by area, so that the rest of the warp is rigid."""
    height, width = image_size
    corners = np.array([(-1, -1), (width, -1), (-1, height), (width, height)], np.float64)
    shown = transform_points(invert(matrix), corners)
    margin = 2.0 / scale  # two crop pixels, so that the cut's own edge is never sampled
    low = np.maximum(np.floor(shown.min(axis=0) - margin), 0).astype(int)
    high = np.minimum(np.ceil(shown.max(axis=0) + margin) + 1, (image.shape[1], image.shape[0])).astype(int)
    if (high <= low).any():  # the crop lies wholly outside the photo: any pixel of it will do, none is shown
        return image, matrix
    part = image[low[1] : high[1], low[0] : high[0]]
    size = np.maximum(np.round((high - low) * scale), 1).astype(int)
    small = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    step = (high - low) / size  # photo pixels per pixel of `small`; pixel edges, not centers, keep their place
    photo_from_small = np.array([[step[0], 0, low[0] + (step[0] - 1) / 2], [0, step[1], low[1] + (step[1] - 1) / 2]])
    return small, compose(matrix, photo_from_small)
