"""Distance of points to the plane of the closest triangle, where it may lie on the edge or corner of several.

Such triangles are equally close, but their planes are not, and which of them a search names depends on the order of
the triangles. So of all of them the plane that is farthest counts: of those the one that the point is really off.
NumPy, float64. N points, V vertices, T triangles.
"""

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation.closest_point import ClosestPoints

_ON_EDGE = 1e-6  # barycentric weight below which the closest point has left its corner's side


def plane_distances(
    points: Float[np.ndarray, "N 3"],
    closest: ClosestPoints,
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
) -> Float[np.ndarray, " N"]:
    """|(v - q) . n| of each point v, its closest point q of the surface and the normal n of q's triangle.

    Args:
      points: v.
      closest: q, with the rows of `triangles`, all of which have an area.
      vertices: several may lie at one place, as along the seams of textures.
      triangles: rows of `vertices`.
    """
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    double_area = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= double_area
    gap = points - closest.points
    best = np.abs(np.einsum("nc,nc->n", gap, normals[closest.triangle]))

    _, place = np.unique(vertices, axis=0, return_inverse=True)
    merged = place.reshape(-1)[triangles]
    corners = vertices[triangles[closest.triangle]]  # [N, 3, 3]
    weights = _weights(closest.points, corners, normals[closest.triangle], double_area[closest.triangle, 0])
    shared = weights > _ON_EDGE  # the corners that span the edge, or the corner itself, on which q lies
    edge = np.flatnonzero(~shared.all(axis=1))
    if len(edge) == 0:
        return best
    own, shared = merged[closest.triangle[edge]], shared[edge]
    pivot = own[np.arange(len(edge)), weights[edge].argmax(axis=1)]
    # Triangles by vertex: those of vertex p are around[first[p]:first[p + 1]].
    around = np.argsort(merged.ravel(), kind="stable") // 3
    first = np.concatenate([[0], np.cumsum(np.bincount(merged.ravel()))])
    for turn in range(int((first[pivot + 1] - first[pivot]).max())):
        live = np.flatnonzero(first[pivot] + turn < first[pivot + 1])
        other = around[first[pivot[live]] + turn]
        has = (own[live, :, None] == merged[other][:, None, :]).any(axis=2)
        live, other = live[(has | ~shared[live]).all(axis=1)], other[(has | ~shared[live]).all(axis=1)]
        rows = edge[live]
        best[rows] = np.maximum(best[rows], np.abs(np.einsum("nc,nc->n", gap[rows], normals[other])))
    return best


def _weights(
    points: Float[np.ndarray, "N 3"],
    corners: Float[np.ndarray, "N 3 3"],
    normals: Float[np.ndarray, "N 3"],
    double_area: Float[np.ndarray, " N"],
) -> Float[np.ndarray, "N 3"]:
    """Barycentric weights of points of triangles."""
    weight = [
        np.einsum("nc,nc->n", np.cross(corners[:, (k + 1) % 3] - points, corners[:, (k + 2) % 3] - points), normals)
        for k in range(3)
    ]
    return np.stack(weight, axis=1) / double_area[:, None]
