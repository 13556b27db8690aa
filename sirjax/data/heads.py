"""What surrounds a rendered face: head, hair, neck and clothes, painted where the same camera would see them.

A face model may end at the hairline and the throat; a face cut out like a mask would be found by its edge alone.
The head is an ellipsoid placed by the 68 landmarks (any model's, any unit), the hair a larger one around it.
All arrays are float32; colors RGB in [0, 1].
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from sirjax.constants import IMAGE_SIZE
from sirjax.data.backgrounds import random_color, smooth_noise
from sirjax.data.scenes import Person

LONG_HAIR = 0.45  # hair_length above which hair falls beside the face
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
    """What to paint: [4, H, W] float32, three colors premultiplied by the opacity that follows them."""

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

    camera = (rotation, scale, translation)
    brightness = _planes(np.clip(light[0] * 0.886227, 0.2, 1.3))  # the ambient part of the light
    behind, front = np.zeros((2, 4, *IMAGE_SIZE), np.float32)
    skin, hair = _planes(person.skin), _planes(person.hair)
    strands = np.exp(0.2 * _strands(random))
    width = head.width
    if person.hair_length > LONG_HAIR:  # a second ellipsoid, lower and further back
        drop = (person.hair_length - LONG_HAIR) * 1.6 * width
        center = head.center + np.array([0, -0.35 * width - 0.5 * drop, -0.1 * width])
        radii = width * np.array([0.62, 0.75 + 0.5 * drop / width, 0.5])
        mask, _, _ = _ellipsoid(center, radii, camera)
        _paint(behind, mask, hair * strands * brightness * np.float32(0.7))
    neck_top = np.array([head.center[0], head.chin[1] + 0.25 * width, head.center[2] + 0.1 * width])
    neck_bottom = neck_top + np.array([0, -1.4 * width, -0.25 * width])
    # The neck stands in the head's shadow.
    _paint(behind, _capsule(seen(neck_top), seen(neck_bottom), 0.34 * width * scale), skin * brightness * _fade(random))
    shoulders = seen(neck_bottom - np.array([0, 0.35 * width, 0]))
    folds = np.exp(np.float32(0.12) * smooth_noise(random, IMAGE_SIZE, 8, 1)[..., 0])
    clothes = _planes(random_color(random)) * brightness * folds
    _paint(behind, _ellipse(shoulders, (1.15 * width * scale, 0.75 * width * scale)), clothes)

    center = head.center + np.array([0, 0.08 * width, -0.08 * width])
    cranium = width * np.array([0.5, 0.62, 0.62])
    if person.hair_length == 0:
        mask, _, normal = _ellipsoid(center, cranium, camera)
        _paint(behind, mask, skin * np.clip(_shade(normal, light), 0, 1.5))
    else:
        thick = 1.06 + 0.14 * person.hair_length
        mask, point, normal = _ellipsoid(center, cranium * thick, camera)
        color = hair * strands * np.clip(_shade(normal, light), 0.15, 1.4)
        _paint(behind, mask, color * np.float32(0.8))
        # Hair grows behind a surface that slopes from the hairline back and down to behind the ears.
        line = head.hairline - (0.1 + 0.25 * person.hairline) * width
        slope = 1.1 + 0.5 * random.random()
        start = float(head.center[2] + 0.55 * width)
        edge = np.float32(0.035 * width) * smooth_noise(random, IMAGE_SIZE, 14, 1)[..., 0]
        above = point[1] + edge - np.float32(slope) * (point[2] - np.float32(start)) - np.float32(line)
        above_nape = point[1] - np.float32(head.center[1] - 0.3 * width)
        cap = np.clip(np.minimum(above, above_nape) * np.float32(scale) + np.float32(0.5), 0, 1)
        _paint(front, mask * cap, color)
    for plane in (*behind, *front):
        cv2.GaussianBlur(plane, (0, 0), 0.6, dst=plane)
    return Layers(behind=behind, front=front)


def _ellipsoid(center, radii, camera):
    """Casts a ray through each pixel: coverage [H, W], the nearest hit in the model frame, its camera-frame normal."""
    rotation, scale, translation = camera
    matrix = (rotation / radii**2) @ rotation.T  # x^T matrix x = 1 on the surface, in camera axes about the center
    middle = rotation @ center
    (xx, xy, xz), (_, yy, yz), (_, _, zz) = matrix.tolist()
    # Python's floats keep the arrays float32.
    x = (_U - float(translation[0])) / float(scale) - float(middle[0])
    y = (float(translation[1]) - _V) / float(scale) - float(middle[1])
    linear = xz * x + yz * y
    discriminant = linear * linear - zz * (xx * x * x + 2 * xy * x * y + yy * y * y - 1)
    depth = np.sqrt(np.maximum(discriminant, 0)) / zz  # half of the ray's way through the ellipsoid
    z = depth - linear / zz
    mask = np.minimum(depth * float(0.5 * scale), 1)
    normal = [row[0] * x + row[1] * y + row[2] * z for row in matrix.tolist()]
    length = np.sqrt(normal[0] ** 2 + normal[1] ** 2 + normal[2] ** 2) + 1e-12
    x, y, z = x + float(middle[0]), y + float(middle[1]), z + float(middle[2])
    point = [column[0] * x + column[1] * y + column[2] * z for column in rotation.T.tolist()]
    return mask, point, [component / length for component in normal]


def _planes(color) -> np.ndarray:
    """A color as [3, 1, 1]. Planes of an image are multiplied by a mask several times faster than its pixels are."""
    return np.asarray(color, np.float32)[:, None, None]


def _shade(normal: list[np.ndarray], light: np.ndarray) -> np.ndarray:
    """First-order shading, enough for hair: [3, H, W]."""
    factors = np.array([0.886227, 1.023327, 1.023327, 1.023327])[:, None]
    ambient, forward, right, up = (_planes(row) for row in light[:4] * factors)
    x, y, z = normal
    return ambient + z * forward + x * right + y * up


def _paint(layer: np.ndarray, mask: np.ndarray, color: np.ndarray) -> None:
    """Lays a color [3, 1, 1] or [3, H, W] over what is there."""
    mask = mask.astype(np.float32, copy=False)
    layer *= 1 - mask
    layer[:3] += color * mask
    layer[3] += mask


def _capsule(start, end, radius) -> np.ndarray:
    mask = np.zeros(IMAGE_SIZE, np.float32)
    start, end = (tuple(round(float(np.clip(value, -500, 500))) for value in point) for point in (start, end))
    cv2.line(mask, start, end, 1.0, max(1, round(2 * radius)), cv2.LINE_AA)
    return mask


def _ellipse(center, radii) -> np.ndarray:
    across, along = (_U - float(center[0])) / float(radii[0]), (_V - float(center[1])) / float(radii[1])
    return np.clip((1 - across * across - along * along) * float(min(radii) * 0.5), 0, 1)


def _strands(random: np.random.Generator) -> np.ndarray:
    """Noise drawn out downward, as hair falls; [H, W]."""
    noise = random.standard_normal((IMAGE_SIZE[0] // 6, IMAGE_SIZE[1]), np.float32)
    return cv2.resize(noise, IMAGE_SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def _fade(random: np.random.Generator) -> np.ndarray:
    """The neck's shading across the image."""
    return random.uniform(0.5, 0.75) + (_U / IMAGE_SIZE[1] - 0.5) * random.uniform(-0.5, 0.5)
