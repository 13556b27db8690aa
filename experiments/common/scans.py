"""Scans of people whose shape is known, and the error of shapes against them. N photos, S modes, V vertices.

A scan is the true neutral face as a scanner might see it: meshed anew (finer, its vertices slid along the surface, so
that no vertex of the prediction is met again), with noise along the normals and without the back of the head.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation.scan_error import scan_error
from sirjax.evaluation.shape_error import FACE_RADIUS
from sirjax.files import write_text
from sirjax.morphable.model import NOSE_TIP, FaceModel, landmarks_of

NOISE = 0.2  # mm along the normal
SLIDE = 0.25  # of an edge, along the surface
_REACH = FACE_RADIUS + 10.0  # mm around the nose tip: what the scanner sees
_ALIGNED_BY = slice(17, 68)  # landmarks without the jaw


@dataclasses.dataclass(frozen=True)
class Scan:
    """A scanned face, mm."""

    vertices: np.ndarray  # [V, 3]
    triangles: np.ndarray  # int [T, 3]
    landmarks: np.ndarray  # [51, 3]
    nose_tip: np.ndarray  # [3]


@dataclasses.dataclass(frozen=True)
class ScanFigures:
    """Errors of one shape, mm."""

    plane_rmse: float  # the main figure
    surface_mean: float
    vertex_rmse: float  # as the authors' code measures


def make_scan(model: FaceModel, shape_mm: Float[np.ndarray, " S"], rng: np.random.Generator) -> Scan:
    """A scan of the neutral face with these coefficients."""
    truth = face(model, shape_mm)
    points = np.asarray(landmarks_of(model, truth[None].astype(np.float32))[0], np.float64)
    near = np.linalg.norm(truth - points[NOSE_TIP], axis=1) < _REACH
    triangles = np.asarray(model.triangles)
    vertices, triangles = _compact(truth, triangles[near[triangles].all(axis=1)])
    vertices, triangles = subdivide(vertices, triangles)
    corners = vertices[triangles]
    normals = np.zeros_like(vertices)
    np.add.at(
        normals,
        triangles.ravel(),
        np.repeat(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), 3, 0),
    )
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    edges = np.linalg.norm(corners[:, 1] - corners[:, 0], axis=1).mean()
    slide = rng.normal(0, SLIDE * edges, vertices.shape)
    slide -= np.sum(slide * normals, axis=1, keepdims=True) * normals
    noisy = vertices + slide + rng.normal(0, NOISE, (len(vertices), 1)) * normals
    return Scan(noisy, triangles, points[_ALIGNED_BY], points[NOSE_TIP])


def measure(model: FaceModel, scan: Scan, shape_mm: Float[np.ndarray, " S"]) -> tuple[ScanFigures, str]:
    """The errors of a predicted neutral shape after similarity ICP from landmarks, and the protocol."""
    predicted = face(model, shape_mm)
    points = np.asarray(landmarks_of(model, predicted[None].astype(np.float32))[0], np.float64)[_ALIGNED_BY]
    result = scan_error(
        scan.vertices,
        scan.triangles,
        predicted,
        np.asarray(model.triangles),
        scan_nose_tip=scan.nose_tip,
        scan_landmarks=scan.landmarks,
        predicted_landmarks=points,
    )
    return ScanFigures(result.plane.rmse, result.surface.mean, result.vertex.rmse), result.protocol


def measure_all(
    model: FaceModel,
    truth_mm: Float[np.ndarray, "N S"],
    identity: Int[np.ndarray, " N"],
    predicted_mm: Float[np.ndarray, "N S"],
    cache: Path,
) -> tuple[list[ScanFigures], str]:
    """`measure` of each photo's shape against its person's scan; kept in the folder `cache`."""
    digest = hashlib.sha256(np.round(np.concatenate([truth_mm, predicted_mm]), 4).tobytes()).hexdigest()[:12]
    path = cache / f"scan-errors-{digest}.json"
    if not path.is_file():
        scans = {
            person: make_scan(model, truth_mm[np.flatnonzero(identity == person)[0]], np.random.default_rng(person))
            for person in np.unique(identity).tolist()
        }
        measured = [measure(model, scans[int(p)], shape) for p, shape in zip(identity, predicted_mm, strict=True)]
        document = {"protocol": measured[0][1], "figures": [dataclasses.astuple(figures) for figures, _ in measured]}
        cache.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(document) + "\n")
    document = json.loads(path.read_text())
    return [ScanFigures(*figures) for figures in document["figures"]], document["protocol"]


def some_photos(identity: Int[np.ndarray, " N"], each: int) -> Int[np.ndarray, " M"]:
    """The first few photos of each person."""
    return np.concatenate([np.flatnonzero(identity == person)[:each] for person in np.unique(identity)])


def face(model: FaceModel, shape_mm: Float[np.ndarray, " S"]) -> Float[np.ndarray, "V 3"]:
    """The neutral face of millimeter coefficients."""
    offset = np.asarray(shape_mm, np.float64) @ np.asarray(model.shape_basis, np.float64)
    return np.asarray(model.mean, np.float64) + offset.reshape(-1, 3)


def subdivide(
    vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]
) -> tuple[Float[np.ndarray, "V2 3"], Int[np.ndarray, "T4 3"]]:
    """Each triangle as four, with new vertices in the middle of the edges."""
    edges = np.sort(np.concatenate([triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    unique, place = np.unique(edges, axis=0, return_inverse=True)
    middle = place.reshape(3, -1).T + len(vertices)  # of edges 01, 12, 20
    a, b, c = triangles.T
    ab, bc, ca = middle.T
    finer = [np.stack(corner, axis=1) for corner in ((a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca))]
    return np.concatenate([vertices, vertices[unique].mean(axis=1)]), np.concatenate(finer)


def _compact(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Without the vertices that no triangle uses."""
    used, place = np.unique(triangles, return_inverse=True)
    return vertices[used], place.reshape(triangles.shape)


def error_curve(errors: Sequence[float], limits: Float[np.ndarray, " L"]) -> Float[np.ndarray, " L"]:
    """Share of the errors up to each limit (the CED of Fig. 4)."""
    return np.mean(np.asarray(errors)[:, None] <= limits[None], axis=0)
