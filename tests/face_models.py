"""A small face model for unit tests: a symmetric dome with a nose, and landmarks where a face has them."""

import jax.numpy as jnp
import numpy as np

from sirjax.geometry.mesh import mesh_topology
from sirjax.morphable.model import FaceModel

HALF_WIDTH = 75.0  # mm
SPREAD = 3.0  # mm RMS of a vertex at one standard deviation of every shape mode; half of it for expression
UV_SIZE = 64
UV_REACH = 0.475  # half the side of the square that the dome takes of the UV map


def dome_face_model(seed: int = 0, grid: int = 17, shape_modes: int = 6, expression_modes: int = 3) -> FaceModel:
    """A dome of grid x grid vertices (grid odd) with smooth random orthonormal modes."""
    if grid % 2 == 0:
        raise ValueError(f"grid must be odd, so that a column of vertices lies on the midline, got {grid}")
    rng = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(-1, 1, grid), np.linspace(1, -1, grid))
    plane = np.stack([across.ravel(), down.ravel()], axis=1)  # rows of the grid from the top, each from left to right
    triangles = _triangles(grid)
    corners, weights = zip(*(_locate(point, plane, triangles) for point in landmark_layout()), strict=True)
    shape_basis = _smooth_modes(rng, plane, shape_modes)
    expression_basis = _smooth_modes(rng, plane, expression_modes)
    index = np.arange(grid * grid).reshape(grid, grid)
    uv = 0.5 + UV_REACH * plane * [1, -1]
    return FaceModel(
        mean=_floats(np.column_stack([HALF_WIDTH * plane, _height(plane)])),
        shape_basis=_floats(shape_basis),
        expression_basis=_floats(expression_basis),
        shape_std=_floats(_deviations(shape_modes, SPREAD, len(plane))),
        expression_std=_floats(_deviations(expression_modes, SPREAD / 2, len(plane))),
        topology=mesh_topology(triangles, len(plane)),
        uv=_floats(uv),
        uv_triangles=jnp.asarray(triangles),
        landmark_vertices=jnp.asarray(np.array(corners, np.int32)),
        landmark_weights=_floats(np.array(weights)),
        mean_albedo=_floats(_albedo()),
        uv_mask=jnp.asarray(np.abs(_texels() - 0.5).max(axis=-1) <= UV_REACH),
        mirror_vertices=jnp.asarray(index[:, ::-1].ravel().astype(np.int32)),
        name="dome",
        licence="CC0-1.0",
        provenance="made up by the tests",
    )


def landmark_layout() -> np.ndarray:
    """The 68 points in the plane of the dome, [-1, 1] across and up, in iBUG's order; exactly symmetric."""
    angle = np.pi * (1 + np.arange(17) / 16)
    jaw = np.column_stack([0.85 * np.cos(angle), 0.15 + 0.98 * np.sin(angle)])
    brow = np.array([[-0.66, 0.42], [-0.55, 0.49], [-0.42, 0.51], [-0.29, 0.49], [-0.16, 0.44]])
    ridge = np.column_stack([np.zeros(4), [0.28, 0.16, 0.04, -0.08]])
    nostrils = np.array([[-0.15, -0.17], [-0.08, -0.19], [0.0, -0.21], [0.08, -0.19], [0.15, -0.17]])
    eye = np.array([[-0.50, 0.28], [-0.42, 0.33], [-0.30, 0.33], [-0.22, 0.27], [-0.31, 0.23], [-0.42, 0.23]])
    upper = np.array([[-0.30, -0.43], [-0.18, -0.37], [-0.07, -0.34], [0.0, -0.36]])
    lower = np.array([[0.18, -0.52], [0.08, -0.56], [0.0, -0.57], [-0.08, -0.56], [-0.18, -0.52]])
    inner = np.array([[-0.25, -0.43], [-0.08, -0.42], [0.0, -0.42]])
    inner_lower = np.array([[0.08, -0.46], [0.0, -0.47], [-0.08, -0.46]])
    mirror = np.array([-1.0, 1.0])
    return np.concatenate([
        jaw, brow, brow[::-1] * mirror, ridge, nostrils,
        eye, eye[[3, 2, 1, 0, 5, 4]] * mirror,
        upper, upper[2::-1] * mirror, lower,
        inner, inner[1::-1] * mirror, inner_lower,
    ])  # fmt: skip


def _floats(array: np.ndarray) -> jnp.ndarray:
    return jnp.asarray(np.asarray(array, np.float32))


def _height(plane: np.ndarray) -> np.ndarray:
    """z in mm: a flat dome and a nose in front of it; every triangle faces the viewer."""
    dome = 45.0 * (1 - (plane**2).sum(axis=1) / 2)
    nose = 14.0 * np.exp(-((plane - [0.0, -0.08]) ** 2 / [0.02, 0.06]).sum(axis=1))
    return dome + nose


def _triangles(grid: int) -> np.ndarray:
    """Two triangles a cell, counterclockwise for the viewer, the diagonals mirrored about the midline."""
    index = np.arange(grid * grid, dtype=np.int32).reshape(grid, grid)
    cells = []
    for row in range(grid - 1):
        for column in range(grid - 1):
            a, b = index[row, column], index[row, column + 1]
            c, d = index[row + 1, column], index[row + 1, column + 1]
            cells += [(a, c, b), (b, c, d)] if column < grid // 2 else [(a, c, d), (a, d, b)]
    return np.array(cells, np.int32)


def _locate(point: np.ndarray, plane: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangle around a point of the plane, and the point's barycentric weights in it."""
    a, b, c = (plane[triangles[:, k]] for k in range(3))
    edges = np.stack([b - a, c - a], axis=-1)
    second_third = np.linalg.solve(edges, (point - a)[..., None])[..., 0]
    weights = np.column_stack([1 - second_third.sum(axis=1), second_third])
    best = weights.min(axis=1).argmax()
    return triangles[best], weights[best]


def _smooth_modes(rng: np.random.Generator, plane: np.ndarray, count: int) -> np.ndarray:
    """Random orthonormal modes [count, 3V] of low spatial frequency."""
    waves = [np.cos(np.pi / 2 * (i * (plane[:, 0] + 1))) * np.cos(np.pi / 2 * j * (plane[:, 1] + 1))
             for i in range(5) for j in range(5)]  # fmt: skip
    fields = np.kron(np.array(waves), np.eye(3))  # [75, 3V]
    mixed = rng.normal(size=(count, len(fields))) @ fields
    return np.linalg.qr(mixed.T)[0].T


def _deviations(count: int, rms: float, num_vertices: int) -> np.ndarray:
    """Falling deviations in mm that together move a vertex by `rms` (root mean square)."""
    falling = 0.8 ** np.arange(count)
    return falling * rms * np.sqrt(num_vertices / (falling**2).sum())


def _texels() -> np.ndarray:
    centers = (np.arange(UV_SIZE) + 0.5) / UV_SIZE
    return np.stack(np.meshgrid(centers, centers), axis=-1)


def _albedo() -> np.ndarray:
    """Skin with dark eyes and red lips, symmetric about the middle column."""
    plane = (_texels() - 0.5) / UV_REACH * [1, -1]
    plane[..., 0] = np.abs(plane[..., 0])
    skin = np.array([0.72, 0.53, 0.44]) * (1 - 0.15 * (plane**2).sum(axis=-1, keepdims=True) / 2)
    eyes = np.exp(-(((plane - [0.36, 0.28]) / [0.12, 0.06]) ** 2).sum(axis=-1, keepdims=True))
    lips = np.exp(-(((plane - [0.0, -0.45]) / [0.22, 0.09]) ** 2).sum(axis=-1, keepdims=True))
    skin = skin + lips * ([0.60, 0.25, 0.25] - skin)
    return skin + eyes * ([0.15, 0.12, 0.10] - skin)
