"""Arrays of meshes as base64 text for assets/mesh.js: little-endian, 16 bits where that is finer than anyone sees."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from sirjax.report.markup import to_base64

_LAST = 65535  # of 16 bits
NO_VALUE = 65535


def box(shapes: Sequence[Float[np.ndarray, "_ 3"]]) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Lowest corner and size of the box around all vertices, mm."""
    low = np.min([np.min(vertices, axis=0) for vertices in shapes], axis=0)
    return low, np.max([np.max(vertices, axis=0) for vertices in shapes], axis=0) - low


def positions(vertices: Float[np.ndarray, "V 3"], low: Float[np.ndarray, " 3"], size: Float[np.ndarray, " 3"]) -> str:
    """Vertices as 16-bit shares of a box; a face of 200 mm is kept to 2 micrometers."""
    share = (np.asarray(vertices, float) - low) / np.where(size > 0, size, 1)
    return to_base64(np.round(share * _LAST).astype(np.uint16))


def triangles(rows: Int[np.ndarray, "T 3"]) -> dict[str, object]:
    """Triangles in 2 bytes for each corner, 4 where there are many vertices."""
    rows = np.asarray(rows)
    small = rows.astype(np.uint16 if rows.max(initial=0) <= _LAST else np.uint32)
    return {"bytes": small.dtype.itemsize, "data": to_base64(small)}


def values(of_vertices: Float[np.ndarray, " V"]) -> dict[str, object]:
    """A value for each vertex as a 16-bit share of their range; 65535 where it is NaN or infinite."""
    array = np.asarray(of_vertices, float)
    finite = np.isfinite(array)
    if not finite.any():
        return {"values": to_base64(np.full(len(array), NO_VALUE, np.uint16)), "range": (0.0, 1.0)}
    low, high = float(array[finite].min()), float(array[finite].max())
    share = (np.where(finite, array, low) - low) / ((high - low) or 1.0)
    packed = np.where(finite, np.round(share * (NO_VALUE - 1)), NO_VALUE).astype(np.uint16)
    return {"values": to_base64(packed), "range": (low, high)}


def colors(of_vertices: Float[np.ndarray, "V 3"]) -> str:
    """RGB in [0, 1] as bytes; what lies outside is clipped."""
    return to_base64(np.round(255 * np.clip(np.asarray(of_vertices, float), 0, 1)).astype(np.uint8))
