"""Finds the face that is meant in photos that came without landmarks, many photos at a time.

First the detector looks for faces that fill a good part of their photo, which is quick and what portrait sets hold; the
photos in which it finds none are searched again for smaller ones.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from data_prep.cropping import OpenPhoto
from data_prep.source import Rejected
from sirjax.data import alignment
from sirjax.networks.mtcnn import MTCNN, Detections

LIKELY_SHARE = 0.2  # side of the smallest face of the first search, of the photo's shorter side
SMALLEST_FACE = 20  # pixels of the second search
CENTER_WEIGHT = 2.0  # of the squared distance to the photo's center against the box's area
POINT_GRID = 32  # points are rounded to 1/32 px, far below their error: the last bits depend on the processor


class FaceFinder:
    """The detector of one worker process; its networks are compiled when first needed."""

    def __init__(self):
        self._searches: list[MTCNN] | None = None

    def find(self, photos: Sequence[OpenPhoto]) -> list[Float[np.ndarray, "2 3"] | Rejected]:
        """crop_from_photo of the face that is meant in each photo, or why there is none."""
        if self._searches is None:
            self._searches = [MTCNN(SMALLEST_FACE, min_face_share=LIKELY_SHARE), MTCNN(SMALLEST_FACE)]
        found: list[np.ndarray | Rejected] = [Rejected("no face was searched for")] * len(photos)
        left = list(range(len(photos)))
        for search in self._searches:
            for i, faces in zip(left, search.detect_all([photos[i].image for i in left]), strict=True):
                try:
                    found[i] = face_matrix(faces, choose(faces, photos[i]))
                except Rejected as error:
                    found[i] = error
            left = [i for i in left if isinstance(found[i], Rejected)]
            if not left:
                break
        return found


def choose(faces: Detections, photo: OpenPhoto) -> int:
    """Which face is meant: the one nearest the place the data set names, else the most central large one.

    Raises:
      Rejected: if there is none, or none at that place.
    """
    if not len(faces):
        raise Rejected("no face was found")
    center = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    size = faces.boxes[:, 2:] - faces.boxes[:, :2]
    if photo.near is None:
        middle = (np.array(photo.image.shape[1::-1]) - 1) / 2
        off_center = np.sum((center - middle) ** 2, axis=1)
        return int(np.argmax(np.prod(size, axis=1) - CENTER_WEIGHT * off_center))
    place = photo.near if photo.near.shape == (2,) else (photo.near[:2] + photo.near[2:]) / 2
    best = int(np.argmin(np.sum((center - place) ** 2, axis=1)))
    if np.any(np.abs(center[best] - place) > size[best] / 2):
        raise Rejected(f"no face was found at ({place[0]:.0f}, {place[1]:.0f}), where the data set has one")
    return best


def face_matrix(faces: Detections, index: int) -> Float[np.ndarray, "2 3"]:
    """crop_from_photo by the five points of a face, or by its box where they do not fit the template.

    Raises:
      Rejected: if the box is empty.
    """
    points = np.rint(faces.points[index].astype(np.float64) * POINT_GRID) / POINT_GRID
    try:
        matrix = alignment.crop_from_photo(points)
        if alignment.template_residual(points, matrix) <= alignment.MAX_TEMPLATE_RESIDUAL:
            return matrix
    except ValueError:
        pass  # points that coincide: the box decides
    try:
        return alignment.crop_from_box(np.rint(faces.boxes[index] * POINT_GRID) / POINT_GRID)
    except ValueError as error:
        raise Rejected(f"the face cannot be aligned: {error}") from None
