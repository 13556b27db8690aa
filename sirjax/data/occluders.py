"""Things in front of a synthetic face: glasses, hands, strands of hair, scarves, objects. RGB float32 in [0, 1]."""

import cv2
import numpy as np
from jaxtyping import Float

from sirjax.constants import IMAGE_SIZE
from sirjax.data.backgrounds import random_color, smooth_noise
from sirjax.data.scenes import Person

_FRACTION_BITS = 4  # cv2 draws at 1/16 px
_SHADOW = np.array([1.5, 1.0])  # where shadows fall, px


def draw_occluder(
    random: np.random.Generator,
    image: Float[np.ndarray, "H W 3"],
    landmarks: Float[np.ndarray, "68 2"],
    person: Person,
    brightness: float,
) -> Float[np.ndarray, "H W 3"]:
    """The image with one random thing in front of the face.

    Args:
      random: the photo's stream.
      image: the photo so far.
      landmarks: in pixels, where the things are worn.
      person: whose skin and hair.
      brightness: of the light.
    """
    kinds = (_glasses, _sunglasses, _hand, _strand, _scarf, _object)
    draw = kinds[random.choice(len(kinds), p=(0.3, 0.12, 0.2, 0.12, 0.12, 0.14))]
    return np.clip(draw(random, image, landmarks.astype(np.float64), person, brightness), 0, 1).astype(np.float32)


def _glasses(random, image, landmarks, person, brightness):
    lenses, frame = _spectacles(random, landmarks)
    color = random_color(random) * random.uniform(0.1, 0.8)
    glare = image * 0.93 + 0.05 * brightness
    return _over(_over(image, lenses, glare), frame, color * brightness)


def _sunglasses(random, image, landmarks, person, brightness):
    lenses, frame = _spectacles(random, landmarks)
    dark = image * random.uniform(0.05, 0.25) + 0.08 * smooth_noise(random, IMAGE_SIZE, 4, 1) * brightness
    return _over(_over(image, lenses, dark), frame, random_color(random) * 0.3)


def _hand(random, image, landmarks, person, brightness):
    """A palm and fingers of the person's own color, from below or from a side."""
    target = landmarks[random.choice((4, 12, 8, 57, 30, 48, 54))] + random.normal(0, 5, 2)
    angle = random.uniform(-0.9, 0.9)  # of the fingers from the vertical
    along, across = np.array([np.sin(angle), -np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    size = random.uniform(4.0, 6.0)  # half the width of a finger
    out = image
    shade = person.skin * brightness * random.uniform(0.75, 1.05)
    palm = _polygon(_oval(target - along * 5.5 * size, (4.0 * size, 4.5 * size), angle))
    out = _over(out, palm, shade * (1 + 0.08 * smooth_noise(random, IMAGE_SIZE, 6, 1)))
    for finger in range(4):
        base = target - along * 3 * size + across * (finger - 1.5) * 1.9 * size
        length = size * random.uniform(4.5, 6.0) * (1.0, 1.15, 1.1, 0.85)[finger]
        tip = base + along * length + across * random.normal(0, 1.5)
        shadow = _line(base + _SHADOW, tip + _SHADOW, size * 2)
        out = _over(out, 0.35 * shadow, np.zeros(3))
        out = _over(out, _line(base, tip, size * 1.8), shade * random.uniform(0.95, 1.05))
    return out


def _strand(random, image, landmarks, person, brightness):
    """Hair that falls over the face."""
    start = landmarks[random.choice((17, 19, 22, 24, 26))] + (random.normal(0, 6), -random.uniform(25, 40))
    end = landmarks[random.choice((2, 4, 12, 14, 48, 54))] + random.normal(0, 5, 2)
    bend, spread = random.normal(0, 10, 2), random.uniform(2, 7)
    t = np.linspace(0, 1, 12)[:, None]
    hair = np.zeros((*IMAGE_SIZE, 3), np.float32)
    mask = np.zeros(IMAGE_SIZE, np.uint8)
    for _ in range(int(random.integers(8, 40))):
        root, tip = start + random.normal(0, spread, 2), end + random.normal(0, 1.5 * spread, 2)
        path = _fixed((1 - t) * root + t * tip + 4 * t * (1 - t) * bend)
        shade = person.hair * brightness * random.uniform(0.6, 1.4)
        cv2.polylines(hair, [path], False, shade.tolist(), 2, cv2.LINE_8, _FRACTION_BITS)
        cv2.polylines(mask, [path], False, 255, 1, cv2.LINE_AA, _FRACTION_BITS)
    return _over(image, mask.astype(np.float32) / 255, hair)


def _scarf(random, image, landmarks, person, brightness):
    """A scarf or mask from the nose down."""
    top = landmarks[random.choice((29, 30, 33))]
    below = landmarks[1:16][landmarks[1:16, 1] > top[1] - 12]
    outline = cv2.convexHull(np.concatenate([below, top[None]]).astype(np.float32))[:, 0]
    folds = 1 + random.uniform(0.03, 0.12) * smooth_noise(random, IMAGE_SIZE, int(random.integers(4, 16)), 1)
    return _over(image, _polygon(outline), random_color(random) * folds * brightness)


def _object(random, image, landmarks, person, brightness):
    """A cup, a phone, a sign: an oval or a box with a texture."""
    center = landmarks.mean(axis=0) + random.normal(0, 18, 2)
    half = random.uniform(6, 20, 2)
    angle = random.uniform(0, np.pi)
    outline = _oval(center, half, angle) if random.random() < 0.5 else _box(center, half, angle)
    texture = random_color(random) * (1 + 0.2 * smooth_noise(random, IMAGE_SIZE, int(random.integers(3, 30)), 1))
    return _over(image, _polygon(outline), texture * brightness)


def _spectacles(random, landmarks):
    """Masks of lenses and frame. Eyes that turn away get narrow lenses, as they should."""
    eyes = [landmarks[36:42], landmarks[42:48]]
    centers = [eye.mean(axis=0) for eye in eyes]
    axis = landmarks[45] - landmarks[36]
    angle = np.arctan2(axis[1], axis[0]) if np.linalg.norm(axis) > 4 else 0.0
    height = random.uniform(7, 11)
    square = random.random() < 0.5
    lenses, frame = np.zeros(IMAGE_SIZE, np.float32), np.zeros(IMAGE_SIZE, np.uint8)
    thickness = int(random.integers(1, 4))
    for eye, center in zip(eyes, centers, strict=True):
        half_width = max(3.0, np.linalg.norm(eye[3] - eye[0]) * random.uniform(0.75, 0.95))
        half = np.array([half_width, height])
        center = center + np.array([0, 1.5])
        outline = _box(center, half * 0.92, angle) if square else _oval(center, half, angle)
        lenses = np.maximum(lenses, _polygon(outline))
        cv2.polylines(frame, [_fixed(outline)], True, 255, thickness, cv2.LINE_AA, _FRACTION_BITS)
    bridge = np.stack([eyes[0][3] + (axis * 0.03), landmarks[27] - (0, 1), eyes[1][0] - (axis * 0.03)])
    cv2.polylines(frame, [_fixed(bridge)], False, 255, thickness, cv2.LINE_AA, _FRACTION_BITS)
    return lenses, frame.astype(np.float32) / 255


def _oval(center, half, angle):
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return _turned(np.stack([half[0] * np.cos(t), half[1] * np.sin(t)], axis=1), center, angle)


def _box(center, half, angle):
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    return _turned(corners * half, center, angle)


def _turned(points, center, angle):
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return points @ turn + center


def _polygon(outline) -> np.ndarray:
    mask = np.zeros(IMAGE_SIZE, np.uint8)
    cv2.fillPoly(mask, [_fixed(outline)], 255, cv2.LINE_AA, _FRACTION_BITS)
    return mask.astype(np.float32) / 255


def _line(start, end, thickness) -> np.ndarray:
    mask = np.zeros(IMAGE_SIZE, np.uint8)
    path = _fixed(np.stack([start, end]))
    cv2.polylines(mask, [path], False, 255, max(1, round(float(thickness))), cv2.LINE_AA, _FRACTION_BITS)
    return mask.astype(np.float32) / 255


def _fixed(points) -> np.ndarray:
    """cv2's fixed-point coordinates, kept within what it can draw."""
    return np.round(np.clip(points, -500, 500) * 2**_FRACTION_BITS).astype(np.int32).reshape(-1, 1, 2)


def _over(image, mask, color) -> np.ndarray:
    mask = mask[..., None]
    return image * (1 - mask) + np.asarray(color) * mask
