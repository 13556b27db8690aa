"""The neutral shape of the face in each of many photos, and what became of those that gave none."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sirjax.cli.reconstructing.inputs import read_ahead
from sirjax.photo import MAX_MEGAPIXELS, PhotoError
from sirjax.predictor import AlignedFace, Predictor


@dataclasses.dataclass
class PhotoShape:
    """One photo."""

    path: Path
    status: str  # ok, no_face, missing, unreadable, too_large, error
    message: str = ""
    shape: np.ndarray | None = None  # [S] whitened; None unless ok


def read_shapes(
    predictor: Predictor,
    photos: Sequence[Path],
    *,
    center_if_none: bool = False,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> list[PhotoShape]:
    """The shape of the largest face of each photo, in the order given.

    A photo that cannot be read, or shows no face, is a row like any other: it says why. With `center_if_none` the
    middle of a photo without a face is read instead, and the row says so.
    """
    found = [PhotoShape(path, "error", "was not read") for path in photos]
    waiting: list[tuple[PhotoShape, AlignedFace]] = []
    progress = tqdm(read_ahead(list(photos), max_megapixels), total=len(photos), unit="photo", desc="reading")
    for row, (_, photo) in zip(found, progress, strict=True):
        if isinstance(photo, PhotoError):
            row.status, row.message = photo.status, str(photo).removeprefix(f"{row.path}: ")
            continue
        faces = predictor.find_faces(photo.image, "largest", center_if_none=center_if_none)
        if not faces:
            row.status, row.message = "no_face", "no face found; --center-if-none takes the middle of the photo"
            continue
        row.status, row.message = "ok", "; ".join([*photo.notes, *faces[0].notes])
        waiting.append((row, faces[0]))
        if len(waiting) == predictor.batch_size:
            _read(predictor, waiting)
    _read(predictor, waiting)
    return found


def _read(predictor: Predictor, waiting: list[tuple[PhotoShape, AlignedFace]]) -> None:
    if not waiting:
        return
    shapes = np.asarray(predictor.encode(np.stack([face.crop for _, face in waiting])).shape)
    for (row, _), shape in zip(waiting, shapes, strict=True):
        row.shape = shape
    waiting.clear()
