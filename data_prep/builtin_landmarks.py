"""The 68 iBUG landmarks of the built-in face, picked by eye on the frontal view of MakeHuman's base face.

Points are (x, y) in millimeters of the base mesh for the subject's right side and the middle; the left side follows
from symmetry. A point lands on the foremost skin behind it and stays on that spot of the mesh: three weighted corners.
"""

import numpy as np

from data_prep.builtin_region import SKIN, Region

_WEIGHT_GRID = 2**12
JAW = [(-70.5, 727), (-69.3, 708), (-66.8, 690), (-62.2, 672), (-54.6, 657), (-46.3, 645), (-34.8, 633), (-19.5, 621.2)]
BROW = [(-58, 739), (-50, 746.5), (-38.5, 749.5), (-26, 748.3), (-13.5, 744.3)]
EYE = [(-44.6, 728.6), (-38, 733.0), (-27.5, 732.8), (-16.8, 727.2), (-27, 724.1), (-38, 724.3)]
UPPER_LIP = [(-25.8, 661), (-17, 667), (-7, 670)]
LOWER_LIP = [(-16, 653.8), (-7.5, 650.5)]
_NOSE_RIDGE = [(0, 731), (0, 719), (0, 706), (0, 693)]
_NOSTRILS = [(-14.2, 684.2), (-7.2, 681.8)]
_SUBNASALE = (0, 680.2)
_CUPIDS_BOW = (0, 667.7)
_LOWER_LIP_MIDDLE = (0, 649.3)
_INNER_CORNER = (-23.3, 660.5)
_INNER_UPPER, _INNER_UPPER_MIDDLE = (-8, 662.0), (0, 661.6)
_INNER_LOWER, _INNER_LOWER_MIDDLE = (-8, 660.2), (0, 660.2)


def landmark_points() -> np.ndarray:
    """The 68 points (x, y) in millimeters of the base mesh."""

    def left(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(-x, y) for x, y in points]

    points = [
        *JAW, (0, 617.7), *left(JAW[::-1]),
        *BROW, *left(BROW[::-1]),
        *_NOSE_RIDGE,
        *_NOSTRILS, _SUBNASALE, *left(_NOSTRILS[::-1]),
        *EYE, *left([EYE[k] for k in (3, 2, 1, 0, 5, 4)]),
        *UPPER_LIP, _CUPIDS_BOW, *left(UPPER_LIP[::-1]),
        *left(LOWER_LIP), _LOWER_LIP_MIDDLE, *LOWER_LIP[::-1],
        _INNER_CORNER, _INNER_UPPER, _INNER_UPPER_MIDDLE, *left([_INNER_UPPER, _INNER_CORNER]),
        *left([_INNER_LOWER]), _INNER_LOWER_MIDDLE, _INNER_LOWER,
    ]  # fmt: skip
    return np.array(points, np.float64)


def place_landmarks(base: np.ndarray, region: Region) -> tuple[np.ndarray, np.ndarray]:
    """Triangles int64 [68] and barycentric weights [68, 3], exactly symmetric.

    Args:
      base: [V, 3] millimeters, the region's vertices of the MakeHuman base mesh.
      region: the mesh.
    """
    row = {frozenset(corners): k for k, corners in enumerate(region.triangles.tolist())}
    triangles, weights = np.zeros(68, np.int64), np.zeros((68, 3))
    points = landmark_points()
    for k in np.flatnonzero(points[:, 0] <= 0):
        triangles[k], weights[k] = _foremost_hit(points[k], base, region)
    for k in np.flatnonzero(points[:, 0] > 0):
        partner = int(np.flatnonzero((points == points[k] * [-1, 1]).all(axis=1))[0])
        corners = region.mirror[region.triangles[triangles[partner]]].tolist()
        triangles[k] = row[frozenset(corners)]
        weights[k] = [weights[partner, corners.index(vertex)] for vertex in region.triangles[triangles[k]].tolist()]
    return triangles, weights


def _foremost_hit(point: np.ndarray, base: np.ndarray, region: Region) -> tuple[int, np.ndarray]:
    skin = np.flatnonzero((region.kind[region.triangles] == SKIN).all(axis=1))
    a, b, c = (base[region.triangles[skin, k]] for k in range(3))

    def cross(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]

    doubled = cross(b - a, c - a)
    facing = doubled > 1e-9
    safe = np.where(facing, doubled, 1.0)
    target = np.append(point, 0.0)
    second, third = cross(target - a, c - a) / safe, cross(b - a, target - a) / safe
    weights = np.stack([1 - second - third, second, third], axis=1)
    hit = facing & (weights.min(axis=1) > -1e-9)
    if not hit.any():
        raise ValueError(f"no skin at the landmark {point}")
    depth = np.where(hit, (weights * np.stack([a[:, 2], b[:, 2], c[:, 2]], axis=1)).sum(axis=1), -np.inf)
    best = int(depth.argmax())
    steps = np.rint(weights[best] * _WEIGHT_GRID)
    if point[0] == 0:  # keep to the midline: what rounding left on the vertex beside it goes
        steps[np.abs(base[region.triangles[skin[best]], 0]) > 0] = 0
    steps[steps.argmax()] += _WEIGHT_GRID - steps.sum()
    return int(skin[best]), steps / _WEIGHT_GRID
