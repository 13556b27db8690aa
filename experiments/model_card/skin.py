"""Skin tone as the individual typology angle (ITA) of a color: a crude measure on photos, an exact one on renderings.

ITA = atan2(L* - 50, b*) in degrees (Chardon et al. 1991). A photo's light and camera move it as much as skin does.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

BINS = (("light (ITA above 41°)", 41.0, 181.0), ("intermediate, tan (10° to 41°)", 10.0, 41.0))
BINS = (*BINS, ("brown, dark (below 10°)", -181.0, 10.0))
# Landmarks around each cheek: corner of the eye, wing of the nose, corner of the mouth, jaw.
CHEEKS = ((36, 31, 48, 3), (45, 35, 54, 13))
_SIDE = 3  # pixels of the crop to each side of a cheek's middle


def typology_angle(rgb: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, " N"]:
    """ITA, degrees, of sRGB colors in [0, 1]."""
    lab = cv2.cvtColor(np.asarray(rgb, np.float32)[:, None], cv2.COLOR_RGB2LAB)[:, 0]
    return np.degrees(np.arctan2(lab[:, 0].astype(np.float64) - 50.0, lab[:, 2].astype(np.float64)))


def cheek_color(crop: UInt8[np.ndarray, "H W 3"], landmarks: Float[np.ndarray, "68 2"]) -> Float[np.ndarray, "3"]:
    """The brighter cheek's median color, in [0, 1]; of the crop's middle where both lie outside."""
    colors = [_median(crop, np.asarray(landmarks)[list(cheek)].mean(axis=0)) for cheek in CHEEKS]
    found = [color for color in colors if color is not None]
    return max(found, key=lambda color: color.sum()) if found else crop.reshape(-1, 3).mean(axis=0) / 255.0


def _median(crop: UInt8[np.ndarray, "H W 3"], center: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3"] | None:
    u, v = np.rint(center).astype(int)
    patch = crop[max(0, v - _SIDE) : max(0, v + _SIDE + 1), max(0, u - _SIDE) : max(0, u + _SIDE + 1)]
    return np.median(patch.reshape(-1, 3), axis=0) / 255.0 if patch.size else None
