"""Pictures as files, and the name that exported files carry."""

from importlib import metadata
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.files import write_bytes


def software() -> str:
    """Name and version of this software, for the files it writes."""
    try:
        return f"sirjax {metadata.version('sirjax')}"
    except metadata.PackageNotFoundError:
        return "sirjax (not installed)"


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
