"""Neutral shapes read from several photos of several people, what sets them apart from the mean face, and how far each
two are apart. No photo is shown."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from experiments.common.scans import face, some_photos
from sirjax.colors import colored
from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import INK, PAPER, blank
from sirjax.pictures.grid import GAP, compose
from sirjax.pictures.in_photo import vertex_normals
from sirjax.pictures.views import clay_view, error_view

PEOPLE, PHOTOS = 8, 3
REACH = 4.0  # mm outside the mean face or inside it that are drawn in full color
_TILE = 144  # pixels of a head
_VIEW = 172  # of the picture that it is the middle of
_TURN = 30.0  # degrees, for clay; colors are seen from the front
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_people(
    model: FaceModel, shape: Float[np.ndarray, "N S"], identity: Int[np.ndarray, " N"]
) -> tuple[UInt8[np.ndarray, "H W 3"], int]:
    """Shapes read from the first photos of the first people with enough of them, and how many people that are.

    A row of heads for each person: in clay, then colored by how far their surface lies outside the mean face (red from
    `REACH` mm on) or inside it (blue). Beside them the distances of each two shapes, mm RMS over vertices.

    Args:
      model: the face model.
      shape: codes in mm.
      identity: who each shows.

    Raises:
      ValueError: if nobody has enough photos.
    """
    identity = np.asarray(identity)
    rows = some_photos(identity, PHOTOS)
    known = np.unique(identity)[np.bincount(np.unique(identity[rows], return_inverse=True)[1]) == PHOTOS]
    if not len(known):
        raise ValueError(f"the picture of people needs {PHOTOS} photos of a person: nobody has as many")
    rows = rows[np.isin(identity[rows], known[:PEOPLE])]
    shape = shape[rows]
    distances = np.linalg.norm(shape[:, None] - shape, axis=2) / np.sqrt(model.num_vertices)
    heads = np.stack([face(model, codes) for codes in shape])
    moved = offsets(model, heads)
    clay = [_middle(clay_view(model, head, _TURN, size=_VIEW)) for head in heads]
    tinted = [
        _middle(error_view(model, head, errors, REACH, size=_VIEW, signed=True))
        for head, errors in zip(heads, moved, strict=True)
    ]
    people = range(0, len(heads), PHOTOS)
    grid = [[*clay[start : start + PHOTOS], *tinted[start : start + PHOTOS]] for start in people]
    faces, matrix = compose(grid), draw_distances(distances, (_TILE + GAP) // PHOTOS, PHOTOS)
    height = max(len(faces), len(matrix) + GAP)
    both = [_padded(faces, height, 0), _padded(matrix, height, GAP)]
    return np.concatenate(both, axis=1), len(grid)


def offsets(model: FaceModel, vertices: Float[np.ndarray, "*B V 3"]) -> Float[np.ndarray, "*B V"]:
    """How far each vertex lies outside the mean face, along the mean face's normal, in mm; negative inside it."""
    mean = np.asarray(model.mean, np.float64)
    return ((vertices - mean) * vertex_normals(model, mean)).sum(axis=-1)


def draw_distances(distances: Float[np.ndarray, "N N"], cell: int, group: int) -> UInt8[np.ndarray, "height width 3"]:
    """A symmetric matrix as cells with numbers; the cells of each `group` samples in a row are framed."""
    colors = colored(distances, 0.0, float(distances.max()) or 1.0)
    image = np.ascontiguousarray(np.kron(colors, np.ones((cell, cell, 1), np.uint8)))
    for i, row in enumerate(distances):
        for j, value in enumerate(row):
            ink = INK if colors[i, j].sum() > 380 else PAPER
            place = (j * cell + cell // 8, i * cell + round(cell * 0.62))
            cv2.putText(image, f"{value:.1f}", place, _FONT, cell / 95, ink, 1, cv2.LINE_AA)
    for start in range(0, len(distances), group):
        corner = (start * cell, start * cell)
        cv2.rectangle(image, corner, tuple(c + group * cell - 1 for c in corner), (255, 70, 60), 2)
    return image


def _middle(view: UInt8[np.ndarray, "S S 3"]) -> UInt8[np.ndarray, "T T 3"]:
    margin = (_VIEW - _TILE) // 2
    return view[margin : margin + _TILE, margin : margin + _TILE]


def _padded(image: UInt8[np.ndarray, "H W 3"], height: int, top: int) -> UInt8[np.ndarray, "height W 3"]:
    canvas = blank(height, image.shape[1] + GAP)
    canvas[top : top + len(image), : image.shape[1]] = image
    return canvas
