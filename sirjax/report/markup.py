"""Text, numbers, JSON and bytes in a form that HTML holds safely, whatever they contain."""

import base64
import html
import json
import math
import numbers
import re

import cv2
import numpy as np
from jaxtyping import UInt8

NOT_AVAILABLE = "n/a"
LESS = "\\u003c"  # "<" in JSON that stands inside a script element
# Characters that HTML forbids, and halves of surrogate pairs (file names that are not UTF-8), which UTF-8 cannot hold.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_JPEG_QUALITY = 90


def text(value: object) -> str:
    """Any text as the content of an element or of a quoted attribute; forbidden characters are replaced."""
    return html.escape(_FORBIDDEN.sub("\ufffd", str(value)))


def is_number(value: object) -> bool:
    """Whether a value is a figure: Python's and NumPy's real numbers, but no truth value."""
    return isinstance(value, numbers.Real | np.number) and not isinstance(value, bool | np.bool_)


def number(value: float, digits: int = 4) -> str:
    """A figure with `digits` significant digits, whole numbers whole; "n/a" for NaN and infinity."""
    if isinstance(value, numbers.Integral):
        return f"{int(value):,}"
    value = float(value)
    if not math.isfinite(value):
        return NOT_AVAILABLE
    if 10 ** (digits - 1) <= abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def shown(value: object) -> str:
    """A cell: a figure, "yes" or "no", nothing for None, else text."""
    if value is None:
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return number(value) if is_number(value) else text(value)  # pyright: ignore[reportArgumentType]


def plain(value: object) -> str:
    """A figure, or text as it is: for JSON, not for markup."""
    return number(value) if is_number(value) else str(value)  # pyright: ignore[reportArgumentType]


def to_json(value: object) -> str:
    """Strict JSON that may stand inside a script element: NaN and infinity as null, "<" escaped."""
    encoded = json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))
    return encoded.replace("<", LESS)


def to_base64(array: np.ndarray) -> str:
    """The bytes of an array, little-endian, row by row."""
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()


def image_source(image: UInt8[np.ndarray, "H W 3"]) -> str:
    """An RGB picture as the `src` of an img element (JPEG without color subsampling)."""
    options = [
        *(cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ]
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), options)
    return f"data:image/jpeg;base64,{to_base64(data)}"


def require_picture(image: object, name: str) -> None:
    """Refuses what is no RGB picture.

    Raises:
      ValueError: if it is no uint8 array [H, W, 3] with at least one pixel.
    """
    shape, dtype = getattr(image, "shape", ()), getattr(image, "dtype", type(image).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise ValueError(f"picture {name!r} must be uint8 [H, W, 3], got {dtype} {list(shape)}; scale to 0 ... 255")


def _plain(value: object) -> object:
    """What JSON knows, from the values that results are made of."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
