"""Photos that say themselves how many faces are in them, and the detector that believes them."""

import cv2
import numpy as np

from sirjax.networks.mtcnn import Detections
from tests.oracles import TEMPLATE


class MarkedFaces:
    """Finds as many faces as the photo's first pixel says (its red value)."""

    def detect(self, image):
        count = int(image[0, 0, 0])
        points = np.array([TEMPLATE + np.array([60 * i, 10]) for i in range(count)]).reshape(-1, 5, 2)
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return Detections(boxes, np.full(count, 0.9), points)


def make_photo(path, faces, size=(160, 240)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((*size, 3), 90, np.uint8)
    image[0, 0, ::-1] = faces, 0, 0
    cv2.imwrite(str(path), image)
