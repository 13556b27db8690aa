"""The 68 iBUG points of a model: read from a list, or carried over from the built-in model where nobody tells them."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import RBFInterpolator

from data_prep.face_models.meshes import place_on_surface, triangle_normals
from data_prep.face_models.raw import Landmarks
from sirjax.constants import NUM_LANDMARKS
from sirjax.morphable.builtin import builtin_face_model
from sirjax.morphable.model import landmarks_of

MIN_KNOWN = 8  # fewer do not tell a face's proportions
_ASSIGNMENT = re.compile(r"^\s*(\d+)\s*=\s*(\d+)")


def read_landmark_list(path: Path) -> Landmarks:
    """Landmarks from a text file: lines `iBUG number from 1 = vertex from 0` (as eos writes them), or 68 vertices.

    What follows a # is a comment; points that are not listed are carried over from the built-in model.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it lists no landmarks, or one out of range.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist: --landmarks takes a text file of lines `iBUG number = vertex`")
    lines = [line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [match.groups() for line in lines if (match := _ASSIGNMENT.match(line))]
    if pairs:
        return Landmarks.of_some(_numbered(path, [(int(number), int(vertex)) for number, vertex in pairs]))
    words = " ".join(lines).replace(",", " ").split()
    if len(words) != NUM_LANDMARKS or not all(word.isdecimal() for word in words):
        raise ValueError(
            f"{path} is no landmark list: expected lines `iBUG number from 1 = vertex number from 0`, or 68 vertex "
            f"numbers, found {len(words)} words"
        )
    return Landmarks.on_vertices(np.array([int(word) for word in words]))


def _numbered(path: Path, pairs: list[tuple[int, int]]) -> dict[int, int]:
    wrong = [number for number, _ in pairs if not 1 <= number <= NUM_LANDMARKS]
    if wrong:
        raise ValueError(f"{path} names the landmark {wrong[0]}, but iBUG's points are numbered 1 to 68")
    return {number - 1: vertex for number, vertex in pairs}


def reference_points() -> Float[np.ndarray, "68 3"]:
    """The landmarks of the built-in model's mean face, mm."""
    model = builtin_face_model()
    return np.asarray(landmarks_of(model, model.mean[None])[0], np.float64)


def complete(landmarks: Landmarks, mean: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]) -> Landmarks:
    """The landmarks with unknown ones carried over from the built-in model.

    The smoothest warp (thin plates) that takes the built-in model's known points to this model's takes its other points
    along; they land on the closest spot of the surface that faces forward or sideways, outward.

    Raises:
      ValueError: if too few landmarks are known.
    """
    known = landmarks.known
    if known.all():
        return landmarks
    if known.sum() < MIN_KNOWN:
        raise ValueError(
            f"only {known.sum()} of 68 landmarks are known, at least {MIN_KNOWN} are needed to carry over the others: "
            "give a list with --landmarks FILE (lines `iBUG number from 1 = vertex number from 0`)"
        )
    reference = reference_points()
    warp = RBFInterpolator(reference[known], landmarks.points(mean)[known], kernel="thin_plate_spline", degree=1)
    normals = triangle_normals(mean, triangles)
    outside = triangles[normals[:, 2] > -0.2 * np.linalg.norm(normals, axis=1)]
    vertices, weights = landmarks.vertices.copy(), landmarks.weights.copy()
    vertices[~known], weights[~known] = place_on_surface(warp(reference[~known]), mean, outside)
    return Landmarks(vertices, weights)


def on_triangles(landmarks: Landmarks, mean: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]) -> Landmarks:
    """The same points with the corners of each in the order of a triangle of the mesh, as model files need them.

    Points that rest on three vertices of no triangle move to the closest spot of the surface.
    """
    rows = {frozenset(corners): corners for corners in triangles.tolist()}
    vertices, weights = landmarks.vertices.copy(), landmarks.weights.copy()
    if (weights == [1.0, 0.0, 0.0]).all():
        return landmarks
    touching = {vertex: corners for corners in triangles.tolist() for vertex in corners}
    for k, (own, share) in enumerate(zip(landmarks.vertices.tolist(), landmarks.weights, strict=True)):
        weight_of = {vertex: share[[j for j, v in enumerate(own) if v == vertex]].sum() for vertex in own}
        heavy = [vertex for vertex in own if weight_of[vertex] > 1e-9]
        corners = rows.get(frozenset(own)) or (touching.get(heavy[0]) if len(set(heavy)) == 1 else None)
        if corners is None:
            place = (mean[own] * share[:, None]).sum(axis=0)
            vertices[k : k + 1], weights[k : k + 1] = place_on_surface(place[None], mean, triangles)
        else:
            vertices[k], weights[k] = corners, [weight_of.get(vertex, 0.0) for vertex in corners]
    return Landmarks(vertices, weights)
