"""Backdrops of rendered photos cut from real photos, at places where these show no face.

    boxes of faces -> what is blocked (`people`) -> rectangles beside it (`free_rectangles`) -> random patches

Which photos, and where their faces are, is found out by `data_prep.background_photos`. Rectangles are left, top, right,
bottom in *edges*: pixel i covers [i, i + 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Int

from sirjax.constants import IMAGE_SIZE

MIN_WIDTH = 40  # pixels of the photo across a patch: it is enlarged by 2.4 at most
MIN_HEIGHT = -(-MIN_WIDTH * IMAGE_SIZE[0] // IMAGE_SIZE[1])
BLURRED = 0.5  # share of the patches that are put out of focus
UNKNOWN_LICENCE = "unknown: the backgrounds are parts of photos whose terms were not given"
# What belongs to a face, in widths and heights of its box (forehead to chin): left, top, right, bottom beyond it.
_HEAD = np.array([-0.5, -0.6, 0.5, 0.4])
_BODY = np.array([-1.1, 1.0, 1.1, 8.0])  # begins at the chin; shoulders are three faces wide


@dataclass(frozen=True)
class BackgroundPhoto:
    """A small copy of a photo, and where it shows no face."""

    name: str
    jpeg: bytes
    free: np.ndarray  # i64 [R, 4] overlapping rectangles of the copy, each with room for a patch; R >= 1


@dataclass(frozen=True)
class PhotoBackgrounds:
    """The photos that lend backgrounds to a rendered set."""

    photos: tuple[BackgroundPhoto, ...]
    share: float  # of the rendered photos that get one
    description: Mapping[str, Any] = field(default_factory=dict)  # for the manifest; "licence" is that of the photos
    left_out: Mapping[str, str] = field(default_factory=dict)  # name of a photo without use -> why

    def draw(self, random: np.random.Generator) -> Float[np.ndarray, "H W 3"] | None:
        """A patch of a random photo as a backdrop of the crop's size, RGB in [0, 1]; None for the share without one."""
        if random.random() >= self.share:
            return None
        photo = self.photos[random.integers(len(self.photos))]
        left, top, right, bottom = draw_patch(random, photo.free)
        copy = np.asarray(cv2.imdecode(np.frombuffer(photo.jpeg, np.uint8), cv2.IMREAD_COLOR_RGB))
        patch = copy[top:bottom, left:right]
        shrunk = patch.shape[0] > IMAGE_SIZE[0]
        patch = cv2.resize(patch, IMAGE_SIZE[::-1], interpolation=cv2.INTER_AREA if shrunk else cv2.INTER_LINEAR)
        patch = patch[:, ::-1] if random.random() < 0.5 else patch
        patch = np.ascontiguousarray(patch, np.float32) / 255
        return cv2.GaussianBlur(patch, (0, 0), random.uniform(0.5, 4)) if random.random() < BLURRED else patch


def draw_patch(random: np.random.Generator, free: Int[np.ndarray, "R 4"]) -> tuple[int, int, int, int]:
    """A random rectangle of the crop's proportions inside one of the free ones, large ones preferred."""
    size = free[:, 2:] - free[:, :2]
    area = np.prod(size, axis=1)
    chosen = random.choice(len(free), p=area / area.sum())
    (left, top), (room, height) = free[chosen, :2].tolist(), size[chosen].tolist()
    widest = min(room, height * IMAGE_SIZE[1] // IMAGE_SIZE[0])
    width = round(MIN_WIDTH * (widest / MIN_WIDTH) ** random.random())  # as many small as large ones
    tall = min(height, -(-width * IMAGE_SIZE[0] // IMAGE_SIZE[1]))
    left += int(random.integers(room - width + 1))
    top += int(random.integers(height - tall + 1))
    return left, top, left + width, top + tall


def people(boxes: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "M 4"]:
    """What upright faces (boxes from forehead to chin) show that people are there: head with hair, and the body below.

    A body without its head would look odder than a second face.
    """
    size = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return np.concatenate([boxes + _HEAD * size, boxes + _BODY * size])


def free_rectangles(size: tuple[int, int], blocked: Float[np.ndarray, "N 4"]) -> Int[np.ndarray, "R 4"]:
    """Rectangles of a picture that touch nothing blocked and have room for a patch.

    Every patch that is free lies in one of them: they reach, on every side, to the picture's edge or a blocked box.

    Args:
      size: height and width of the picture.
      blocked: boxes, which may reach beyond the picture.
    """
    height, width = size
    low = np.clip(np.floor(blocked[:, :2]), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(blocked[:, 2:]), 0, (width, height)).astype(int)
    boxes = np.concatenate([low, high], axis=1)
    boxes = boxes[(low < high).all(axis=1)]
    boxes = boxes[np.argsort(boxes[:, 1], kind="stable")]  # from the top
    found = set()
    for left in {0, *boxes[:, 2].tolist()}:
        for right in {width, *boxes[:, 0].tolist()}:
            if right - left >= MIN_WIDTH:
                between = boxes[(boxes[:, 0] < right) & (boxes[:, 2] > left)]
                found |= {(left, top, right, bottom) for top, bottom in _gaps(between[:, 1::2].tolist(), height)}
    return np.array(sorted(found), int).reshape(-1, 4)


def _gaps(spans: list[list[int]], end: int) -> list[tuple[int, int]]:
    """What spans (begin, end), sorted by begin, leave free of 0..end, as far as a patch has room there."""
    gaps, reached = [], 0
    for start, stop in [*spans, [end, end]]:
        if start - reached >= MIN_HEIGHT:
            gaps.append((reached, start))
        reached = max(reached, stop)
    return gaps


def licence_of_set(face_model_licence: str, backgrounds_licence: str) -> str:
    """The terms of pictures that show rendered faces before parts of photos.

    A face model under CC0 adds none to those of the photos. Of others both are named, and it is left to the reader to
    judge what they are together.
    """
    if face_model_licence.startswith("CC0"):
        return backgrounds_licence
    return f"faces: {face_model_licence or 'unknown'}; backgrounds: {backgrounds_licence}"
