"""The part of the MakeHuman body that becomes the face model: front of the head with ears, front of the eyeballs.

Coordinates are hundredths of a millimeter in MakeHuman's frame, as `builtin_sources` reads them.
"""

from dataclasses import dataclass

import numpy as np

from data_prep.builtin_sources import Sources

EYES = ("helper-r-eye", "helper-l-eye")  # the subject's right eye first, as in iBUG's numbering
SKIN, CAVITY, SOCKET, RIGHT_EYEBALL, LEFT_EYEBALL = range(5)  # what a vertex belongs to
_MOUTH_BOX = np.array([[-3700, 63000, 5500], [3700, 69000, 16000]])
_CURTAIN_DEPTH = 2  # rings of vertices that are kept behind the lips
_SOCKET_DEPTH = 2  # and behind the lids


@dataclass
class Region:
    """The mesh of the face model. V vertices, T triangles."""

    source: np.ndarray  # int64 [V] vertex of the MakeHuman body
    kind: np.ndarray  # int64 [V] SKIN, CAVITY of the mouth, SOCKET behind the lids, RIGHT_EYEBALL or LEFT_EYEBALL
    triangles: np.ndarray  # int64 [T, 3] counterclockwise seen from outside, mirror images of each other
    mirror: np.ndarray  # int64 [V]


def face_region(sources: Sources) -> Region:
    """Cuts the face out of the body and splits its quads into triangles, symmetrically."""
    position = sources.vertices.astype(np.float64)
    kind = np.full(len(position), SKIN)
    body = sources.quads["body"]
    on_head = _on_head(position)
    skin = body[on_head[body].all(axis=1)]
    skin = skin[_reached(skin, _foremost(skin, position))[skin].all(axis=1)]
    balls = []
    for eye, label in zip(EYES, (RIGHT_EYEBALL, LEFT_EYEBALL), strict=True):
        quads = sources.quads[eye]
        center, radius = _sphere(position[np.unique(quads)])
        depth = _pocket_depth(skin, position, ((position - center) ** 2).sum(axis=1) < (1.3 * radius) ** 2)
        skin = skin[(depth[skin] <= _SOCKET_DEPTH).all(axis=1)]
        kind[depth > 0] = SOCKET
        kind[quads] = label
        balls.append(quads[(position[quads, 2] > center[2] - 0.05 * radius).all(axis=1)])
    depth = _pocket_depth(skin, position, ((position > _MOUTH_BOX[0]) & (position < _MOUTH_BOX[1])).all(axis=1))
    skin = skin[(depth[skin] <= _CURTAIN_DEPTH).all(axis=1)]
    kind[depth > 0] = CAVITY
    opening = next(loop for loop in boundary_loops(_split(skin, position)) if (kind[loop] == CAVITY).all())

    edge = _corner_triangles(body, on_head)
    edge = edge[np.isin(edge, skin).all(axis=1)]
    skin_triangles = np.concatenate([_split(skin, position), edge, _curtain(opening, position)])
    triangles = np.concatenate([_without_spikes(skin_triangles), *(_split(ball, position) for ball in balls)])
    source = np.unique(triangles)
    index = np.full(len(position), -1)
    index[source] = np.arange(len(source))
    return Region(source, kind[source], index[triangles], index[sources.mirror[source]])


def _on_head(position: np.ndarray) -> np.ndarray:
    """Above the throat, and in front of the back of the ears, the hair line above and the nape below."""
    _, y, z = (position / 100).T  # mm
    above, below = np.maximum(y - 752, 0), np.maximum(690 - y, 0)
    return (y > 606 - 0.2 * (z - 60)) & (z > 12 + 1.3 * above + 0.45 * below)


def _foremost(quads: np.ndarray, position: np.ndarray) -> int:
    used = np.unique(quads)
    return int(used[position[used, 2].argmax()])


def _reached(quads: np.ndarray, start: int, allowed: np.ndarray | None = None) -> np.ndarray:
    """bool [vertices]: what hangs together with the start, going from quad to quad over allowed vertices."""
    reached = np.zeros(quads.max() + 1 if allowed is None else len(allowed), bool)
    reached[start] = True
    while True:
        before = reached.sum()
        found = np.unique(quads[reached[quads].any(axis=1)])
        reached[found if allowed is None else found[allowed[found]]] = True
        if reached.sum() == before:
            return reached


def _sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    low, high = points.min(axis=0), points.max(axis=0)
    return (low + high) / 2, float((high - low).max() / 2)


def _pocket_depth(quads: np.ndarray, position: np.ndarray, about: np.ndarray) -> np.ndarray:
    """How many steps each vertex lies inside the pocket of skin (mouth, socket) about there; 0: not at all."""
    used = np.zeros(len(position), bool)
    used[quads] = True
    hidden = hidden_from_front(position, _split(quads, position), used & about)
    face = _reached(quads, _foremost(quads, position), used & ~hidden)
    inside = used & ~face
    deepest = np.flatnonzero(inside & about)[position[inside & about, 2].argmin()]
    unknown = len(position)
    depth = np.where(_reached(quads, deepest, inside), unknown, 0)
    step = 0
    while (depth == unknown).any():
        step += 1
        neighbors = np.unique(quads[(depth[quads] < step).any(axis=1)])
        depth[neighbors[depth[neighbors] == unknown]] = step
    return depth


def _curtain(loop: list[int], position: np.ndarray) -> np.ndarray:
    """Triangles between the upper and the lower edge of a symmetric loop around the mouth."""
    middle = [k for k, vertex in enumerate(loop) if position[vertex, 0] == 0]
    top = max(middle, key=lambda k: position[loop[k], 1])
    loop = loop[top:] + loop[:top]
    bottom = next(k for k, vertex in enumerate(loop) if k and position[vertex, 0] == 0)
    # Each chain leads from the upper middle over a corner of the mouth to the lower middle.
    triangles = []
    for chain, forward in ((loop[: bottom + 1], True), ([loop[0], *loop[: bottom - 1 : -1]], False)):
        for k in range(len(chain) // 2):
            a, b, c, d = chain[k], chain[k + 1], chain[-1 - k], chain[-2 - k]
            new = [(a, c, d), (a, d, b)] if b != d else [(a, c, b)]
            triangles += [t if forward else t[::-1] for t in new if len(set(t)) == 3]
    return np.array(triangles)


def boundary_loops(triangles: np.ndarray) -> list[list[int]]:
    """The closed chains of edges that only one triangle has, each in the direction of its triangles."""
    directed = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    present = {(a, b) for a, b in directed.tolist()}
    following = {a: b for a, b in directed.tolist() if (b, a) not in present}
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(loop)
    return loops


def _corner_triangles(quads: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The triangles that quads with three kept vertices leave: they take the steps out of the edge."""
    cut = quads[keep[quads].sum(axis=1) == 3]
    out = (~keep[cut]).argmax(axis=1)
    return np.stack([cut[np.arange(len(cut)), (out + k) % 4] for k in (1, 2, 3)], axis=1)


def _without_spikes(triangles: np.ndarray) -> np.ndarray:
    """Drops triangles that have a corner to themselves, at ragged edges, until there are none."""
    while True:
        alone = np.bincount(triangles.reshape(-1)) == 1
        if not alone[triangles].any():
            return triangles
        triangles = triangles[~alone[triangles].any(axis=1)]


def _split(quads: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Two triangles a quad, along its shorter diagonal, so that mirrored quads get mirrored diagonals."""
    first = ((position[quads[:, 0]] - position[quads[:, 2]]) ** 2).sum(axis=1)
    second = ((position[quads[:, 1]] - position[quads[:, 3]]) ** 2).sum(axis=1)
    turned = np.where((first <= second)[:, None], quads, np.roll(quads, -1, axis=1))
    return np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]]])


def hidden_from_front(position: np.ndarray, triangles: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Which of the vertices asked for (bool [V]) lie more than 1 mm behind some triangle, looking along z."""
    hidden = np.zeros(len(position), bool)
    a, b, c = (position[triangles[:, k]] for k in range(3))
    doubled = _cross(b - a, c - a)
    solid = np.abs(doubled) > 1e-6
    a, b, c, doubled = a[solid], b[solid], c[solid], doubled[solid]
    for vertex in np.flatnonzero(asked):
        p = position[vertex]
        second, third = _cross(p - a, c - a) / doubled, _cross(b - a, p - a) / doubled
        inside = (second >= 0) & (third >= 0) & (second + third <= 1)
        depth = a[:, 2] + second * (b - a)[:, 2] + third * (c - a)[:, 2]
        hidden[vertex] = (inside & (depth > p[2] + 100)).any()
    return hidden


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
