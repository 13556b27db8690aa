"""Marks and words on images (uint8 RGB, pixels with the center of the top-left one at (0, 0))."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Color = tuple[int, int, int]

PAPER: Color = (246, 245, 242)
INK: Color = (45, 45, 48)
GREEN: Color = (60, 220, 90)
YELLOW: Color = (255, 214, 10)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_SUBPIXEL_BITS = 4  # cv2 draws at fractions of a pixel: coordinates times 16
# iBUG's 68 points as strokes: (first, last, closed)
_STROKES = (
    (0, 16, False),
    (17, 21, False),
    (22, 26, False),
    (27, 30, False),
    (31, 35, False),
    (36, 41, True),
    (42, 47, True),
    (48, 59, True),
    (60, 67, True),
)


def draw_landmarks(
    image: UInt8[np.ndarray, "H W 3"],
    landmarks: Float[np.ndarray, "68 2"],
    *,
    color: Color = GREEN,
    thickness: int = 1,
    numbered: bool = False,
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the image with the 68 points, joined into jaw, brows, nose, eyes and lips; `numbered` counts from 0."""
    canvas = image.copy()
    points = np.rint(np.asarray(landmarks) * 2**_SUBPIXEL_BITS).astype(np.int32)
    for first, last, closed in _STROKES:
        stroke = [points[first : last + 1]]
        cv2.polylines(canvas, stroke, closed, color, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
    radius = (thickness + 1) * 2**_SUBPIXEL_BITS
    for i, (u, v) in enumerate(points.tolist()):
        cv2.circle(canvas, (u, v), radius, color, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
        if numbered:
            place = (round(float(landmarks[i, 0])) + 3, round(float(landmarks[i, 1])) - 2)
            cv2.putText(canvas, str(i), place, _FONT, 0.32, YELLOW, 1, cv2.LINE_AA)
    return canvas


def draw_box(
    image: UInt8[np.ndarray, "H W 3"],
    box: Float[np.ndarray, "4"],
    *,
    label: str = "",
    color: Color = YELLOW,
    thickness: int = 2,
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the image with a box (left, top, right, bottom) and a label over it; without them if the box is NaN."""
    canvas = image.copy()
    if not np.isfinite(box).all():
        return canvas
    left, top, right, bottom = (round(float(side)) for side in box)
    cv2.rectangle(canvas, (left, top), (right, bottom), color, thickness)
    if label:
        cv2.putText(
            canvas, _ascii(label), (left, max(top - 6, 14)), _FONT, 0.5, color, max(1, thickness // 2), cv2.LINE_AA
        )
    return canvas


def caption(
    text: str, width: int, *, height: int = 26, size: float = 0.45, background: Color = PAPER
) -> UInt8[np.ndarray, "H W 3"]:
    """A strip with one line of text, centered and shrunk to fit."""
    strip = blank(height, width, background)
    text = _ascii(text)
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, size, 1)
    if text_width > width - 8:
        size *= (width - 8) / text_width
        (text_width, text_height), _ = cv2.getTextSize(text, _FONT, size, 1)
    place = ((width - text_width) // 2, (height + text_height) // 2)
    cv2.putText(strip, text, place, _FONT, size, INK, 1, cv2.LINE_AA)
    return strip


def blank(height: int, width: int, color: Color = PAPER) -> UInt8[np.ndarray, "height width 3"]:
    """An image of one color. Row by row: pixel by pixel NumPy takes several times as long."""
    return np.repeat(np.full((1, width, 3), color, np.uint8), height, axis=0)


def fit(
    image: UInt8[np.ndarray, "H W 3"], height: int, width: int, *, background: Color = PAPER
) -> UInt8[np.ndarray, "height width 3"]:
    """The image as large as fits, centered on a tile; shrunk by area, so that thin lines survive."""
    scale = min(height / image.shape[0], width / image.shape[1])
    own = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    small = cv2.resize(image, own, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    tile = blank(height, width, background)
    top, left = (height - own[1]) // 2, (width - own[0]) // 2
    tile[top : top + own[1], left : left + own[0]] = small
    return tile


def to_uint8(image: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """[0, 1] to [0, 255], clipped."""
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def _ascii(text: str) -> str:
    """OpenCV's line fonts know no other letters."""
    return text.encode("ascii", "replace").decode()
