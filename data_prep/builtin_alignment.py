"""Removes position, rotation and size from sampled heads (generalized Procrustes analysis), by exact arithmetic."""

import numpy as np

from data_prep.builtin_exact import exact_product

_ROUNDS = 4
_CHUNK = 250  # heads moved at a time, to bound the memory


def align_heads(heads: np.ndarray, stable: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Heads moved, turned and scaled onto their mean as well as the stable vertices allow.

    Args:
      heads: float32 [N, V, 3], whole numbers below 2**24.
      stable: bool [V], the vertices that decide.
      start: [V, 3] a head whose size and orientation the result keeps.

    Returns:
      float32 [N, V, 3], whole numbers; the origin is the center of the stable vertices.
    """
    points = heads[:, stable].astype(np.float64)
    centers = points.sum(axis=1) / points.shape[1]
    reference = _centered(start[stable])
    size = np.sqrt(_squares(reference))
    for _ in range(_ROUNDS):
        rotation, scale = _fit(points, centers, np.rint(reference))
        moved = np.rint(_move(points, centers, rotation, scale))
        reference = _centered(moved.sum(axis=0) / len(heads))
        reference *= size / np.sqrt(_squares(reference))
    aligned = np.empty(heads.shape, np.float32)
    for chunk in (slice(k, k + _CHUNK) for k in range(0, len(heads), _CHUNK)):
        aligned[chunk] = np.rint(_move(heads[chunk].astype(np.float64), centers[chunk], rotation[chunk], scale[chunk]))
    return aligned


def _centered(points: np.ndarray) -> np.ndarray:
    return points - points.sum(axis=0) / len(points)


def _squares(points: np.ndarray) -> np.ndarray:
    per_axis = (points * points).sum(axis=0)
    return per_axis[0] + per_axis[1] + per_axis[2]


def _fit(points: np.ndarray, centers: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotations [N, 3, 3] and scales [N] that bring centered points closest to the (centered) reference."""
    count = len(reference)
    total = reference.sum(axis=0)  # rounding leaves a little
    moments = exact_product(reference.T, points) - total[:, None] * centers[:, None]  # [N, reference axis, point axis]
    spread = (points * points).sum(axis=1) - count * centers * centers
    rotation = _polar(moments)
    overlap = (rotation * moments).reshape(len(points), 9).T
    return rotation, overlap.sum(axis=0) / (spread[:, 0] + spread[:, 1] + spread[:, 2])


def _polar(matrices: np.ndarray) -> np.ndarray:
    """The nearest rotations [N, 3, 3], by Newton's iteration X <- (X + X^-T) / 2; the matrices must not mirror."""
    a = matrices.transpose(1, 2, 0)  # [3, 3, N]: every product below is elementwise
    for _ in range(40):
        cofactors = np.stack([_cross(a[1], a[2]), _cross(a[2], a[0]), _cross(a[0], a[1])])
        determinant = a[0, 0] * cofactors[0, 0] + a[0, 1] * cofactors[0, 1] + a[0, 2] * cofactors[0, 2]
        a = (a + cofactors / determinant) / 2
    return a.transpose(2, 0, 1)


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _move(heads: np.ndarray, centers: np.ndarray, rotation: np.ndarray, scale: np.ndarray) -> np.ndarray:
    x, y, z = (heads[..., k] - centers[:, None, k] for k in range(3))
    rows = (rotation * scale[:, None, None])[:, :, :, None]
    return np.stack([rows[:, k, 0] * x + rows[:, k, 1] * y + rows[:, k, 2] * z for k in range(3)], axis=-1)
