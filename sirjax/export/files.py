"""Whole files or none: written under a temporary name beside the target, then renamed."""

import os
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8


def software() -> str:
    """Name and version of this software, for the files it writes."""
    try:
        return f"sirjax {metadata.version('sirjax')}"
    except metadata.PackageNotFoundError:
        return "sirjax (not installed)"


def write_bytes(path: Path, data: bytes) -> None:
    """Writes `data` to `path` in one step; an interruption leaves the old file, or none."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """As `write_bytes`, for UTF-8 text."""
    write_bytes(path, text.encode())


def encode_image(image: UInt8[np.ndarray, "H W 3"], suffix: str = ".png") -> bytes:
    """An RGB image as the bytes of a .png or (quality 95) .jpg file.

    Raises:
      ValueError: if OpenCV cannot encode it.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if suffix in (".jpg", ".jpeg") else []
    done, data = cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    if not done:
        raise ValueError(f"an image of shape {image.shape} cannot be encoded as {suffix}: use .png or .jpg")
    return data.tobytes()


def write_image(path: Path, image: UInt8[np.ndarray, "H W 3"]) -> None:
    """Writes an RGB image; the suffix of `path` names the format."""
    write_bytes(path, encode_image(image, path.suffix))
