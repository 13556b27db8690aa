"""The UV layout of the face region: a harmonic map onto a rounded square, exactly symmetric about u = 0.5.

Every inner vertex lies at a weighted mean of its neighbors, which keeps triangles from folding over each other,
whatever the (positive) weights (Tutte). The weights are adapted until each part of the face has about the share of the
map that it deserves. The eyeballs lie in the lower corners, which the rounded square leaves free.
"""

import numpy as np

from data_prep.builtin_region import CAVITY, RIGHT_EYEBALL, SOCKET, Region, boundary_loops
from data_prep.face_models.meshes import doubled_area, vertex_means

MARGIN = 0.01  # of the map's side, kept free around the face
EYE_RADIUS = 0.062  # of each eyeball's disc
_EYE_WIDENING = 1.5  # 1: equal steps of angle
_SQUARENESS = 4.0, 2.5  # exponents of the outline |x|^n + |y|^n = 1, upper and lower half
_ROUNDS = 30  # of adapting the weights
_DAMPING = 0.5  # exponent of each correction
_WEIGHT_RANGE = 300.0  # largest weight over the median one, and the reverse; more would cost precision
_GRID = 2**16  # coordinates are whole multiples of 1 / _GRID, so float32 holds them and their mirror images exactly


def uv_layout(mean: np.ndarray, region: Region) -> np.ndarray:
    """Texture coordinates [V, 2] of the region's vertices, v down.

    Raises:
      ValueError: if some triangle comes out flipped.
    """
    face = region.triangles[region.kind[region.triangles[:, 0]] < RIGHT_EYEBALL]
    edges = np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]])
    edges = np.unique(np.sort(edges, axis=1), axis=0)
    outline = max(boundary_loops(region.triangles), key=len)
    position = np.zeros((len(mean), 2))
    position[outline] = _rounded_square(mean, outline)
    inner = region.kind < RIGHT_EYEBALL
    inner[outline] = False

    deserved = _deserved_area(mean, face, region)
    weights = np.ones(len(edges))
    for _ in range(_ROUNDS):
        position = _relax(position, inner, edges, weights)
        excess = np.abs(doubled_area(position, face)) / deserved
        pull = vertex_means(excess, face, len(mean))
        weights *= (pull[edges[:, 0]] * pull[edges[:, 1]]) ** (_DAMPING / 2)
        weights = np.clip(weights / np.median(weights), 1 / _WEIGHT_RANGE, _WEIGHT_RANGE)

    uv = np.rint((0.5 + (0.5 - MARGIN) * position * [1, -1]) * _GRID) / _GRID
    ball = region.kind == RIGHT_EYEBALL
    uv[ball] = np.rint(_eye_disc(mean[ball]) * _GRID) / _GRID
    right = mean[:, 0] < 0
    uv[region.mirror[right]] = uv[right] * [-1, 1] + [1, 0]
    uv[region.mirror == np.arange(len(mean)), 0] = 0.5
    flipped = int((doubled_area(uv, region.triangles) >= 0).sum())  # v is down, so the face's own sense is negative
    if flipped:
        raise ValueError(f"{flipped} triangles of the UV layout are flipped or empty")
    return uv


def _deserved_area(mean: np.ndarray, triangles: np.ndarray, region: Region) -> np.ndarray:
    """The share of the map each triangle should get: its area on the face times the detail to be seen there."""
    corners = mean[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.maximum(np.sqrt((cross**2).sum(axis=1)), 0.05)
    detail = _detail(mean, region)[triangles].mean(axis=1)
    return area * detail / (area * detail).sum()


def _detail(mean: np.ndarray, region: Region) -> np.ndarray:
    """Importance of each vertex's surroundings: high about eyes, nose and mouth, low at the skull, neck and ears."""
    x, y, z = mean.T
    eye = mean[region.kind == RIGHT_EYEBALL].mean(axis=0)
    reach = np.minimum(np.abs(x - eye[0]), np.abs(x + eye[0])) ** 2 + (y - eye[1]) ** 2
    middle = x**2 + (0.8 * (y - eye[1] + 50)) ** 2
    detail = 0.35 + 1.6 * np.exp(-reach / 20.0**2) + 1.2 * np.exp(-middle / 38.0**2)
    detail = np.where(z < mean[region.kind == RIGHT_EYEBALL, 2].min() - 45, 0.3, detail)
    return np.where(np.isin(region.kind, (CAVITY, SOCKET)), 0.15, detail)


def _relax(position: np.ndarray, inner: np.ndarray, edges: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Moves the inner vertices to the weighted means of their neighbors, by preconditioned conjugate gradients."""
    count = len(position)
    ends = np.concatenate([edges, edges[:, ::-1]])
    doubled = np.concatenate([weights, weights])
    diagonal = np.maximum(np.bincount(ends[:, 0], doubled, count), 1e-9)  # eyeballs have no edges here

    def laplacian(x: np.ndarray) -> np.ndarray:
        sums = [np.bincount(ends[:, 0], doubled * x[ends[:, 1], k], count) for k in range(2)]
        return (diagonal[:, None] * x - np.stack(sums, axis=1)) * inner[:, None]

    x = position.copy()
    residual = -laplacian(x)
    direction = residual / diagonal[:, None]
    energy = (residual * direction).sum(axis=0)
    for _ in range(2000):
        if (energy < 1e-26).all():
            break
        curved = laplacian(direction)
        step = energy / np.maximum((direction * curved).sum(axis=0), 1e-300)
        x += step * direction
        residual -= step * curved
        scaled = residual / diagonal[:, None]
        fresh = (residual * scaled).sum(axis=0)
        direction = scaled + fresh / np.maximum(energy, 1e-300) * direction
        energy = fresh
    return x


def _eye_disc(mean: np.ndarray) -> np.ndarray:
    """Texture coordinates of the subject's right eyeball: a disc in the lower left corner, the iris widened."""
    low, high = mean.min(axis=0), mean.max(axis=0)
    radius = (high - low)[:2].max() / 2
    direction = mean - [*(low + high)[:2] / 2, high[2] - radius]
    sideways = np.sqrt((direction[:, :2] ** 2).sum(axis=1))
    angle = np.arctan2(sideways, direction[:, 2])
    reach = 1 - (1 - angle / angle.max()) ** _EYE_WIDENING
    on_disc = direction[:, :2] / np.maximum(sideways, 1e-9)[:, None] * reach[:, None]
    center = np.array([MARGIN + EYE_RADIUS, 1 - MARGIN - EYE_RADIUS])
    return center + EYE_RADIUS * on_disc * [1, -1]


def _rounded_square(mean: np.ndarray, outline: list[int]) -> np.ndarray:
    """Where the outline's vertices go: in the direction they are seen in from the face, evened out."""
    loop = mean[outline]
    steps = np.sqrt(((np.roll(loop, -1, axis=0) - loop) ** 2).sum(axis=1))
    length = np.cumsum(steps) - steps
    middle = np.flatnonzero(np.abs(loop[:, 0]) < 1e-6)
    top = middle[loop[middle, 1].argmax()]
    bottom = middle[loop[middle, 1].argmin()]
    total = steps.sum()
    # The outline runs counterclockwise seen from the front: top, the subject's right (image left), bottom, left.
    along = (length - length[top]) / total % 1
    half = along[bottom]
    turn = np.where(along <= half, along / half / 2, 0.5 + (along - half) / (1 - half) / 2)
    angle = np.pi / 2 + 2 * np.pi * turn
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    power = np.where(direction[:, 1] > 0, *_SQUARENESS)
    radius = (np.abs(direction) ** power[:, None]).sum(axis=1) ** (-1 / power)
    return direction * radius[:, None]
