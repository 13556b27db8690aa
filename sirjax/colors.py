"""Color scales for values: viridis, or blue to red around 0 for values of both signs."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_STOPS = 17
_BLUE, _RED = np.radians(250), np.radians(35)  # hues in Oklab


def palette(low: float, high: float) -> UInt8[np.ndarray, "256 3"]:
    """The colors of evenly spaced values from `low` to `high`, RGB.

    Viridis (van der Walt, Smith and Firing 2015, CC0) from dark violet to yellow; if the range has both signs, blue
    below 0, light gray at 0 and red above, as far from gray as the value is from 0.
    """
    if low < 0 < high:
        values = np.linspace(low, high, 256)
        return _blue_to_red(values / max(-low, high))
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1])


def colored(values: Float[np.ndarray, "*S"], low: float, high: float) -> UInt8[np.ndarray, "*S 3"]:
    """Each value's color in the palette from `low` to `high`; values beyond get the color of the end."""
    share = np.clip((np.asarray(values) - low) / (high - low), 0.0, 1.0)
    return palette(low, high)[np.rint(255 * share).astype(int)]


def gradient_stops(colors: UInt8[np.ndarray, "256 3"]) -> str:
    """The stop elements of an SVG gradient."""
    places = np.linspace(0, 1, _STOPS)
    return "".join(
        f'<stop offset="{place:.4g}" stop-color="rgb({r},{g},{b})"/>'
        for place, (r, g, b) in zip(places, colors[np.round(255 * places).astype(int)], strict=True)
    )


def _blue_to_red(share: Float[np.ndarray, " N"]) -> UInt8[np.ndarray, "N 3"]:
    """Even steps in Oklab (Ottosson 2020) from blue (-1) over light gray (0) to red (1)."""
    distance, hue = np.abs(share), np.where(share < 0, _BLUE, _RED)
    lightness, chroma = 0.95 - 0.50 * distance, 0.16 * distance
    a, b = chroma * np.cos(hue), chroma * np.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    ).clip(0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)
