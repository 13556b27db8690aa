"""Augmentation of aligned crops and their landmarks: pure functions of the sample and a random generator.

All off by default: the paper trains on plain crops (its only flip is that of the albedo, inside the network's decoder).
Images are RGB uint8 [H, W, 3]; landmarks [68, 2] in pixels or None. Order: geometry, occlusion, blur, color.
"""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.constants import NUM_LANDMARKS
from sirjax.data import alignment

_SWAPS = [(i, 16 - i) for i in range(8)]  # jaw
_SWAPS += [(17 + i, 26 - i) for i in range(5)]  # eyebrows
_SWAPS += [(31, 35), (32, 34)]  # nostrils
_SWAPS += [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]  # eyes
_SWAPS += [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]  # outer lips
_SWAPS += [(60, 64), (61, 63), (65, 67)]  # inner lips


def _mirror_order() -> np.ndarray:
    order = np.arange(NUM_LANDMARKS)
    for left, right in _SWAPS:
        order[left], order[right] = right, left
    return order


MIRROR_LANDMARKS = _mirror_order()  # landmark i of a mirrored face is landmark MIRROR_LANDMARKS[i] of the original


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How much to change; the defaults change nothing."""

    mirror: float = 0.0  # probability
    shift: float = 0.0  # pixels, standard deviation
    rotation: float = 0.0  # degrees, standard deviation
    scale: float = 0.0  # standard deviation of the logarithm
    brightness: float = 0.0  # largest change, in units of the full range
    contrast: float = 0.0  # largest relative change
    saturation: float = 0.0  # largest relative change
    hue: float = 0.0  # largest relative change of a channel's gain
    blur: float = 0.0  # largest Gaussian sigma, pixels; half of the images stay sharp
    occlusion: float = 0.0  # probability of one flat or noisy patch

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            limit = 30.0 if field.name in ("shift", "rotation", "scale", "blur") else 1.0
            if not 0 <= value <= limit:
                raise ValueError(f"augmentation {field.name} must be in [0, {limit:g}], got {value}")

    @property
    def enabled(self) -> bool:
        """Whether anything is changed at all."""
        return any(getattr(self, field.name) > 0 for field in dataclasses.fields(self))


def augment(
    image: UInt8[np.ndarray, "H W 3"],
    landmarks: Float[np.ndarray, "68 2"] | None,
    augmentation: Augmentation,
    random: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "68 2"] | None]:
    """Applies everything that `augmentation` switches on; returns new arrays."""
    if random.random() < augmentation.mirror:
        image, landmarks = mirror(image, landmarks)
    if augmentation.shift or augmentation.rotation or augmentation.scale:
        image, landmarks = move(image, landmarks, jitter_matrix(image.shape[:2], augmentation, random))
    if random.random() < augmentation.occlusion:
        image = occlude(image, random)
    if augmentation.blur and random.random() < 0.5:
        image = blur(image, random.uniform(0, augmentation.blur))
    if augmentation.brightness or augmentation.contrast or augmentation.saturation or augmentation.hue:
        image = change_color(image, augmentation, random)
    return image, landmarks


def mirror(
    image: UInt8[np.ndarray, "H W 3"], landmarks: Float[np.ndarray, "68 2"] | None
) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "68 2"] | None]:
    """Left-right mirror image; landmarks change sides, so that 36 stays the corner of the eye at the image's left."""
    mirrored = np.ascontiguousarray(image[:, ::-1])
    if landmarks is None:
        return mirrored, None
    moved = landmarks[MIRROR_LANDMARKS].copy()
    moved[:, 0] = image.shape[1] - 1 - moved[:, 0]  # pixel centers are integers
    return mirrored, moved


def jitter_matrix(
    image_size: tuple[int, int], augmentation: Augmentation, random: np.random.Generator
) -> Float[np.ndarray, "2 3"]:
    """A small similarity about the image's center."""
    angle = np.deg2rad(random.normal(0, 1) * augmentation.rotation)
    scale = np.exp(random.normal(0, 1) * augmentation.scale)
    center = (np.array(image_size[::-1], np.float64) - 1) / 2
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = random.normal(0, 1, 2) * augmentation.shift
    return np.concatenate([linear, (center + shift - linear @ center)[:, None]], axis=1)


def move(
    image: UInt8[np.ndarray, "H W 3"], landmarks: Float[np.ndarray, "68 2"] | None, matrix: Float[np.ndarray, "2 3"]
) -> tuple[UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "68 2"] | None]:
    """Moves image and landmarks by one similarity; what enters at the edges repeats them."""
    size = (image.shape[1], image.shape[0])
    moved = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if landmarks is None:
        return moved, None
    return moved, alignment.transform_points(matrix, landmarks).astype(landmarks.dtype)


def occlude(image: UInt8[np.ndarray, "H W 3"], random: np.random.Generator) -> UInt8[np.ndarray, "H W 3"]:
    """Covers an ellipse of 2 to 15 % of the image with a color or with noise."""
    height, width = image.shape[:2]
    area = random.uniform(0.02, 0.15) * height * width
    aspect = np.exp(random.uniform(-0.7, 0.7))
    axes = (int(np.sqrt(area * aspect / np.pi)) + 1, int(np.sqrt(area / aspect / np.pi)) + 1)
    center = (int(random.integers(width)), int(random.integers(height)))
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, center, axes, float(random.uniform(0, 180)), 0, 360, 1, thickness=-1)
    fill = np.broadcast_to(random.integers(0, 256, 3, dtype=np.uint8), image.shape)
    if random.random() < 0.5:
        fill = random.integers(0, 256, image.shape, dtype=np.uint8)
    return np.where(mask[..., None] > 0, fill, image)


def blur(image: UInt8[np.ndarray, "H W 3"], sigma: float) -> UInt8[np.ndarray, "H W 3"]:
    """Gaussian blur; a sigma too small to matter leaves the image alone."""
    return image if sigma < 0.2 else cv2.GaussianBlur(image, (0, 0), sigma)


def change_color(
    image: UInt8[np.ndarray, "H W 3"], augmentation: Augmentation, random: np.random.Generator
) -> UInt8[np.ndarray, "H W 3"]:
    """Random brightness, contrast, saturation and channel gains."""
    shift, contrast, saturation = random.uniform(-1, 1, 3)
    gains = 1 + random.uniform(-1, 1, 3) * augmentation.hue
    changed = image.astype(np.float32) * gains.astype(np.float32)
    gray = (changed[..., :1] + changed[..., 1:2] + changed[..., 2:]) / np.float32(3)  # a tenth of the time of .mean(-1)
    changed = gray + (changed - gray) * np.float32(1 + saturation * augmentation.saturation)
    middle = changed.mean()
    changed = middle + (changed - middle) * np.float32(1 + contrast * augmentation.contrast)
    changed += np.float32(255 * shift * augmentation.brightness)
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8)
