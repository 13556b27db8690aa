"""Curves of a training as small panels, a column for each stage."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.pictures.draw import INK, blank
from sirjax.pictures.grid import compose

_WIDTH, _HEIGHT, _LEFT, _TOP, _EDGE = 360, 150, 62, 26, 12  # pixels
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LINE = (31, 92, 168)
_LABELS = {
    "landmark_error_px": "landmarks off, pixels of the crop",
    "pixel": "pixel loss",
    "shape_norm": "length of whitened shapes",
    "softmax": "CosFace loss",
    "center": "center loss",
    "kl": "KL",
    "teacher": "teacher's loss",
}


def draw(stages: list[dict[str, Any]]) -> UInt8[np.ndarray, "H W 3"]:
    """A column of panels for each stage, one for each curve that a stage has."""
    names = [name for name in _LABELS if any(name in stage["curves"] for stage in stages)]
    columns = [
        [panel(_LABELS[name], stage["curves"]["step"], stage["curves"].get(name)) for stage in stages] for name in names
    ]
    return compose(columns)


def panel(title: str, steps: list[int], values: list[float] | None) -> UInt8[np.ndarray, "H W 3"]:
    """One curve between its least and its greatest value; an empty panel if there is none, or nothing moves."""
    image = blank(_HEIGHT, _WIDTH)
    if values is None or min(values) == max(values):
        return image
    _write(image, title, (_LEFT, _TOP - 10))
    low, high = min(values), max(values)
    right, bottom = _WIDTH - _EDGE, _HEIGHT - _TOP
    x = _LEFT + (right - _LEFT) * np.asarray(steps) / steps[-1]
    y = bottom - (bottom - _TOP) * (np.asarray(values) - low) / (high - low)
    cv2.polylines(image, [np.array([(_LEFT, _TOP), (_LEFT, bottom), (right, bottom)], np.int32)], False, INK, 1)
    path = np.round(np.stack([x, y], axis=1) * 16).astype(np.int32)
    cv2.polylines(image, [path], False, _LINE, 1, cv2.LINE_AA, 4)
    for value, height in ((high, _TOP + 4), (low, bottom)):
        _write(image, f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}", (6, height))
    _write(image, f"step {steps[-1]}", (right - 76, _HEIGHT - 9))
    return image


def _write(image: UInt8[np.ndarray, "H W 3"], text: str, place: tuple[int, int]) -> None:
    cv2.putText(image, text, place, _FONT, 0.4, INK, 1, cv2.LINE_AA)
