"""Small meshes in clip space for the renderer's tests."""

import numpy as np


def random_triangles(rng, num_triangles=24, num_images=1, perspective=False):
    """Triangles of all sizes, positions [N, 3T, 4] and triangles [T, 3]; some hang over the border of the image."""
    centers = rng.uniform(-1.1, 1.1, size=(num_images, num_triangles, 1, 2))
    xy = centers + rng.normal(size=(num_images, num_triangles, 3, 2)) * rng.uniform(
        0.02, 0.8, size=(num_triangles, 1, 1)
    )
    z = rng.uniform(-0.9, 0.9, size=(num_images, num_triangles, 3, 1))
    w = rng.uniform(0.5, 2.0, size=z.shape) if perspective else np.ones_like(z)
    positions = np.concatenate([xy * w, z * w, w], axis=-1).reshape(num_images, -1, 4)
    return positions.astype(np.float32), np.arange(3 * num_triangles, dtype=np.int32).reshape(-1, 3)


def grid_triangles(rows, columns):
    """Two triangles per cell of a grid of rows x columns vertices."""
    number = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    both = np.stack([np.stack([a, b, c], axis=-1), np.stack([d, c, b], axis=-1)])
    return both.reshape(-1, 3).astype(np.int32)


def bumpy_sheet(rng, size=12, num_images=1, extent=0.8):
    """A grid over part of the image with uneven vertices and depths: every vertex is shared by up to six triangles."""
    line = np.linspace(-extent, extent, size)
    x, y = np.meshgrid(line, line)
    flat = np.stack([x, y, 0.3 * np.cos(3 * x) * np.cos(2 * y)], axis=-1).reshape(1, -1, 3)
    noise = rng.normal(size=(num_images, size * size, 3)) * 0.2 * extent / size
    positions = np.concatenate([flat + noise, np.ones((num_images, size * size, 1))], axis=-1)
    return positions.astype(np.float32), grid_triangles(size, size)
