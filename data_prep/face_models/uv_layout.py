"""UV layouts that are symmetric about u = 0.5: a model's own made exactly so, or a computed one.

The computed layout is a harmonic map of the largest piece of the mesh onto a rounded square: every inner vertex lies at
a weighted mean of its neighbors, which keeps triangles from folding over each other whatever the positive weights
(Tutte 1963). The weights are adapted until each triangle has about the share of the map that it deserves. Holes (eyes,
mouth) are spanned from a vertex in their middle for that. A whole head, whose rim is only the neck, would shrink to a
dot this way: it is unrolled by the angle from the front instead, where nostrils, ears and the inside of the mouth fold.
Other pieces (eyeballs, teeth) lie below, seen from the front.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from jaxtyping import Float, Int

from data_prep.face_models.meshes import (
    boundary_loops,
    doubled_area,
    mirror_map,
    pieces,
    triangle_normals,
    vertex_means,
)

MARGIN = 0.01  # of the map's side, kept free around the face
PIECES_HEIGHT = 0.14  # of the map, for the pieces beside the largest one
TOLERANCE = 0.02  # largest distance of a UV vertex from its partner's mirror image in a layout that counts as symmetric
_SQUARENESS = 4.0  # exponent of the outline |x|^n + |y|^n = 1
_GRID = 2**16  # coordinates are whole multiples of 1 / _GRID, so float32 holds them and their mirror images exactly
_HEAD_ROUNDNESS = 0.25  # length^2 of the rim over 4 pi times the area: 1 for a flat disc, 0.5 for half a ball
_ROUNDS = 12  # of adapting the weights
_DAMPING = 0.5  # exponent of each correction
_WEIGHT_RANGE = 300.0  # largest weight over the median one, and the reverse; more would cost precision
_FRONT_SHARE = 4.0  # how much more of the map a triangle that faces the viewer deserves than one that faces sideways


def symmetric_layout(
    uv: Float[np.ndarray, "Vt 2"],
    uv_triangles: Int[np.ndarray, "T 3"],
    triangles: Int[np.ndarray, "T 3"],
    mirror: Int[np.ndarray, " V"],
) -> tuple[Float[np.ndarray, "Vt 2"] | None, float]:
    """A model's own layout made exactly symmetric, and how far off it was (95th percentile); None if it is another.

    Each UV vertex is paired with the one at its vertex's mirror image that lies closest to its own mirror image, and
    both move to the middle.
    """
    corner_pairs = np.unique(np.column_stack([triangles.ravel(), uv_triangles.ravel()]), axis=0)
    at_vertex: dict[int, list[int]] = {}
    for vertex, texture in corner_pairs.tolist():
        at_vertex.setdefault(vertex, []).append(texture)
    partner = np.arange(len(uv))
    error = np.zeros(len(uv))
    for vertex, texture in corner_pairs.tolist():
        candidates = at_vertex.get(int(mirror[vertex]), [texture])
        target = uv[texture] * [-1.0, 1.0] + [1.0, 0.0]
        distances = np.abs(uv[candidates] - target).max(axis=1)
        best = int(distances.argmin())
        partner[texture], error[texture] = candidates[best], distances[best]
    off = float(np.quantile(error, 0.95))
    if off > TOLERANCE:
        return None, off
    mutual = partner[partner] == np.arange(len(uv))
    middle = (uv + uv[partner] * [-1.0, 1.0] + [1.0, 0.0]) / 2
    middle = np.where((mutual & (error <= TOLERANCE))[:, None], middle, uv)
    return _on_grid(middle), off


def computed_layout(
    mean: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"], mirror: Int[np.ndarray, " V"]
) -> Float[np.ndarray, "V 2"]:
    """Texture coordinates of the vertices, v down; exactly symmetric wherever the mirror map pairs vertices.

    Args:
      mean: the origin inside the head.
      triangles: of all pieces.
      mirror: see `data_prep.face_models.meshes.mirror_map`.

    Raises:
      ValueError: if the largest piece of the mesh is closed, so that there is no rim to spread it by.
    """
    piece = pieces(triangles, len(mean))
    face = triangles[piece[triangles[:, 0]] == 0]
    height = 1.0 if piece.max() == 0 else 1.0 - PIECES_HEIGHT
    plane = _spread(mean, face, mirror)
    uv = np.full((len(mean), 2), 0.5)
    scale = np.array([0.5 - MARGIN, height / 2 - MARGIN])
    uv[piece == 0] = ([0.5, height / 2] + scale * plane * [1, -1])[piece == 0]
    for number, box in _boxes(mean, piece, mirror, height).items():
        members = piece == number
        flat = mean[members][:, :2] * [1, -1]
        low, size = flat.min(axis=0), np.maximum(np.ptp(flat, axis=0), 1e-6)
        uv[members] = box[:2] + (flat - low) / size * (box[2:] - box[:2])
    paired = mirror != np.arange(len(mean))
    uv[paired] = ((uv + uv[mirror] * [-1, 1] + [1, 0]) / 2)[paired]
    midline = ~paired & (np.abs(mean[:, 0]) < 0.02 * np.ptp(mean[:, 0]))
    uv[midline, 0] = 0.5
    return _on_grid(uv)


def _on_grid(uv: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(uv, 0.0, 1.0) * _GRID) / _GRID


def flipped(uv: Float[np.ndarray, "Vt 2"], triangles: Int[np.ndarray, "T 3"]) -> float:
    """Share of the triangles that the layout turns over or flattens."""
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
    return float((area >= 0).mean())  # v is down, so the face's own sense is negative


def _boxes(mean: np.ndarray, piece: np.ndarray, mirror: np.ndarray, top: float) -> dict[int, np.ndarray]:
    """The rectangle (left, top, right, bottom) of each piece but the largest; mirrored pieces have mirrored ones."""
    partner = {
        number: int(np.bincount(piece[mirror[piece == number]]).argmax()) for number in range(1, piece.max() + 1)
    }
    lone = [number for number, other in partner.items() if other == number]
    pairs = [
        (number, other)
        for number, other in partner.items()
        if number < other and partner.get(other) == number and other != 0
    ]
    # What has no partner of its own kind (part of the main piece, or of a piece that has another) stands alone.
    lone += [number for number in partner if number not in lone and all(number not in pair for pair in pairs)]
    boxes = {}
    columns = np.linspace(MARGIN, 0.36 - MARGIN, len(pairs) + 1)
    for k, pair in enumerate(pairs):
        right, left = sorted(pair, key=lambda number: mean[piece == number, 0].mean())
        box = np.array([columns[k], top + MARGIN, columns[k + 1] - MARGIN, 1 - MARGIN])
        boxes[right], boxes[left] = box, np.array([1 - box[2], box[1], 1 - box[0], box[3]])
    rows = np.linspace(top + MARGIN, 1.0, len(lone) + 1)
    for k, number in enumerate(lone):
        boxes[number] = np.array([0.36, rows[k], 0.64, rows[k] + 0.9 * (rows[k + 1] - rows[k])])
    return boxes


def _spread(mean: np.ndarray, face: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Places [V, 2] in the square [-1, 1]^2, y up, of the vertices of `face`; anything for all others."""
    loops = boundary_loops(face)
    if not loops:
        raise ValueError("the mesh has no rim: a layout can only be computed for a surface with an opening")
    lengths = [np.linalg.norm(np.roll(mean[loop], -1, axis=0) - mean[loop], axis=1).sum() for loop in loops]
    rim = int(np.argmax(lengths))
    area = np.linalg.norm(triangle_normals(mean, face), axis=1).sum() / 2
    if lengths[rim] ** 2 < _HEAD_ROUNDNESS * 4 * np.pi * area:
        return _unrolled(mean)
    return _harmonic_map(mean, face, mirror, loops[rim], loops[:rim] + loops[rim + 1 :])


def _unrolled(mean: np.ndarray) -> np.ndarray:
    """Places by the angle from the viewer's direction, seen from the origin, inside the head; behind is the rim."""
    sideways = np.linalg.norm(mean[:, :2], axis=1)
    angle = np.arctan2(sideways, mean[:, 2])
    return mean[:, :2] / np.maximum(sideways, 1e-9)[:, None] * (angle / angle.max())[:, None]


def _harmonic_map(
    mean: np.ndarray, face: np.ndarray, mirror: np.ndarray, outline: np.ndarray, holes: list[np.ndarray]
) -> np.ndarray:
    count = len(mean)
    middles = np.array([mean[hole].mean(axis=0) for hole in holes]).reshape(-1, 3)
    # The surface lies to the left of a hole's loop, so a fan that fills it runs against the loop.
    fans = [np.column_stack([np.roll(hole, -1), hole, np.full(len(hole), count + k)]) for k, hole in enumerate(holes)]
    mean, face = np.concatenate([mean, middles]), np.concatenate([face, *fans])
    mirror = np.concatenate([mirror, count + mirror_map(middles)]) if holes else mirror
    edges = np.unique(np.sort(np.concatenate([face[:, [0, 1]], face[:, [1, 2]], face[:, [2, 0]]]), axis=1), axis=0)
    position = np.zeros((len(mean), 2))
    position[outline] = _rounded_square(mean, outline)
    inner = np.setdiff1d(np.unique(face), outline)
    deserved = _deserved_area(mean, face)
    weights = np.ones(len(edges))
    for _ in range(_ROUNDS):
        position = _relaxed(position, inner, edges, weights)
        excess = np.abs(doubled_area(position, face)) / deserved
        pull = vertex_means(excess, face, len(mean))
        pull = (pull + pull[mirror]) / 2
        weights *= (np.maximum(pull[edges[:, 0]] * pull[edges[:, 1]], 1e-12)) ** (_DAMPING / 2)
        weights = np.clip(weights / np.median(weights), 1 / _WEIGHT_RANGE, _WEIGHT_RANGE)
    return position[:count]


def _relaxed(position: np.ndarray, inner: np.ndarray, edges: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The inner vertices at the weighted means of their neighbors, all others where they are."""
    count = len(position)
    ends = np.concatenate([edges, edges[:, ::-1]])
    doubled = np.concatenate([weights, weights])
    adjacency = scipy.sparse.csr_array((doubled, ends.T), shape=(count, count))
    laplacian = (scipy.sparse.diags_array(adjacency.sum(axis=1)) - adjacency).tocsr()[inner]
    fixed = np.setdiff1d(np.arange(count), inner)
    solve = scipy.sparse.linalg.factorized(laplacian[:, inner].tocsc())
    pull = -(laplacian[:, fixed] @ position[fixed])
    moved = position.copy()
    moved[inner] = np.column_stack([solve(pull[:, k]) for k in range(2)])
    return moved


def _deserved_area(mean: np.ndarray, face: np.ndarray) -> np.ndarray:
    normals = triangle_normals(mean, face)
    area = np.linalg.norm(normals, axis=1)
    front = np.clip(normals[:, 2] / np.maximum(area, 1e-12), 0.0, 1.0)
    deserved = np.maximum(area, 0.05 * np.median(area)) * (1 + (_FRONT_SHARE - 1) * front)
    return deserved / deserved.sum()


def _rounded_square(mean: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Where the rim goes: evenly by length, its top and bottom on the midline of the square."""
    loop = mean[outline]
    steps = np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1)
    length = np.cumsum(steps) - steps
    near_midline = np.abs(loop[:, 0]) <= np.abs(loop[:, 0]).min() + 0.05 * np.ptp(loop[:, 0])
    middle = np.flatnonzero(near_midline)
    top, bottom = middle[loop[middle, 1].argmax()], middle[loop[middle, 1].argmin()]
    along = (length - length[top]) / steps.sum() % 1
    half = along[bottom]
    turn = np.where(along <= half, along / half / 2, 0.5 + (along - half) / (1 - half) / 2)
    angle = (
        np.pi / 2 + 2 * np.pi * turn
    )  # the surface is to the left: seen from the front the rim runs counterclockwise
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    return direction * (np.abs(direction) ** _SQUARENESS).sum(axis=1, keepdims=True) ** (-1 / _SQUARENESS)
