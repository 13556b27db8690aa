"""Procedural backdrops of synthetic photos: walls, gradients, bokeh, foliage, stripes, rooms; float32 RGB in [0, 1]."""

import cv2
import numpy as np
from jaxtyping import Float


def draw_background(random: np.random.Generator, image_size: tuple[int, int]) -> Float[np.ndarray, "H W 3"]:
    """A random backdrop, mostly out of focus."""
    kinds = (_wall, _gradient, _bokeh, _clouds, _stripes, _room)
    image = kinds[random.integers(len(kinds))](random, image_size)
    if random.random() < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), random.uniform(0.5, 5))
    return np.clip(image, 0, 1).astype(np.float32)


def smooth_noise(random: np.random.Generator, image_size: tuple[int, int], cells: int, channels: int) -> np.ndarray:
    """Normal noise of about `cells` blobs across, interpolated; [H, W, channels]."""
    height, width = image_size
    small = random.normal(0, 1, (max(2, cells * height // width), cells, channels)).astype(np.float32)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return large.reshape(height, width, channels)


def random_color(random: np.random.Generator) -> Float[np.ndarray, "3"]:
    """A color with moderate saturation, any brightness."""
    gray = random.uniform(0.08, 0.92)
    return np.clip(gray + random.normal(0, 0.08, 3), 0, 1).astype(np.float32)


def _wall(random, size):
    image = np.full((*size, 3), random_color(random), np.float32)
    image = image + 0.04 * smooth_noise(random, size, 3, 1)
    return image + random.uniform(0, 0.03) * smooth_noise(random, size, 40, 1)


def _gradient(random, size):
    angle = random.uniform(0, 2 * np.pi)
    v, u = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32) / max(size)
    along = (np.cos(angle) * u + np.sin(angle) * v)[..., None]
    along = (along - along.min()) / max(np.ptp(along), 1e-6)
    return random_color(random) * (1 - along) + random_color(random) * along


def _bokeh(random, size):
    image = 0.5 * _gradient(random, size)
    for _ in range(int(random.integers(8, 30))):
        center = (int(random.integers(size[1])), int(random.integers(size[0])))
        disc = np.zeros_like(image)
        cv2.circle(disc, center, int(random.integers(2, 12)), random_color(random).tolist(), -1, cv2.LINE_AA)
        image = np.maximum(image, disc * random.uniform(0.4, 1.0))
    return image


def _clouds(random, size):
    base, other = random_color(random), random_color(random)
    noise = sum(smooth_noise(random, size, cells, 1) / (k + 1) for k, cells in enumerate((3, 7, 17, 37)))
    share = 1 / (1 + np.exp(-2 * noise))
    return base * (1 - share) + other * share


def _stripes(random, size):
    v, u = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    angle = random.choice((0.0, np.pi / 2)) + random.normal(0, 0.1)
    phase = (np.cos(angle) * u + np.sin(angle) * v) * 2 * np.pi / random.uniform(6, 40)
    share = (0.5 + 0.5 * np.tanh(random.uniform(1, 6) * np.sin(phase)))[..., None]
    return random_color(random) * (1 - share) + random_color(random) * share


def _room(random, size):
    image = _wall(random, size)
    for _ in range(int(random.integers(2, 7))):
        low = (int(random.integers(-20, size[1])), int(random.integers(-20, size[0])))
        high = (low[0] + int(random.integers(8, 60)), low[1] + int(random.integers(8, 80)))
        cv2.rectangle(image, low, high, random_color(random).tolist(), -1)
        if random.random() < 0.5:
            cv2.rectangle(image, low, high, random_color(random).tolist(), 1, cv2.LINE_AA)
    return image + 0.03 * smooth_noise(random, size, 20, 1)
