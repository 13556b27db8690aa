"""A face model as its makers publish it, brought to common units and axes but not yet complete.

V vertices, S shape and E expression modes, T triangles, Vt texture vertices. Arrays are float64 unless noted.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sirjax.constants import NUM_LANDMARKS

SKIN, EYE, MOUTH, TEETH = range(4)  # what a vertex is part of; decides its color where a model has none
UNKNOWN = -1  # vertex number of a landmark that the files do not tell


@dataclass(frozen=True)
class Landmarks:
    """Where the 68 iBUG points lie on the mesh."""

    vertices: np.ndarray  # int [68, 3]; UNKNOWN where the files do not tell
    weights: np.ndarray  # [68, 3] barycentric

    @classmethod
    def on_vertices(cls, vertices: np.ndarray) -> "Landmarks":
        """Landmarks [68] that are vertices themselves."""
        corners = np.repeat(np.asarray(vertices, np.int64).reshape(-1, 1), 3, axis=1)
        return cls(corners, np.tile([1.0, 0.0, 0.0], (len(corners), 1)))

    @classmethod
    def of_some(cls, vertex_of: dict[int, int]) -> "Landmarks":
        """Landmarks of which only some are known: 0-based number -> vertex."""
        vertices = np.full(NUM_LANDMARKS, UNKNOWN)
        for number, vertex in vertex_of.items():
            vertices[number] = vertex
        return cls.on_vertices(vertices)

    @property
    def known(self) -> np.ndarray:
        """bool [68]."""
        return (self.vertices != UNKNOWN).all(axis=1)

    def points(self, vertices: np.ndarray) -> np.ndarray:
        """The places [68, 3] of the landmarks on vertices [V, 3]; anything where they are not known."""
        return np.einsum("lkc,lk->lc", vertices[self.vertices], self.weights)


@dataclass(frozen=True)
class RawModel:
    """What an importer reads. x to the image's right of a frontal face, y up, z toward the viewer."""

    name: str
    licence: str
    provenance: str  # files and their SHA-256
    unit_mm: float  # millimeters per unit of the files; the arrays here are in millimeters already
    mean: np.ndarray  # [V, 3] mm, the neutral mean face
    shape_basis: np.ndarray  # [S, V, 3] mm per mm
    shape_std: np.ndarray  # [S] mm, falling where the modes are ordered
    expression_basis: np.ndarray  # [E, V, 3]
    expression_std: np.ndarray  # [E] mm
    triangles: np.ndarray  # int [T, 3] counterclockwise seen from outside
    landmarks: Landmarks
    expressions_are_ordered: bool = True  # False: named units in no order, of which the first few mean nothing
    colors: np.ndarray | None = None  # [V, 3] mean albedo in [0, 1]
    parts: np.ndarray | None = None  # int [V] SKIN, EYE, ...; all SKIN if None
    uv: np.ndarray | None = None  # [Vt, 2] in [0, 1], v down
    uv_triangles: np.ndarray | None = None  # int [T, 3]
    mirror: np.ndarray | None = None  # int [V]; found from the mean if None


def unit_modes(
    displacements: Float[np.ndarray, "S V 3"], least: float = 1e-6
) -> tuple[Float[np.ndarray, "K V 3"], Float[np.ndarray, " K"]]:
    """Modes of length 1 and their deviations in mm, from the displacements (mm) that one deviation makes.

    Modes shorter than `least` (mm, the root of the sum over all vertices) are left out: they move nothing.
    """
    length = np.sqrt(np.einsum("svc,svc->s", displacements, displacements))
    moving = length > least
    return displacements[moving] / length[moving, None, None], length[moving]
