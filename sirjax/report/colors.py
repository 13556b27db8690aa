"""The viridis colors (van der Walt, Smith and Firing 2015, CC0), as the pages' color bars and shaders need them."""

import cv2
import numpy as np
from jaxtyping import UInt8

_STOPS = 17


def viridis() -> UInt8[np.ndarray, "256 3"]:
    """Dark violet to yellow, perceptually uniform, RGB."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1])


def gradient_stops() -> str:
    """The stop elements of an SVG gradient."""
    table = viridis()
    places = np.linspace(0, 1, _STOPS)
    colors = table[np.round(255 * places).astype(int)]
    return "".join(
        f'<stop offset="{place:.4g}" stop-color="rgb({r},{g},{b})"/>'
        for place, (r, g, b) in zip(places, colors, strict=True)
    )
