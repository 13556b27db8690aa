"""The safetensors format: a JSON header with names, types, shapes and texts, then the numbers. Nothing to execute.

8 bytes, little-endian: length of the header | header | numbers, one array behind the other
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import jax.numpy as jnp
import numpy as np
from jaxtyping import Shaped

Arrays = dict[str, Shaped[np.ndarray, "..."]]

BFLOAT16 = np.dtype(jnp.bfloat16)
_TYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": BFLOAT16,
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "U8": np.dtype("<u1"),
}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_MAX_HEADER = 100 << 20  # bytes; the limit of the reference implementation
_TEXTS = "__metadata__"
_ALIGNMENT = 8


def read_safetensors(path: str | Path) -> Arrays:
    """Returns the arrays of a .safetensors file by name.

    Raises:
      ValueError: if the file is damaged or holds an unknown number type.
    """
    with open(path, "rb") as file:
        header = _header(file, path)
        data = file.read()
    try:
        arrays = {}
        for name, entry in header.items():
            if name == _TEXTS:
                continue
            first, last = entry["data_offsets"]
            if not 0 <= first <= last <= len(data):
                raise ValueError(f"{name} lies at {first} to {last} of {len(data)} bytes")
            arrays[name] = np.frombuffer(data[first:last], _TYPES[entry["dtype"]]).reshape(entry["shape"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error!r}") from error
    return arrays


def read_texts(path: str | Path) -> dict[str, str]:
    """The texts in the header of a .safetensors file, by name, without reading the numbers.

    Raises:
      ValueError: if the file is damaged.
    """
    with open(path, "rb") as file:
        texts = _header(file, path).get(_TEXTS, {})
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise ValueError(f"{path} is not a readable safetensors file: its {_TEXTS} are no texts")
    return texts


def encode_safetensors(arrays: Mapping[str, Shaped[np.ndarray, "..."]], texts: Mapping[str, str]) -> bytes:
    """The bytes of a .safetensors file.

    Args:
      arrays: by name; in any memory order, of a type that the format knows.
      texts: by name.

    Raises:
      ValueError: if an array is of another type.
    """
    header: dict[str, object] = {_TEXTS: dict(texts)} if texts else {}
    parts, position = [], 0
    # The widest types first, so that every array begins at a multiple of its item size.
    for name in sorted(arrays, key=lambda name: (-np.asarray(arrays[name]).itemsize, name)):
        array = np.ascontiguousarray(arrays[name])
        kind = array.dtype if array.dtype == BFLOAT16 else array.dtype.newbyteorder("<")
        if kind not in _NAMES:
            raise ValueError(f"{name} is of type {array.dtype}, safetensors files hold one of {', '.join(_TYPES)}")
        part = array.astype(kind, copy=False).tobytes()
        shape = list(np.shape(arrays[name]))  # ascontiguousarray makes vectors of numbers
        header[name] = {"dtype": _NAMES[kind], "shape": shape, "data_offsets": [position, position + len(part)]}
        parts.append(part)
        position += len(part)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def _header(file: BinaryIO, path: str | Path) -> dict:
    try:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= _MAX_HEADER:
            raise ValueError(f"a header of {length} bytes")
        header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("its header is no JSON object")
    except ValueError as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error!r}") from error
    return header
