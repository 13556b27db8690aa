"""The exact closest point of a triangle mesh to each of many points. N points, V vertices, T triangles; NumPy, float64.

A search tree over the triangles' centroids proposes candidates, whose distances are computed exactly. A triangle of
radius r (of the circle about its centroid) whose centroid is farther away than d + r cannot hold a point closer than d,
so as soon as the farthest candidate is that far off, the best one is the answer; until then more candidates are asked.
Triangles of similar size share a tree, lest a few large ones spoil the bound for all others.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

_CANDIDATES = 16  # asked of a tree at first
_MORE = 4  # times as many at each further round
_SIZE_STEP = 4.0  # ratio of the largest to the smallest triangle of a tree
_CHUNK = 1 << 18  # point-triangle pairs whose distance is computed at a time


@dataclass(frozen=True)
class ClosestPoints:
    """For each query point the closest point of a surface."""

    points: np.ndarray  # [N, 3]
    triangle: np.ndarray  # int [N], row of the surface's triangles
    distance: np.ndarray  # [N]


class Surface:
    """A triangle mesh to ask for closest points.

    Args:
      vertices: at least those that the triangles name.
      triangles: at least one. Degenerate ones count as the segment or point that they are.
    """

    def __init__(self, vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]):
        if len(triangles) == 0:
            raise ValueError("a surface needs at least one triangle, got none")
        self._corners = np.asarray(vertices, np.float64)[np.asarray(triangles)]  # [T, 3 corners, 3]
        centroids = self._corners.mean(axis=1)
        radius = np.linalg.norm(self._corners - centroids[:, None], axis=-1).max(axis=1)
        smallest = max(radius.max() * 1e-9, np.finfo(np.float64).tiny)
        size = np.floor(np.log(np.maximum(radius, smallest)) / np.log(_SIZE_STEP))
        groups = [np.flatnonzero(size == value) for value in np.unique(size)]
        # The largest group first: it brings the distance down, so that the others are soon done.
        groups.sort(key=len, reverse=True)
        self._groups = [(rows, radius[rows].max(), cKDTree(centroids[rows])) for rows in groups]

    def closest(self, points: Float[np.ndarray, "N 3"]) -> ClosestPoints:
        """The closest points of the surface, exact up to rounding."""
        points = np.asarray(points, np.float64)
        best = ClosestPoints(np.zeros_like(points), np.zeros(len(points), np.int64), np.full(len(points), np.inf))
        for rows, radius, tree in self._groups:
            unsure, count = np.arange(len(points)), min(_CANDIDATES, len(rows))
            while len(unsure):
                reach = np.empty(len(unsure))
                step = max(1, _CHUNK // count)
                for start in range(0, len(unsure), step):
                    part = unsure[start : start + step]
                    far, found = tree.query(points[part], k=np.arange(1, count + 1))
                    self._improve(best, points, part, rows[found])
                    reach[start : start + step] = far[:, -1]
                if count == len(rows):
                    break
                unsure = unsure[reach < best.distance[unsure] + radius]
                count = min(count * _MORE, len(rows))
        return best

    def _improve(
        self,
        best: ClosestPoints,
        points: Float[np.ndarray, "N 3"],
        part: Int[np.ndarray, " P"],
        candidates: Int[np.ndarray, "P K"],
    ) -> None:
        """Puts the closest of the candidates in where it beats what is there."""
        found = closest_on_triangles(points[part, None], self._corners[candidates])
        distance = np.linalg.norm(found - points[part, None], axis=-1)
        winner = distance.argmin(axis=1)
        row = np.arange(len(part))
        better = distance[row, winner] < best.distance[part]
        row, winner, part = row[better], winner[better], part[better]
        best.points[part] = found[row, winner]
        best.triangle[part] = candidates[row, winner]
        best.distance[part] = distance[row, winner]


def closest_on_triangles(
    points: Float[np.ndarray, "*#N 3"], corners: Float[np.ndarray, "*#N 3 3"]
) -> Float[np.ndarray, "*N 3"]:
    """The closest point of a triangle, given by its corners, to each point.

    The foot of the perpendicular if it lies inside the triangle, else the closest point of the three edges.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    normal = np.cross(b - a, c - a)
    area = _dot(normal, normal)
    area = np.where(area > 0, area, np.inf)  # degenerate: the foot is "a", which lies on two edges
    offset = points - a
    weight_b = _dot(np.cross(offset, c - a), normal) / area
    weight_c = _dot(np.cross(b - a, offset), normal) / area
    inside = (weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1)
    best = a + weight_b[..., None] * (b - a) + weight_c[..., None] * (c - a)
    distance = np.where(inside, _dot(best - points, best - points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        length = _dot(along, along)
        share = np.clip(_dot(points - start, along) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        on_edge = start + share[..., None] * along
        edge_distance = _dot(on_edge - points, on_edge - points)
        closer = edge_distance < distance
        best = np.where(closer[..., None], on_edge, best)
        distance = np.where(closer, edge_distance, distance)
    return best


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...i,...i->...", a, b)
