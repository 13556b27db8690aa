"""Neutral shapes read from several photos of several people, and how far each two are apart. No photo is shown."""

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from experiments.common import drawings
from experiments.common.scans import face, some_photos
from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import INK, PAPER, blank, fit
from sirjax.pictures.grid import GAP, compose
from sirjax.report.colors import palette

PEOPLE, PHOTOS = 8, 3
_TILE = 120  # pixels of a face
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_people(
    model: FaceModel, shape: Float[np.ndarray, "N S"], identity: Int[np.ndarray, " N"]
) -> tuple[UInt8[np.ndarray, "H W 3"], int]:
    """Shapes read from the first photos of the first people with enough of them, and how many people that are.

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
    tiles = [fit(drawings.clay(model, face(model, codes)), _TILE, _TILE) for codes in shape]
    grid = [tiles[start : start + PHOTOS] for start in range(0, len(tiles), PHOTOS)]
    faces, matrix = compose(grid), draw_distances(distances, (_TILE + GAP) // PHOTOS, PHOTOS)
    height = max(len(faces), len(matrix) + GAP)
    both = [_padded(faces, height, 0), _padded(matrix, height, GAP)]
    return np.concatenate(both, axis=1), len(grid)


def draw_distances(distances: Float[np.ndarray, "N N"], cell: int, group: int) -> UInt8[np.ndarray, "height width 3"]:
    """A symmetric matrix as cells with numbers; the cells of each `group` samples in a row are framed."""
    colors = palette(0.0, 1.0)
    reach = float(distances.max()) or 1.0
    places = np.round(255 * distances / reach).astype(int)
    image = np.ascontiguousarray(np.kron(colors[places], np.ones((cell, cell, 1), np.uint8)))
    for i, row in enumerate(distances):
        for j, value in enumerate(row):
            ink = INK if colors[places[i, j]].sum() > 380 else PAPER
            place = (j * cell + cell // 8, i * cell + round(cell * 0.62))
            cv2.putText(image, f"{value:.1f}", place, _FONT, cell / 95, ink, 1, cv2.LINE_AA)
    for start in range(0, len(distances), group):
        corner = (start * cell, start * cell)
        cv2.rectangle(image, corner, tuple(c + group * cell - 1 for c in corner), (255, 70, 60), 2)
    return image


def _padded(image: UInt8[np.ndarray, "H W 3"], height: int, top: int) -> UInt8[np.ndarray, "height W 3"]:
    canvas = blank(height, image.shape[1] + GAP)
    canvas[top : top + len(image), : image.shape[1]] = image
    return canvas
