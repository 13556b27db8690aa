"""What a camera and the web do to a picture: exposure, blur, lost resolution, noise, JPEG."""

import cv2
import numpy as np
from jaxtyping import Float

from sirjax.data import images


def photograph(random: np.random.Generator, image: Float[np.ndarray, "H W 3"]) -> bytes:
    """A float RGB picture in [0, 1] as the JPEG file of a photo of it."""
    image = np.asarray(image, np.float32)
    if random.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.3, 1.1))
    if random.random() < 0.15:  # a small face, enlarged
        height, width = image.shape[:2]
        share = random.uniform(0.45, 0.9)
        small = cv2.resize(image, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    noise = random.uniform(0, 0.02) * (2 if random.random() < 0.2 else 1)
    image = image + noise * random.standard_normal(image.shape, np.float32)
    pixels = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
    return images.encode_image(pixels, quality=int(random.integers(60, 97)))
