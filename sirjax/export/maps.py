"""Depth and normal maps as files: 16-bit PNG, which every program opens, or .npy with the numbers themselves.

16-bit depth: 0 where there is no face, else 32768 + 100 z, z in mm toward the viewer (hundredths of a millimeter).
16-bit normals (R, G, B): 0, 0, 0 where there is no face, else 32768 + 32767 n, n = (x right, y up, z to the viewer).
.npy: float32, NaN where there is no face.
"""

import io
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt16

from sirjax.files import write_bytes

FILES = ("png", "npy")
_ZERO, _DEPTH_UNITS, _NORMAL_UNITS = 32768.0, 100.0, 32767.0


def write_map(path: Path, values: Float[np.ndarray, "H W"] | Float[np.ndarray, "H W 3"]) -> Path:
    """Writes a depth map [H, W] (mm) or a normal map [H, W, 3]; the suffix of `path` names the format.

    Raises:
      ValueError: for another suffix than .png or .npy.
    """
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, values.astype(np.float32), allow_pickle=False)
        write_bytes(path, buffer.getvalue())
    elif path.suffix == ".png":
        pixels = sixteen_bits(values)
        stored = pixels if pixels.ndim == 2 else np.ascontiguousarray(pixels[..., ::-1])  # OpenCV wants B, G, R
        done, data = cv2.imencode(".png", stored)
        if not done:
            raise ValueError(f"a map of shape {values.shape} cannot be encoded as PNG")
        write_bytes(path, data.tobytes())
    else:
        raise ValueError(f"maps are written as .png or .npy, got {path.name!r}")
    return path


def sixteen_bits(values: Float[np.ndarray, "H W *C"]) -> UInt16[np.ndarray, "H W *C"]:
    """Depth (mm) or normals as 16-bit numbers; see the module."""
    units = _DEPTH_UNITS if values.ndim == 2 else _NORMAL_UNITS
    whole = np.clip(np.rint(_ZERO + units * values), 1, 65535)
    return np.nan_to_num(whole, nan=0.0).astype(np.uint16)
