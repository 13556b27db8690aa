"""Distance of points to the plane of the closest triangle, where it may lie on the edge or corner of several.

Such triangles are equally close, but their planes are not, and which of them a search names depends on the order of
the triangles. So of all of them the plane that is farthest counts: of those the one that the point is really off.
NumPy, float64. N points, V vertices, T triangles.
"""

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation.closest_point import ClosestPoints, in_threads

_ON_EDGE = 1e-6  # barycentric weight below which the closest point has left its corner's side
_PART = 1 << 14  # points that a thread computes at a time; fixed, so that threads change nothing


def plane_distances(
    points: Float[np.ndarray, "N 3"],
    closest: ClosestPoints,
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    *,
    threads: int = 1,
) -> Float[np.ndarray, " N"]:
    """|(v - q) . n| of each point v, its closest point q of the surface and the normal n of q's triangle.

    Args:
      points: v.
      closest: q, with the rows of `triangles`, all of which have an area.
      vertices: several may lie at one place, as along the seams of textures.
      triangles: rows of `vertices`.
      threads: that share the work, with the same answers.
    """
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normals = np.cross(b - a, c - a)
    double_area = np.linalg.norm(normals, axis=1, keepdims=True)
    normals /= double_area
    fans = _Fans(_merged(vertices)[triangles], normals)

    def of_part(part: slice) -> np.ndarray:
        triangle = closest.triangle[part]
        gap = points[part] - closest.points[part]
        best = np.abs(np.einsum("nc,nc->n", gap, normals[triangle]))
        weights = _weights(
            closest.points[part], vertices[triangles[triangle]], normals[triangle], double_area[triangle, 0]
        )
        edge = np.flatnonzero((weights <= _ON_EDGE).any(axis=1))
        best[edge] = np.maximum(best[edge], fans.farthest(gap[edge], triangle[edge], weights[edge]))
        return best

    parts = [slice(start, start + _PART) for start in range(0, len(points), _PART)]
    return np.concatenate(in_threads(of_part, parts, threads)) if parts else np.zeros(0)


class _Fans:
    """The triangles around each place where vertices lie."""

    def __init__(self, corners: Int[np.ndarray, "T 3"], normals: Float[np.ndarray, "T 3"]):
        self._corners, self._normals = corners, normals
        # Those of place p are around[first[p]:first[p + 1]].
        self._around = np.argsort(corners.ravel(), kind="stable") // 3
        self._first = np.concatenate([[0], np.cumsum(np.bincount(corners.ravel()))])

    def farthest(
        self, gap: Float[np.ndarray, "K 3"], triangle: Int[np.ndarray, " K"], weights: Float[np.ndarray, "K 3"]
    ) -> Float[np.ndarray, " K"]:
        """Largest |gap . n| of the triangles that share the edge or corner on which a point of `triangle` lies."""
        best = np.zeros(len(gap))
        own, shared = self._corners[triangle], weights > _ON_EDGE  # the corners that span the edge, or the corner
        pivot = own[np.arange(len(own)), weights.argmax(axis=1)]
        start, end = self._first[pivot], self._first[pivot + 1]
        for turn in range(int((end - start).max(initial=0))):
            live = np.flatnonzero(start + turn < end)
            other = self._around[start[live] + turn]
            has = (own[live, :, None] == self._corners[other][:, None, :]).any(axis=2)
            touches = (has | ~shared[live]).all(axis=1)
            live, other = live[touches], other[touches]
            best[live] = np.maximum(best[live], np.abs(np.einsum("nc,nc->n", gap[live], self._normals[other])))
        return best


def _merged(vertices: Float[np.ndarray, "V 3"]) -> Int[np.ndarray, " V"]:
    """A number for each place where vertices lie: the same for those that coincide."""
    order = np.lexsort(vertices.T)
    ordered = vertices[order]
    number = np.empty(len(vertices), np.int64)
    number[order] = np.concatenate([[0], np.cumsum((ordered[1:] != ordered[:-1]).any(axis=1))])
    return number


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
