"""What surrounds a rendered face: head, hair, neck and clothes, painted where the same camera would see them.

A face model may end at the hairline and the throat; a face cut out like a mask would be found by its edge alone.
The head is an ellipsoid placed by the 68 landmarks (any model's, any unit), the hair a larger one around it.
All arrays are float32; colors RGB in [0, 1].
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from sirjax.data.backgrounds import random_color, smooth_noise
from sirjax.data.scenes import Person
from sirjax.types import IMAGE_SIZE

_V, _U = np.mgrid[0 : IMAGE_SIZE[0], 0 : IMAGE_SIZE[1]].astype(np.float32)


@dataclass(frozen=True)
class Skull:
    """The head's frame: model-frame points in the face model's unit."""

    center: np.ndarray  # [3] of the head's ellipsoid
    width: float  # from ear to ear
    chin: np.ndarray  # [3]
    hairline: float  # y of the hairline above the middle of the forehead


def skull(landmarks: Float[np.ndarray, "68 3"]) -> Skull:
    """Places a head behind a face: widths and heights by the usual proportions of a head."""
    width = float(np.linalg.norm(landmarks[16] - landmarks[0]))
    ears = (landmarks[0] + landmarks[16]) / 2
    brow = landmarks[[19, 24]].mean(axis=0)
    chin = landmarks[8]
    height = brow[1] - chin[1]
    center = np.array([ears[0], brow[1] + 0.02 * height, ears[2] - 0.05 * width])
    return Skull(center=center, width=width, chin=chin, hairline=float(brow[1] + 0.52 * height))


@dataclass(frozen=True)
class Layers:
    """What to paint: [H, W, 4] colors with opacity, not premultiplied."""

    behind: np.ndarray  # under the rendered face
    front: np.ndarray  # over it


def draw_head(
    random: np.random.Generator,
    person: Person,
    head: Skull,
    rotation: Float[np.ndarray, "3 3"],
    scale: float,
    translation: Float[np.ndarray, "2"],
    light: Float[np.ndarray, "9 3"],
) -> Layers:
    """Paints hair, neck and clothes of one photo; the camera is that of the crop."""

    def seen(point):
        turned = rotation @ point
        return np.array([scale * turned[0] + translation[0], -scale * turned[1] + translation[1]])

    brightness = np.clip(light[0] * 0.886227, 0.2, 1.3).astype(np.float32)  # the ambient part of the light
    behind = np.zeros((*IMAGE_SIZE, 4), np.float32)
    front = np.zeros((*IMAGE_SIZE, 4), np.float32)
    hair = person.hair.astype(np.float32)
    texture = np.exp(0.25 * _strands(random))
    width = head.width
    down = np.array([0.0, -1.0, 0.0])
    if person.hair_length > 0.45:
        # Long hair: a second ellipsoid, lower and further back.
        drop = (person.hair_length - 0.45) * 1.6 * width
        center = head.center + down * (0.35 * width + 0.5 * drop) + np.array([0, 0, -0.1 * width])
        radii = width * np.array([0.62, 0.75, 0.5]) + np.array([0, 0.5 * drop, 0])
        mask, _, _ = _ellipsoid(center, radii, rotation, scale, translation)
        _paint(behind, mask, hair * texture * brightness * 0.75)
    neck_top = head.chin + np.array([-head.chin[0] + head.center[0], 0.25 * width, 0.0])
    neck_top[2] = head.center[2] + 0.1 * width
    neck_bottom = neck_top + np.array([0, -1.4 * width, -0.25 * width])
    skin = person.skin.astype(np.float32)
    # The neck stands upright even where the head nods; it is in the head's shadow.
    _paint(behind, _capsule(seen(neck_top), seen(neck_bottom), 0.34 * width * scale), skin * brightness * _fade(random))
    shoulders = seen(neck_bottom + down * 0.35 * width)
    clothes = _ellipse(shoulders, (1.15 * width * scale, 0.75 * width * scale))
    folds = np.exp(0.12 * smooth_noise(random, IMAGE_SIZE, 8, 1))
    _paint(behind, clothes, random_color(random) * brightness * folds)

    cranium = width * np.array([0.5, 0.62, 0.62])
    lift = np.array([0, 0.08, -0.08]) * width
    mask, _, normal = _ellipsoid(head.center + lift, cranium, rotation, scale, translation)
    _paint(behind, mask, skin * np.clip(_shade(normal, light), 0, 1.5))
    if person.hair_length > 0:
        thick = 1.06 + 0.14 * person.hair_length
        mask, point, normal = _ellipsoid(head.center + lift, cranium * thick, rotation, scale, translation)
        color = hair * texture * np.clip(_shade(normal, light), 0.15, 1.4)
        _paint(behind, mask, color * 0.8)
        # Hair grows behind a surface that slopes from the hairline back and down to behind the ears.
        line = head.hairline - (0.1 + 0.25 * person.hairline) * width
        slope = 1.1 + 0.5 * random.random()
        start = head.center[2] + 0.55 * width
        edge = 0.05 * width * smooth_noise(random, IMAGE_SIZE, 14, 1)[..., 0]
        above = point[..., 1] + edge - line - slope * (point[..., 2] - start)
        cap = mask * np.clip(above * scale + 0.5, 0, 1)
        _paint(front, cap, color)
    for layer in (behind, front):
        layer[..., 3] = cv2.GaussianBlur(layer[..., 3], (0, 0), 0.6)
    return Layers(behind=behind, front=front)


def _ellipsoid(center, radii, rotation, scale, translation):
    """Casts a ray through each pixel: (coverage [H, W], model-frame hit point, camera-frame normal), nearest hit."""
    middle = rotation @ center
    matrix = ((rotation / radii**2) @ rotation.T).astype(np.float32)  # x^T matrix x = 1 on the surface, camera axes
    x = (_U - translation[0]) / scale - middle[0]
    y = -(_V - translation[1]) / scale - middle[1]
    x, y = x.astype(np.float32), y.astype(np.float32)
    linear = matrix[0, 2] * x + matrix[1, 2] * y
    constant = matrix[0, 0] * x * x + 2 * matrix[0, 1] * x * y + matrix[1, 1] * y * y - 1
    discriminant = linear**2 - matrix[2, 2] * constant
    z = (-linear + np.sqrt(np.maximum(discriminant, 0))) / matrix[2, 2]
    offset = np.stack([x, y, z], axis=-1)
    normal = offset @ matrix
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-9)
    # The discriminant falls to 0 at the outline; its square root is about the distance to it.
    depth = np.sqrt(np.maximum(discriminant / matrix[2, 2], 0))
    mask = np.clip(depth * scale * 0.5, 0, 1) * (discriminant > 0)
    point = (offset + middle.astype(np.float32)) @ rotation.astype(np.float32)  # R^T p, row by row
    return mask.astype(np.float32), point, normal


def _shade(normal: np.ndarray, light: np.ndarray) -> np.ndarray:
    """First-order shading is enough for hair: [H, W, 3]."""
    basis = np.stack([np.ones_like(normal[..., 0]), normal[..., 2], normal[..., 0], normal[..., 1]], axis=-1)
    factors = np.array([0.886227, 1.023327, 1.023327, 1.023327])[:, None]
    return (basis @ (light[:4] * factors)).astype(np.float32)


def _paint(layer: np.ndarray, mask: np.ndarray, color: np.ndarray) -> None:
    """Lays a color [3] or [H, W, 3] over what is there."""
    opacity = mask[..., None]
    layer[..., :3] = layer[..., :3] * (1 - opacity) + np.asarray(color, np.float32) * opacity
    layer[..., 3] = np.maximum(layer[..., 3], mask)


def _capsule(start, end, radius) -> np.ndarray:
    mask = np.zeros(IMAGE_SIZE, np.float32)
    start, end = (tuple(round(float(np.clip(value, -500, 500))) for value in point) for point in (start, end))
    cv2.line(mask, start, end, 1.0, max(1, round(2 * radius)), cv2.LINE_AA)
    return mask


def _ellipse(center, radii) -> np.ndarray:
    inside = ((_U - center[0]) / radii[0]) ** 2 + ((_V - center[1]) / radii[1]) ** 2
    return np.clip((1 - inside) * min(radii) * 0.5, 0, 1).astype(np.float32)


def _strands(random: np.random.Generator) -> np.ndarray:
    """Noise drawn out downward, as hair falls."""
    noise = random.normal(0, 1, (IMAGE_SIZE[0] // 6, IMAGE_SIZE[1])).astype(np.float32)
    large = cv2.resize(noise, IMAGE_SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(large, (0, 0), sigmaX=0.7, sigmaY=2)[..., None]


def _fade(random: np.random.Generator) -> np.ndarray:
    """The neck's shading across the image."""
    across = (_U[..., None] / IMAGE_SIZE[1] - 0.5) * random.uniform(-0.5, 0.5)
    return (random.uniform(0.5, 0.75) + across).astype(np.float32)
