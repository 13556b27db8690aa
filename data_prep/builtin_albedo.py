"""Paints the mean albedo of the built-in face: skin, brows, lashes, lips, nostrils, eyes. Symmetric, in [0, 1].

There are no skin textures with a free licence to take it from, so it is made from formulas in the coordinates of
MakeHuman's base face (millimeters): every texel knows the spot of the base face it shows.
"""

import itertools

import numpy as np

from data_prep.builtin_landmarks import BROW, EYE, LOWER_LIP, UPPER_LIP
from data_prep.builtin_region import CAVITY, RIGHT_EYEBALL, SOCKET, Region

UV_SIZE = 256
_FINE = 4  # subsamples of a texel a side
_SKIN = (0.72, 0.53, 0.44)
_LIPS = (0.58, 0.30, 0.29)
_BROWS = (0.22, 0.15, 0.11)
_LASHES = (0.13, 0.09, 0.08)
_MOUTH = (0.10, 0.03, 0.03)
_NOSTRIL = (0.16, 0.07, 0.06)
_WET = (0.62, 0.38, 0.35)  # inner corner and rim of the eye
_SCLERA = (0.82, 0.79, 0.77)
_IRIS, _IRIS_EDGE, _PUPIL = (0.27, 0.17, 0.10), (0.10, 0.07, 0.05), (0.02, 0.02, 0.02)
_IRIS_ANGLE, _PUPIL_ANGLE = 23.0, 9.0  # degrees from the eye's axis


def mean_albedo(base: np.ndarray, region: Region, uv: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The albedo uint8 [U, U, 3] and the mask bool [U, U] of texels that bilinear lookups on the face can touch.

    Args:
      base: [V, 3] millimeters, the region's vertices of the MakeHuman base mesh.
      region: the mesh.
      uv: [V, 2] its layout, symmetric about u = 0.5.
    """
    half = UV_SIZE // 2
    triangle, weights = _rasterize(uv, region.triangles, UV_SIZE * _FINE)
    covered = triangle >= 0
    corners = region.triangles[triangle[covered]]
    blend = weights[covered][:, :, None]
    spot = (base[corners] * blend).sum(axis=1)
    kinds = np.eye(5)[region.kind]
    kind = (kinds[corners] * blend).sum(axis=1)
    color = np.zeros((*triangle.shape, 3))
    color[covered] = _paint(spot, kind, _eye_center(base, region))

    def texels(array: np.ndarray) -> np.ndarray:
        return array.reshape(UV_SIZE, _FINE, half, _FINE, -1).sum(axis=(1, 3))

    count = texels(covered.astype(np.float64))
    total = texels(color)
    albedo = np.where(count > 0, total / np.maximum(count, 1), 0)
    albedo, mask = (np.concatenate([part, part[:, ::-1]], axis=1) for part in (albedo, count[..., 0] > 0))
    return np.rint(255 * _extended(albedo, mask)).astype(np.uint8), _grown(mask)


def _paint(spot: np.ndarray, kind: np.ndarray, eye_center: np.ndarray) -> np.ndarray:
    """Colors [N, 3] of the spots [N, 3] of the base face with kind weights [N, 5]."""
    spot = np.stack([-np.abs(spot[:, 0]), spot[:, 1], spot[:, 2]], axis=1)  # the subject's right side stands for both
    x, y, z = spot.T
    plane = spot[:, :2]
    front = _step(z - 100, 15)  # nothing of the following at the neck or the ears
    color = _skin(x, y, z)

    def over(paint: tuple[float, float, float], amount: np.ndarray) -> None:
        nonlocal color
        color = color + np.clip(amount, 0, 1)[:, None] * (np.array(paint) - color)

    # Brows: a tapering stroke with hairs.
    distance, along = _to_polyline(plane, np.array([(-54.5, 743), *BROW[1:]]) - [0, 2.0])
    width = 3.1 - 2.2 * np.clip(1 - along / 0.7, 0, 1) - 0.9 * np.clip((along - 0.75) / 0.25, 0, 1)
    strength = 0.72 - 0.35 * np.clip((along - 0.8) / 0.2, 0, 1)
    hairs = 0.9 + 0.1 * np.cos(3.1 * x + 2.2 * y)
    over(_BROWS, strength * hairs * front * _step(width - distance, 2.2))
    # Lids: a fold above the eye, lashes along the edges.
    eye = np.array(EYE)
    distance, _ = _to_polyline(plane, eye[:4] + np.array([0, 4.5]))
    over((0.50, 0.33, 0.27), 0.45 * front * _step(0.5 - distance, 1.2))
    distance, _ = _to_polyline(plane, eye[:4])
    over(_LASHES, 0.9 * front * _step(0.7 - distance, 0.8))
    distance, _ = _to_polyline(plane, eye[[3, 4, 5, 0]])
    over(_LASHES, 0.35 * front * _step(0.4 - distance, 0.8))
    over(_WET, front * _step(2.2 - np.sqrt((x + 18.5) ** 2 + (y - 727.3) ** 2), 1.5))
    # Lips: inside of their outline.
    upper = [*UPPER_LIP, (0, 667.7)]
    lower = [*LOWER_LIP[::-1], (0, 649.3)][::-1]
    outline = np.array([*upper, *[(-px, py) for px, py in upper[-2::-1]], *[(-px, py) for px, py in LOWER_LIP], *lower])
    lips = front * _step(_inside_distance(plane, outline), 1.8) * (y > 640)
    over(_LIPS, 0.85 * lips)
    over(_MOUTH, 0.5 * lips * _step(0.9 - np.abs(y - 661), 0.8))
    # Nostrils: a capsule that leads into the nose.
    distance = _to_segment(spot, np.array([-9.0, 688.5, 141.0]), np.array([-9.0, 695.0, 123.0]))
    over(_NOSTRIL, 0.9 * _step(4.4 - distance, 2.0))
    over(_WET, kind[:, SOCKET] * 0.9)
    over((0.35, 0.2, 0.18), kind[:, SOCKET] * _step(y - 730, 2.0))
    over(_MOUTH, kind[:, CAVITY] * 1.6)
    balls = kind[:, RIGHT_EYEBALL:].sum(axis=1) > 0.5
    color[balls] = _eyeball(spot[balls], eye_center)
    return color


def _skin(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Skin without features: redder cheeks and nose, darker about the eyes, a little blotchy."""

    def bump(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        return np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)

    front = _step(z - 60, 40)[:, None]
    color = np.tile(_SKIN, (len(x), 1))
    color += front * bump(-42, 692, 22, 20)[:, None] * [0.010, -0.045, -0.040]
    color += front * bump(0, 694, 14, 12)[:, None] * [0.000, -0.040, -0.035]
    color += front * bump(-31, 727, 21, 13)[:, None] * [-0.075, -0.080, -0.060]
    color += front * bump(0, 790, 45, 28)[:, None] * [0.020, 0.020, 0.005]
    color += front * bump(0, 632, 38, 22)[:, None] * [-0.025, -0.015, -0.005]
    color += front * bump(-24, 676, 4, 14)[:, None] * [-0.030, -0.030, -0.025]
    blotches = np.zeros(len(x))
    waves = (0.31, 0.17, 0.23), (-0.19, 0.37, 0.11), (0.53, -0.29, 0.41), (0.71, 0.83, -0.37)
    for k, (fx, fy, fz) in enumerate(waves):
        blotches += np.cos(fx * x + fy * y + fz * z + k) * np.cos(fy * x - fx * y + 2 * k)
    return color * (1 + 0.008 * blotches[:, None])


def _eyeball(spot: np.ndarray, center: np.ndarray) -> np.ndarray:
    """White, iris with a dark edge, pupil; shaded toward the upper lid. `center`: of the subject's right eyeball."""
    direction = spot - center
    direction /= np.sqrt((direction**2).sum(axis=1, keepdims=True))
    angle = np.degrees(np.arccos(np.clip(direction[:, 2], -1, 1)))
    color = np.tile(_SCLERA, (len(spot), 1))
    color = color + (np.clip((angle - 35) / 45, 0, 1) * 0.5)[:, None] * (np.array(_WET) - color)
    rim = _step(_IRIS_ANGLE - angle, 4.0)[:, None]
    color = color + rim * (np.array(_IRIS_EDGE) - color)
    iris = _step(_IRIS_ANGLE - 4.5 - angle, 5.0)[:, None]
    color = color + iris * (np.array(_IRIS) * (1.25 - 0.5 * direction[:, 1:2] * 2) - color)
    pupil = _step(_PUPIL_ANGLE - angle, 3.0)[:, None]
    color = color + pupil * (np.array(_PUPIL) - color)
    lid_shadow = 0.45 * np.clip((direction[:, 1:2] - 0.10) / 0.25, 0, 1)
    return color * (1 - lid_shadow)


def _eye_center(base: np.ndarray, region: Region) -> np.ndarray:
    """The middle of the subject's right eyeball: a sphere of which the front half is there."""
    ball = base[region.kind == RIGHT_EYEBALL]
    low, high = ball.min(axis=0), ball.max(axis=0)
    radius = (high - low)[:2].max() / 2
    return np.array([*((low + high) / 2)[:2], high[2] - radius])


def _step(inside: np.ndarray, softness: float) -> np.ndarray:
    """0 to 1 over +- softness / 2 about zero, smoothly."""
    t = np.clip(inside / softness + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def _to_segment(points: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    t = np.clip(((points - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(), 0, 1)
    return np.sqrt(((points - a - t[:, None] * (b - a)) ** 2).sum(axis=1))


def _to_polyline(points: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distance to a line through the corners, and where along it (0 to 1) the nearest point is."""
    best, along = np.full(len(points), np.inf), np.zeros(len(points))
    for k, (a, b) in enumerate(itertools.pairwise(corners)):
        t = np.clip(((points - a) * (b - a)).sum(axis=1) / ((b - a) ** 2).sum(), 0, 1)
        distance = np.sqrt(((points - a - t[:, None] * (b - a)) ** 2).sum(axis=1))
        nearer = distance < best
        best = np.where(nearer, distance, best)
        along = np.where(nearer, (k + t) / (len(corners) - 1), along)
    return best, along


def _inside_distance(points: np.ndarray, polygon: np.ndarray) -> np.ndarray:
    """Distance to the polygon's edge, negative outside."""
    distance, _ = _to_polyline(points, np.concatenate([polygon, polygon[:1]]))
    inside = np.zeros(len(points), bool)
    for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if a[1] == b[1]:
            continue
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        inside ^= crosses & (points[:, 0] < (b[0] - a[0]) * (points[:, 1] - a[1]) / (b[1] - a[1]) + a[0])
    return np.where(inside, distance, -distance)


def _rasterize(uv: np.ndarray, triangles: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Triangle int64 [size, size / 2] (-1: none) and its weights at the texel centers of the map's left half."""
    owner = np.full((size, size // 2), -1)
    weights = np.zeros((size, size // 2, 3))
    corners = uv[triangles] * size - 0.5
    low = np.maximum(np.ceil(corners.min(axis=1)), 0).astype(np.int64)
    high = np.minimum(np.floor(corners.max(axis=1)), [size // 2 - 1, size - 1]).astype(np.int64)
    for k in np.flatnonzero((low <= high).all(axis=1)):
        a, b, c = corners[k]
        columns, rows = np.meshgrid(np.arange(low[k, 0], high[k, 0] + 1), np.arange(low[k, 1], high[k, 1] + 1))
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        second = ((columns - a[0]) * (c[1] - a[1]) - (rows - a[1]) * (c[0] - a[0])) / area
        third = ((b[0] - a[0]) * (rows - a[1]) - (b[1] - a[1]) * (columns - a[0])) / area
        inside = (second >= 0) & (third >= 0) & (second + third <= 1)
        r, q = rows[inside], columns[inside]
        owner[r, q] = k
        weights[r, q] = np.stack([1 - second - third, second, third], axis=-1)[inside]
    return owner, weights


def _grown(mask: np.ndarray) -> np.ndarray:
    """The mask and its eight neighbors."""
    padded = np.pad(mask, 1)
    rows = padded[:-2] | padded[1:-1] | padded[2:]
    return rows[:, :-2] | rows[:, 1:-1] | rows[:, 2:]


def _extended(albedo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The albedo with texels outside the mask filled from their neighbors, ring by ring."""
    albedo, known = albedo * mask[..., None], mask.astype(np.float64)
    while not known.all():
        padded, weight = np.pad(albedo, ((1, 1), (1, 1), (0, 0))), np.pad(known, 1)
        shifts = [(i, j) for i in range(3) for j in range(3)]
        side = len(mask)
        total = np.sum([padded[i : i + side, j : j + side] for i, j in shifts], axis=0)
        count = np.sum([weight[i : i + side, j : j + side] for i, j in shifts], axis=0)
        fresh = (known == 0) & (count > 0)
        albedo[fresh] = total[fresh] / count[fresh][:, None]
        known[fresh] = 1.0
    return albedo
