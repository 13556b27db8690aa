"""Brute-force rasterization in float64: every pixel against every triangle. Slow and plain, as a second opinion."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Reference:
    triangle_id: np.ndarray  # [H, W], -1 where nothing is hit
    barycentric: np.ndarray  # [H, W, 3]
    depth: np.ndarray  # [H, W]
    ambiguous: np.ndarray  # bool [H, W]: on an edge, at a clip plane or between two depths, within rounding


def pixel_centers(image_size):
    height, width = image_size
    x = (2 * np.arange(width) + 1) / width - 1
    y = (2 * np.arange(height) + 1) / height - 1
    return np.meshgrid(x, y)


def rasterize(positions, triangles, image_size, *, edge_slack=1e-5, depth_slack=1e-6) -> Reference:
    """One image. positions [V, 4], triangles [T, 3]."""
    x, y = pixel_centers(image_size)
    best = np.full(image_size, np.inf)
    second = np.full(image_size, np.inf)
    ids = np.full(image_size, -1)
    weights = np.zeros((*image_size, 3))
    ambiguous = np.zeros(image_size, bool)
    for number, triangle in enumerate(triangles):
        corners = positions[triangle].astype(np.float64)
        with np.errstate(all="ignore"):
            areas, total = edge_areas(corners, x, y)
            barycentric = areas / total[..., None]
            z, w = (areas @ corners[:, k] for k in (2, 3))
            depth = z / w
            seen = (barycentric >= 0).all(axis=-1) & (w * total > 0) & (np.abs(depth) <= 1)
            ambiguous |= np.isfinite(total) & ~(np.abs(barycentric.min(axis=-1)) >= edge_slack)
            ambiguous |= (barycentric >= 0).all(axis=-1) & (np.abs(np.abs(depth) - 1) < depth_slack)
        wins = seen & (depth < best)
        second = np.where(wins, best, np.where(seen, np.minimum(second, depth), second))
        best = np.where(wins, depth, best)
        ids = np.where(wins, number, ids)
        weights = np.where(wins[..., None], barycentric, weights)
    hit = ids >= 0
    ambiguous |= hit & (second - np.where(hit, best, 0) < depth_slack)
    return Reference(ids, weights, np.where(hit, best, 0), ambiguous)


def barycentric_at(positions, triangles, ids):
    """Barycentric coordinates [N, H, W, 3] in float64 at given triangles; 0 where there is none."""
    x, y = pixel_centers(ids.shape[1:])
    result = np.zeros((*ids.shape, 3))
    for n, image in enumerate(ids):
        for i, j in np.argwhere(image >= 0):
            corners = positions[n, triangles[image[i, j]]].astype(np.float64)
            areas, total = edge_areas(corners, x[i, j], y[i, j])
            result[n, i, j] = areas / total
    return result


def edge_areas(corners, x, y):
    """Twice the areas (times w) that points span with each edge [..., 3], and their sum; homogeneous corners [3, 4]."""
    px, py = (corners[:, k] - np.stack([v] * 3, axis=-1) * corners[:, 3] for k, v in ((0, x), (1, y)))
    areas = np.stack([px[..., m] * py[..., n] - py[..., m] * px[..., n] for m, n in ((1, 2), (2, 0), (0, 1))], axis=-1)
    return areas, areas.sum(axis=-1)
