"""What a synthetic photo shows, drawn from random streams: who it is, and how the face is posed, lit and framed.

Every number comes from a generator keyed by (seed, kind of set, person) or (seed, kind of set, person, photo): photo 7
of person 3 is the same whatever else is made, and sets of different kinds never share a person.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sirjax.data import alignment

KINDS = ("identity", "landmark", "benchmark")  # the index is part of the random streams: append only
NOISE_CELLS = 12  # resolution of the albedo's smooth variation
# Skin tones from very light to very dark (red, green, blue as displayed), evenly spaced on the scale.
SKIN_TONES = np.array(
    [
        (0.95, 0.83, 0.76),
        (0.91, 0.76, 0.66),
        (0.85, 0.67, 0.55),
        (0.76, 0.57, 0.44),
        (0.63, 0.45, 0.33),
        (0.49, 0.34, 0.25),
        (0.37, 0.25, 0.18),
        (0.28, 0.19, 0.14),
    ]
)
HAIR_COLORS = np.array(
    [
        (0.06, 0.05, 0.05),
        (0.13, 0.09, 0.07),
        (0.24, 0.15, 0.09),
        (0.38, 0.25, 0.14),
        (0.62, 0.47, 0.27),
        (0.45, 0.18, 0.08),
        (0.58, 0.57, 0.56),
    ]
)
_HAIR_OF_LIGHT_SKIN = (0.2, 0.22, 0.2, 0.15, 0.1, 0.05, 0.08)
_HAIR_OF_DARK_SKIN = (0.6, 0.25, 0.07, 0.0, 0.0, 0.0, 0.08)
# Radiance-to-coefficient factors of sirjax.render.shading's basis (spec section 5).
_SH_FACTORS = np.array([0.886227, 1.023327, 1.023327, 1.023327, 0.247708, 0.858086, 0.858086, 0.429043, 0.858086])


@dataclass(frozen=True)
class Person:
    """What all photos of a person share."""

    shape: np.ndarray  # [S] whitened, N(0, I)
    skin: np.ndarray  # [3] mean color of the skin
    skin_noise: np.ndarray  # [NOISE_CELLS, NOISE_CELLS, 3] log gain
    hair: np.ndarray  # [3] color
    hair_length: float  # 0 bald, then short; 1 reaches the shoulders
    hairline: float  # how far the hair comes down over the forehead, 0 to 1


@dataclass(frozen=True)
class View:
    """What one photo adds."""

    expression: np.ndarray  # [E] whitened
    rotation: np.ndarray  # [3, 3] camera_from_model, before alignment turns the image upright
    light: np.ndarray  # [9, 3]
    gloss: float  # strength of the skin's highlights
    skin_noise: np.ndarray  # as in Person, fainter
    point_error: np.ndarray  # [5, 2] pixels of the crop: what a detector gets wrong
    random: np.random.Generator  # goes on to draw everything that is painted around and over the face


def person_generator(seed: int, kind: str, person: int) -> np.random.Generator:
    """The stream of a person's own numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, KINDS.index(kind), person))))


def view_generator(seed: int, kind: str, person: int, view: int) -> np.random.Generator:
    """The stream of a photo's numbers."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, KINDS.index(kind), person, view))))


def draw_person(random: np.random.Generator, num_shape: int) -> Person:
    """A new person: shape from the 3DMM's prior, skin from a wide range of tones."""
    shape = random.standard_normal(num_shape)
    skin, noise = draw_skin(random)
    chances = _HAIR_OF_DARK_SKIN if skin.mean() < 0.45 else _HAIR_OF_LIGHT_SKIN
    color = HAIR_COLORS[random.choice(len(HAIR_COLORS), p=chances)]
    return Person(
        shape=shape,
        skin=skin,
        skin_noise=noise,
        hair=np.clip(color * np.exp(random.normal(0, 0.15) + random.normal(0, 0.03, 3)), 0.02, 0.9),
        hair_length=0.0 if random.random() < 0.08 else random.uniform(0.1, 1.0),
        hairline=random.uniform(0, 1) ** 2,
    )


def draw_skin(random: np.random.Generator) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "C C 3"]]:
    """A skin color and the smooth variation of the skin over the face."""
    place = (len(SKIN_TONES) - 1) * random.uniform(0, 1) ** 1.25  # dark photos of dark skin show little: some fewer
    skin = np.array([np.interp(place, np.arange(len(SKIN_TONES)), SKIN_TONES[:, channel]) for channel in range(3)])
    skin = np.clip(skin * np.exp(random.normal(0, 0.04) + random.normal(0, 0.025, 3)), 0.03, 0.97)
    gray = random.normal(0, 0.05, (NOISE_CELLS, NOISE_CELLS, 1))
    return skin, gray + random.normal(0, 0.02, (NOISE_CELLS, NOISE_CELLS, 3))


def draw_view(random: np.random.Generator, num_expression: int, skin: Float[np.ndarray, "3"]) -> View:
    """Expression, pose, light and framing of one photo (see docs/data.md for the ranges).

    Args:
      random: the photo's stream.
      num_expression: modes of the face model.
      skin: the person's; like any camera, this one exposes darker faces a little longer.
    """
    expression = np.zeros(num_expression)
    if random.random() >= 0.3:  # 30 % are exactly neutral
        expression = random.uniform(0.2, 1.0) * _truncated_normal(random, num_expression, 2.0)
    # As in photos from the web, most people look about at the camera; every fourth photo is from anywhere in front.
    yaw = random.uniform(-90, 90) if random.random() < 0.25 else _truncated_normal(random, 1, 3.0)[0] * 20
    pitch, roll = 10 * _truncated_normal(random, 2, 2.0)
    return View(
        expression=expression,
        rotation=rotation_from_degrees(pitch, yaw, roll),
        light=draw_light(random) * exposure(skin),
        gloss=random.uniform(0, 0.12),
        skin_noise=random.normal(0, 0.015, (NOISE_CELLS, NOISE_CELLS, 1)) + np.zeros(3),
        point_error=random.normal(0, 1.0 + abs(yaw) / 90, (5, 2)),
        random=random,
    )


def draw_light(random: np.random.Generator) -> Float[np.ndarray, "9 3"]:
    """Ambient light and one or two lamps, each with its own tint; a surface toward the viewer gets 0.55 to 1.15."""
    light = np.zeros((9, 3))
    lamps = 1 + (random.random() < 0.4)
    for _ in range(lamps):
        # Above and in front more often than below and behind.
        direction = random.normal((0, 0.35, 0.6), (0.8, 0.5, 0.5))
        direction /= np.linalg.norm(direction)
        strength = random.uniform(0.2, 1.0) / lamps
        light += lamp_coefficients(direction)[:, None] * (strength * _tint(random, 0.08))[None]
    ambient = np.zeros((9, 3))
    ambient[0] = random.uniform(0.45, 0.9) * _tint(random, 0.05) / _SH_FACTORS[0]
    light += ambient
    toward_viewer = light[0] * _SH_FACTORS[0] + light[1] * _SH_FACTORS[1] + light[4] * 2 * _SH_FACTORS[4]
    return light * random.uniform(0.55, 1.15) / toward_viewer.mean()


def exposure(skin: Float[np.ndarray, "3"]) -> float:
    """How much longer a camera exposes a face of this color than a medium one: some of the difference is evened out."""
    return float((0.6 / np.mean(skin)) ** 0.4)


def lamp_coefficients(direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "9"]:
    """Coefficients of a distant lamp of strength 1 in unit `direction` (camera frame).

    Second-order expansion of max(0, n.d): 1/4 + (n.d)/2 + 5/32 (3 (n.d)^2 - 1), written in the basis
    [1, z, x, y, 3z^2 - 1, xz, yz, x^2 - y^2, xy] of sirjax.render.shading.
    """
    x, y, z = direction
    quadratic = 5 / 32
    terms = np.array(
        [
            1 / 4,
            z / 2,
            x / 2,
            y / 2,
            quadratic * (3 * z * z - 1) / 2,
            quadratic * 6 * x * z,
            quadratic * 6 * y * z,
            quadratic * 1.5 * (x * x - y * y),
            quadratic * 6 * x * y,
        ]
    )
    return terms / _SH_FACTORS


def rotation_from_degrees(pitch: float, yaw: float, roll: float) -> Float[np.ndarray, "3 3"]:
    """R = Rz(roll) Ry(yaw) Rx(pitch), as sirjax.geometry.rotation.rotation_from_euler, in float64."""
    (sp, sy, sr), (cp, cy, cr) = (f(np.deg2rad([pitch, yaw, roll])) for f in (np.sin, np.cos))
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def aligned_camera(
    landmarks: Float[np.ndarray, "68 3"], rotation: Float[np.ndarray, "3 3"], point_error: Float[np.ndarray, "5 2"]
) -> tuple[Float[np.ndarray, "3 3"], float, Float[np.ndarray, "2"]]:
    """The camera of the crop that alignment would cut from a photo of this face.

    The landmarks are seen in a photo of 1 px/mm, five of them with a detector's errors; the crop's similarity then
    turns, scales and shifts the camera, as it does with real photos.

    Args:
      landmarks: model frame, millimeters.
      rotation: camera_from_model in the photo.
      point_error: error of eye centers, nose tip and mouth corners, in pixels of the crop.

    Returns:
      camera_from_model of the crop, its scale (px/mm) and translation (px).
    """
    seen = (landmarks @ rotation.T)[:, :2] * (1, -1)
    matrix = alignment.crop_from_landmarks(seen)
    noisy = seen.copy()
    error = point_error / np.hypot(*matrix[:, 0])
    for points, offset in zip((slice(36, 42), slice(42, 48), 30, 48, 54), error, strict=True):
        noisy[points] += offset
    matrix = alignment.crop_from_landmarks(noisy)
    scale = float(np.hypot(*matrix[:, 0]))
    (a, b), translation = matrix[:, 0] / scale, matrix[:, 2]
    turn = np.array([[a, b, 0], [-b, a, 0], [0, 0, 1]])
    return turn @ rotation, scale, translation


def _truncated_normal(random: np.random.Generator, size: int, limit: float) -> np.ndarray:
    values = random.standard_normal(size)
    while (outside := np.abs(values) > limit).any():
        values[outside] = random.standard_normal(int(outside.sum()))
    return values


def _tint(random: np.random.Generator, spread: float) -> np.ndarray:
    """A color of mean 1 on the way from bluish to reddish light."""
    warmth = random.normal(0, spread)
    tint = np.exp([warmth, random.normal(0, spread / 4), -warmth])
    return tint / tint.mean()
