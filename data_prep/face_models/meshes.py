"""Mesh chores of the importers: polygons to triangles, the mirror map, points on surfaces, connected pieces."""

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from sirjax.evaluation.closest_point import Surface

_CANDIDATES = 12  # vertices near each mirrored vertex that may become its partner
_MIDLINE_ROUNDS = 4


def triangulate(polygons: list[list[int]]) -> Int[np.ndarray, "T 3"]:
    """Triangles of convex polygons, each cut into a fan from its first corner."""
    return np.array([(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)], np.int64).reshape(-1, 3)


def midline(mean: Float[np.ndarray, "V 3"]) -> float:
    """The x of the plane about which the mesh is most nearly symmetric, sought near x = 0."""
    middle, tree = 0.0, cKDTree(mean)
    for _ in range(_MIDLINE_ROUNDS):
        _, partner = tree.query(mean * [-1.0, 1.0, 1.0] + [2 * middle, 0.0, 0.0])
        middle = float((mean[:, 0] + mean[partner, 0]).mean() / 2)
    return middle


def mirror_map(mean: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, " V"]:
    """The vertex on the other side of the face for each vertex; applied twice it leads back.

    Pairs are made greedily, closest first, of each vertex's image in the plane x = 0 and the vertices around it (or the
    vertex itself, where it lies on the midline). What finds no partner among those is paired among itself likewise.
    """
    mirror = np.full(len(mean), -1)
    while (left := np.flatnonzero(mirror < 0)).size:
        count = min(_CANDIDATES, len(left))
        distance, partner = cKDTree(mean[left]).query(mean[left] * [-1.0, 1.0, 1.0], k=np.arange(1, count + 1))
        order = np.argsort(distance.ravel(), kind="stable")
        vertex, other = left[np.repeat(np.arange(len(left)), count)[order]], left[partner.ravel()[order]]
        for a, b in zip(vertex.tolist(), other.tolist(), strict=True):
            if mirror[a] < 0 and mirror[b] < 0:
                mirror[a], mirror[b] = b, a
    return mirror


def mirror_error(mean: Float[np.ndarray, "V 3"], mirror: Int[np.ndarray, " V"]) -> Float[np.ndarray, " V"]:
    """Distance of each vertex's mirror image from its partner, in the unit of the mean."""
    return np.linalg.norm(mean * [-1.0, 1.0, 1.0] - mean[mirror], axis=1)


def pieces(triangles: Int[np.ndarray, "T 3"], num_vertices: int) -> Int[np.ndarray, " V"]:
    """The connected piece each vertex belongs to; 0 is the one with the most vertices."""
    ends = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]]])
    graph = scipy.sparse.coo_array((np.ones(len(ends)), ends.T), shape=(num_vertices, num_vertices))
    _, label = scipy.sparse.csgraph.connected_components(graph, directed=False)
    rank = np.argsort(np.argsort(-np.bincount(label), kind="stable"))
    return rank[label]


def boundary_loops(triangles: Int[np.ndarray, "T 3"]) -> list[np.ndarray]:
    """The vertices around each hole and the rim, in order, the longest loop first.

    The surface lies to the left of a loop's direction. Where loops touch at a vertex, they are cut there.
    """
    directed = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = {tuple(edge) for edge in directed.tolist()}
    following: dict[int, list[int]] = {}
    for a, b in edges:
        if (b, a) not in edges:
            following.setdefault(a, []).append(b)
    loops = []
    while following:
        path = [min(following)]
        while path[-1] in following:
            exits = following[path[-1]]
            step = exits.pop()
            if not exits:
                del following[path[-1]]
            if step in path:  # a loop is closed: the rest of the path goes on without it
                start = path.index(step)
                loops.append(np.array(path[start:]))
                path = path[: start + 1]
            else:
                path.append(step)
    return sorted(loops, key=len, reverse=True)


def place_on_surface(
    points: Float[np.ndarray, "N 3"], mean: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]
) -> tuple[Int[np.ndarray, "N 3"], Float[np.ndarray, "N 3"]]:
    """The triangles closest to the points, as corners, and the barycentric weights of the closest spots."""
    closest = Surface(mean, triangles).closest(points)
    corners = triangles[closest.triangle]
    a, b, c = (mean[corners[:, k]] for k in range(3))
    edges = np.stack([b - a, c - a], axis=-1)
    rest = np.linalg.pinv(edges) @ (closest.points - a)[..., None]
    weights = np.clip(np.concatenate([1 - rest.sum(axis=1, keepdims=True), rest], axis=1)[..., 0], 0.0, 1.0)
    return corners, weights / weights.sum(axis=1, keepdims=True)


def triangle_normals(vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """Outward normals, twice the triangle's area long."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def v_downward(
    uv: Float[np.ndarray, "Vt 2"],
    uv_triangles: Int[np.ndarray, "T 3"],
    mean: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
) -> Float[np.ndarray, "Vt 2"]:
    """Texture coordinates with v growing from forehead to chin; files differ, so the face itself decides."""
    v, y = uv[uv_triangles.ravel(), 1], mean[triangles.ravel(), 1]
    rises = float(((v - v.mean()) * (y - y.mean())).sum()) > 0
    return uv * [1.0, -1.0] + [0.0, 1.0] if rises else uv


def doubled_area(position: Float[np.ndarray, "V 2"], triangles: Int[np.ndarray, "T 3"]) -> Float[np.ndarray, " T"]:
    """Twice the area of each triangle in the plane; negative where it runs clockwise (y up)."""
    a, b, c = (position[triangles[:, k]] for k in range(3))
    return (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]


def vertex_means(
    values: Float[np.ndarray, " T"], triangles: Int[np.ndarray, "T 3"], count: int
) -> Float[np.ndarray, " V"]:
    """The mean of a triangle value over the triangles around each of `count` vertices; 0 where there are none."""
    flat = triangles.reshape(-1)
    return np.bincount(flat, np.repeat(values, 3), count) / np.maximum(np.bincount(flat, minlength=count), 1)
