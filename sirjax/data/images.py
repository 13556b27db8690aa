"""Aligned crops to bytes and back."""

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.types import IMAGE_SIZE

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


def decode_image(data: bytes) -> UInt8[np.ndarray, "H W 3"]:
    """The RGB crop of an encoded image.

    Raises:
      ValueError: if the bytes are no image, or not one of the crop's size.
    """
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise ValueError(f"{len(data)} bytes that are no readable image")
    if image.shape != (*IMAGE_SIZE, 3):
        raise ValueError(f"an image of {image.shape[:2]} pixels (height, width), crops have {IMAGE_SIZE}")
    return image
