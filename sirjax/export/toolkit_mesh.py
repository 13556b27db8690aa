"""Meshes as the benchmark toolkits want them, and a check of everything that makes those fail or score nonsense.

N meshes, V vertices, T triangles.
"""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from sirjax.files import write_text
from sirjax.morphable.model import FaceModel

WIDTH_MM = (100.0, 190.0)  # of a face, between the ends of the jaw line (points 0 and 16)
EYES_MM = (60.0, 120.0)  # between the outer corners of the eyes (points 36 and 45)
_FLAT = 1e-6  # sine of the angle at a corner below which a triangle has no area
_UNITS = {"micrometers": 1e-3, "centimeters": 10.0, "meters": 1000.0}


@dataclasses.dataclass(frozen=True)
class Problem:
    """Something that the toolkit would stumble over."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


@dataclasses.dataclass(frozen=True)
class Topology:
    """The part of a face model's mesh that is written: the same for all faces."""

    kept: np.ndarray  # int [V'] vertices of the face model, in its order
    triangles: np.ndarray  # int32 [T', 3] rows of `kept`
    landmark_vertices: np.ndarray  # int [68, 3] rows of `kept`
    landmark_weights: np.ndarray  # [68, 3]
    num_isolated: int  # vertices left out because no triangle uses them
    num_flat: int  # triangles left out because they have no area on the mean face

    def landmarks(self, vertices: Float[np.ndarray, "N V 3"]) -> Float[np.ndarray, "N 68 3"]:
        """The 68 points on kept vertices."""
        return np.einsum("nlkc,lk->nlc", vertices[:, self.landmark_vertices], self.landmark_weights)


def topology_of(model: FaceModel) -> Topology:
    """The face model's mesh without triangles that have no area and vertices that no triangle uses.

    Raises:
      ValueError: if a landmark rests on a vertex that is left out.
    """
    triangles = np.asarray(model.triangles)
    flat = flat_triangles(np.asarray(model.mean, np.float64)[None], triangles)[0]
    triangles = triangles[~flat]
    kept = np.unique(triangles)
    row = np.full(model.num_vertices, -1)
    row[kept] = np.arange(len(kept))
    weights = np.asarray(model.landmark_weights, np.float64)
    # A corner without weight does not matter: any vertex will do.
    corners = np.where(weights > 0, row[np.asarray(model.landmark_vertices)], 0)
    lost = np.flatnonzero((corners < 0).any(axis=1))
    if lost.size:
        raise ValueError(f"landmark {lost[0]} of {model.name} rests on a vertex that no triangle uses: choose another")
    return Topology(
        kept, row[triangles].astype(np.int32), corners, weights, model.num_vertices - len(kept), int(flat.sum())
    )


def flat_triangles(vertices: Float[np.ndarray, "N V 3"], triangles: Int[np.ndarray, "T 3"]) -> np.ndarray:
    """bool [N, T]: triangles two corners of which coincide, or all three of which lie on a line."""
    a, b, c = (vertices[:, triangles[:, k]] for k in range(3))
    first, second = b - a, c - a
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.linalg.norm(np.cross(first, second), axis=-1) <= _FLAT * lengths


def check_meshes(
    names: list[str],
    vertices: Float[np.ndarray, "N V 3"],
    topology: Topology,
) -> list[Problem]:
    """What is wrong with meshes in millimeters; an empty list if nothing is."""
    problems = []
    bad = [name for name, mesh in zip(names, vertices, strict=True) if not np.isfinite(mesh).all()]
    if bad:
        return [Problem(f"{_some(bad)}: vertices are not finite", "the run has diverged; export an earlier checkpoint")]
    points = topology.landmarks(vertices)
    for words, (first, second), (low, high) in (
        ("face width (points 0 and 16)", (0, 16), WIDTH_MM),
        ("distance of the outer eye corners (36 and 45)", (36, 45), EYES_MM),
    ):
        length = np.linalg.norm(points[:, first] - points[:, second], axis=1)
        odd = np.flatnonzero((length < low) | (length > high))
        if odd.size:
            worst = length[odd[np.argmax(np.abs(np.log(np.maximum(length[odd], 1e-9) / np.sqrt(low * high))))]]
            problems.append(
                Problem(
                    f"{_some([names[i] for i in odd])}: {words} of {worst:.3g} mm, expected {low:g} to {high:g}",
                    _unit_remedy(float(worst), low, high),
                )
            )
    flat = flat_triangles(vertices, topology.triangles).sum(axis=1)
    if flat.any():
        with_flat = [names[i] for i in np.flatnonzero(flat)]
        problems.append(
            Problem(
                f"{_some(with_flat)}: up to {flat.max()} triangles without area, on which scan-to-mesh distances fail",
                "shapes this far from the mean fold the mesh; look at them, or leave these photos out",
            )
        )
    return problems


def _unit_remedy(length: float, low: float, high: float) -> str:
    for unit, millimeters in _UNITS.items():
        if low <= length * millimeters <= high:
            return f"the mesh seems to be in {unit}; import the face model again with the right unit"
    return "no face has that size; check the face model with sirjax face-model info, and the photos of these names"


def _some(names: list[str]) -> str:
    """A few names for a message."""
    return names[0] if len(names) == 1 else f"{len(names)} meshes, the first of {names[0]}"


def write_plain_obj(path: Path, vertices: Float[np.ndarray, "V 3"], triangles: Int[np.ndarray, "T 3"]) -> None:
    """An .obj file of vertices and triangles alone: the loaders of both toolkits fail on colors and materials."""
    rows = "v %.5f %.5f %.5f\n" * len(vertices) % tuple(np.asarray(vertices, np.float64).ravel().tolist())
    faces = "f %d %d %d\n" * len(triangles) % tuple((np.asarray(triangles) + 1).ravel().tolist())
    write_text(path, rows + faces)
