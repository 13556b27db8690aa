"""Aligned crops to bytes and back.

JPEG crops are decoded by libjpeg-turbo through simplejpeg, straight to where they are wanted: a quarter less time than
OpenCV, whose decoder (libjpeg-turbo as well) gives the same pixels and reads whatever simplejpeg does not.
"""

import contextlib

import cv2
import numpy as np
import simplejpeg
from jaxtyping import UInt8

from sirjax.constants import IMAGE_SIZE

JPEG_QUALITY = 95


def encode_image(image: UInt8[np.ndarray, "H W 3"], *, quality: int | None = JPEG_QUALITY) -> bytes:
    """Encodes an RGB crop as JPEG without chroma subsampling (about 6 kB), or losslessly as PNG if `quality` is None.

    Raises:
      ValueError: if the image is not uint8 of the crop's size.
    """
    if image.shape != (*IMAGE_SIZE, 3) or image.dtype != np.uint8:
        raise ValueError(f"a crop is uint8 {[*IMAGE_SIZE, 3]}, got {image.dtype} {list(image.shape)}")
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if quality is None:
        return cv2.imencode(".png", bgr)[1].tobytes()
    full_chroma = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality, *full_chroma])[1].tobytes()


def decode_image(data: bytes, into: UInt8[np.ndarray, "H W 3"] | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB crop of an encoded image.

    Args:
      data: the bytes of a JPEG or PNG file.
      into: where to write it (C-contiguous), such as a row of a batch; by default a new array. If there is an error
        its content is undefined.

    Raises:
      ValueError: if the bytes are no image, or not one of the crop's size.
    """
    crop = np.empty((*IMAGE_SIZE, 3), np.uint8) if into is None else into
    if not _decode_plain_jpeg(data, crop):
        crop[...] = _decode_any(data)
    return crop


def _decode_plain_jpeg(data: bytes, crop: UInt8[np.ndarray, "H W 3"]) -> bool:
    """Whether the bytes were a faultless JPEG of the crop's size, which is now in `crop`."""
    if not data.startswith(b"\xff\xd8\xff") or b"Exif" in data:  # OpenCV turns images as Exif says
        return False
    with contextlib.suppress(ValueError):
        return simplejpeg.decode_jpeg(data, "RGB", buffer=crop).shape == crop.shape
    return False


def _decode_any(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise ValueError(f"{len(data)} bytes that are no readable image")
    if image.shape != (*IMAGE_SIZE, 3):
        raise ValueError(f"an image of {image.shape[:2]} pixels (height, width), crops have {IMAGE_SIZE}")
    return image
