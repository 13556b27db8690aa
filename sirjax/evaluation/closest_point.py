"""The exact closest point of a triangle mesh to each of many points. N points, V vertices, T triangles; NumPy, float64.

A search tree over the triangles' centroids proposes candidates, whose distances are computed exactly. A triangle of
radius r (of the circle about its centroid) whose centroid is farther away than d + r cannot hold a point closer than d,
so as soon as the farthest candidate is that far off, the best one is the answer; until then more candidates are asked.
Triangles of similar size share a tree, lest a few large ones spoil the bound for all others.

Where fcpw is installed (the extra `eval`), its hierarchy of boxes finds the triangles instead, ten to fifty times
faster. It computes in single precision; the distance to the triangle that it names is computed here, so that what
remains is a choice between triangles that differ by less than 1e-5 mm on a face. Thin triangles stay with the trees.
"""

import functools
import importlib.util
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

_CANDIDATES = 16  # asked of a tree at first
_MORE = 4  # times as many at each further round
_SIZE_STEP = 4.0  # ratio of the largest to the smallest triangle of a tree
_CHUNK = 1 << 18  # point-triangle pairs that are searched at a time
_PART = 1 << 14  # of those, what a thread computes at a time; fixed, so that threads change nothing
_THIN = 1e-3  # height above the longest edge relative to it; thinner triangles are not left to single precision
_AGREE = 1e-4  # relative to the mesh: where fcpw's distance is farther from the computed one, the trees decide


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
      use_fcpw: far faster, see above; off, answers are the same on every machine to the last digit.
      threads: that share the work, with the same answers. fcpw's own search always takes all cores it is allowed.
    """

    def __init__(
        self,
        vertices: Float[np.ndarray, "V 3"],
        triangles: Int[np.ndarray, "T 3"],
        *,
        use_fcpw: bool = False,
        threads: int = 1,
    ):
        if len(triangles) == 0:
            raise ValueError("a surface needs at least one triangle, got none")
        self._threads = threads
        self._corners = np.asarray(vertices, np.float64)[np.asarray(triangles)]  # [T, 3 corners, 3]
        proper = use_fcpw & ~_thin(self._corners)
        self._boxes = _Boxes(self._corners, np.flatnonzero(proper)) if proper.any() else None
        self._groups = _trees(self._corners, np.flatnonzero(~proper))

    def closest(self, points: Float[np.ndarray, "N 3"]) -> ClosestPoints:
        """The closest points of the surface: exact up to rounding, with fcpw up to 1e-7 of the mesh's size."""
        points = np.asarray(points, np.float64)
        best = ClosestPoints(np.zeros_like(points), np.zeros(len(points), np.int64), np.full(len(points), np.inf))
        if self._boxes is not None:
            doubtful = []
            for start in range(0, len(points), _CHUNK):
                part = np.arange(start, min(start + _CHUNK, len(points)))
                found, distance = self._boxes.closest(points[part])
                self._improve_in_threads(best, points, part, found[:, None])
                doubtful.append(part[np.abs(best.distance[part] - distance) > _AGREE * self._boxes.size])
            which = np.concatenate(doubtful) if doubtful else np.zeros(0, np.int64)
            if len(which):
                self._search(best, points, which, _trees(self._corners, np.arange(len(self._corners))))
        self._search(best, points, np.arange(len(points)), self._groups)
        return best

    def _search(self, best: ClosestPoints, points: np.ndarray, which: np.ndarray, groups: list) -> None:
        """Improves `best` with the triangles of search trees."""
        for rows, radius, tree in groups:
            unsure, count = which, min(_CANDIDATES, len(rows))
            while len(unsure):
                reach = np.empty(len(unsure))
                step = max(1, _CHUNK // count)
                for start in range(0, len(unsure), step):
                    part = unsure[start : start + step]
                    far, found = tree.query(points[part], k=np.arange(1, count + 1), workers=self._threads)
                    self._improve_in_threads(best, points, part, rows[found])
                    reach[start : start + step] = far[:, -1]
                if count == len(rows):
                    break
                unsure = unsure[reach < best.distance[unsure] + radius]
                count = min(count * _MORE, len(rows))

    def _improve_in_threads(
        self,
        best: ClosestPoints,
        points: Float[np.ndarray, "N 3"],
        part: Int[np.ndarray, " P"],
        candidates: Int[np.ndarray, "P K"],
    ) -> None:
        step = max(1, _PART // candidates.shape[1])
        pieces = (slice(start, start + step) for start in range(0, len(part), step))
        in_threads(lambda rows: self._improve(best, points, part[rows], candidates[rows]), pieces, self._threads)

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


def fcpw_is_installed() -> bool:
    """Whether surfaces may use it."""
    return importlib.util.find_spec("fcpw") is not None


def in_threads(function: Callable, pieces: Iterable, threads: int) -> list:
    """What the function makes of each piece, in their order; of use where NumPy does the work and lets others run."""
    if threads == 1:
        return [function(piece) for piece in pieces]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, pieces))


class _Boxes:
    """fcpw's search over some triangles, in a frame where single precision is good to 1e-7 of their extent."""

    def __init__(self, corners: Float[np.ndarray, "T 3 3"], rows: Int[np.ndarray, " K"]):
        import fcpw

        self._fcpw, self._rows = fcpw, rows
        points = corners[rows].reshape(-1, 3)
        self._center = (points.min(axis=0) + points.max(axis=0)) / 2
        self.size = _extent(points)
        self._scene = fcpw.scene_3D()
        self._scene.set_object_count(1)
        self._scene.set_object_vertices(self._framed(points), 0)
        self._scene.set_object_triangles(np.asfortranarray(np.arange(len(points)).reshape(-1, 3), np.int32), 0)
        self._scene.build(self._fcpw.aggregate_type.bvh_surface_area, True)

    def closest(self, points: Float[np.ndarray, "N 3"]) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """The row of the closest triangle and about how far it is."""
        found = self._fcpw.interaction_3D_list()
        everywhere = np.full(len(points), np.inf, np.float32)
        self._scene.find_closest_points(self._framed(points), everywhere, found)
        place = np.fromiter(map(attrgetter("primitive_index"), found), np.int64, len(points))
        distance = np.fromiter(map(attrgetter("d"), found), np.float64, len(points))
        return self._rows[place], distance * self.size

    def _framed(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        return np.asfortranarray((points - self._center[None]) / self.size, np.float32)


def _trees(corners: Float[np.ndarray, "T 3 3"], rows: Int[np.ndarray, " K"]) -> list:
    """Some of the triangles by size: their rows, the largest radius and a search tree of their centroids."""
    if len(rows) == 0:
        return []
    centroids = corners[rows].mean(axis=1)
    radius = np.linalg.norm(corners[rows] - centroids[:, None], axis=-1).max(axis=1)
    smallest = max(radius.max() * 1e-9, np.finfo(np.float64).tiny)
    size = np.floor(np.log(np.maximum(radius, smallest)) / np.log(_SIZE_STEP))
    groups = [np.flatnonzero(size == value) for value in np.unique(size)]
    # The largest group first: it brings the distance down, so that the others are soon done.
    groups.sort(key=len, reverse=True)
    return [(rows[group], radius[group].max(), cKDTree(centroids[group])) for group in groups]


def _thin(corners: Float[np.ndarray, "T 3 3"]) -> Bool[np.ndarray, " T"]:
    a, b, c = (corners[:, k] for k in range(3))
    longest = functools.reduce(np.maximum, (_dot(edge, edge) for edge in (b - a, c - b, a - c)))
    whole = _extent(corners.reshape(-1, 3))
    return (np.linalg.norm(np.cross(b - a, c - a), axis=1) <= _THIN * longest) | (longest <= (1e-4 * whole) ** 2)


def closest_on_triangles(
    points: Float[np.ndarray, "*#N 3"], corners: Float[np.ndarray, "*#N 3 3"]
) -> Float[np.ndarray, "*N 3"]:
    """The closest point of a triangle, given by its corners, to each point.

    The foot of the perpendicular if it lies inside the triangle, else the closest point of the three edges.
    """
    points, corners = np.broadcast_arrays(points[..., None, :], corners)
    points, a, b, c = points[..., 0, :], corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    normal = np.cross(b - a, c - a)
    area = _dot(normal, normal)
    area = np.where(area > 0, area, np.inf)  # degenerate: the foot is "a", which lies on two edges
    offset = points - a
    weight_b = _dot(np.cross(offset, c - a), normal) / area
    weight_c = _dot(np.cross(b - a, offset), normal) / area
    best = a + weight_b[..., None] * (b - a) + weight_c[..., None] * (c - a)
    beyond = ~((weight_b >= 0) & (weight_c >= 0) & (weight_b + weight_c <= 1) & np.isfinite(area))
    if beyond.any():
        best[beyond] = _closest_on_edges(points[beyond], a[beyond], b[beyond], c[beyond])
    return best


def _closest_on_edges(
    points: Float[np.ndarray, "K 3"],
    a: Float[np.ndarray, "K 3"],
    b: Float[np.ndarray, "K 3"],
    c: Float[np.ndarray, "K 3"],
) -> Float[np.ndarray, "K 3"]:
    best, distance = np.empty_like(points), np.full(len(points), np.inf)
    for start, end in ((a, b), (b, c), (c, a)):
        along = end - start
        length = _dot(along, along)
        share = np.clip(_dot(points - start, along) / np.where(length > 0, length, 1.0), 0.0, 1.0)
        on_edge = start + share[..., None] * along
        gap = on_edge - points
        edge_distance = _dot(gap, gap)
        closer = edge_distance < distance
        best = np.where(closer[..., None], on_edge, best)
        distance = np.where(closer, edge_distance, distance)
    return best


def _extent(points: np.ndarray) -> float:
    """The longest side of the box around points [N, 3]."""
    return float(max(np.ptp(points[:, k]) for k in range(3)))  # ten times as fast as along an axis


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("...i,...i->...", a, b)
