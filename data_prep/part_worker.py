"""Turns the entries of one part into rows, inside a worker process.

Photos are opened in groups of bounded size, so that faces are searched for in many photos at once and a part of large
photos still fits in memory. Groups depend on the entries alone: any number of workers makes the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from data_prep.cropping import OpenPhoto, crop_matrix, cut, open_photo
from data_prep.parts import DIGEST_BYTES, Row
from data_prep.source import Entry, Rejected, Source
from sirjax.data.images import JPEG_QUALITY
from sirjax.photo import MAX_MEGAPIXELS

GROUP_PHOTOS = 64
GROUP_BYTES = 48 * 2**20  # of decoded pixels; one photo may exceed it
_NO_DIGEST = bytes(DIGEST_BYTES)


@dataclass(frozen=True)
class Settings:
    """What the bytes of a sample depend on besides the source."""

    quality: int | None = JPEG_QUALITY  # JPEG 1 to 100; None: PNG
    max_megapixels: float = MAX_MEGAPIXELS


def make_rows(
    source: Source, entries: Sequence[Entry], settings: Settings, reading: Callable[[str], None] = lambda name: None
) -> list[Row]:
    """One row per entry, in the same order; `reading` is told each name before its image is read, "" after."""
    rows: dict[str, Row] = {}
    for opened, rejected in _groups(source, entries, settings, reading):
        rows |= {row.name: row for row in rejected}
        matrices = _matrices([photo for _, photo in opened])
        for (entry, photo), matrix in zip(opened, matrices, strict=True):
            rows[entry.name] = _row(entry, photo, matrix, settings)
    return [rows[entry.name] for entry in entries]


def _groups(
    source: Source, entries: Sequence[Entry], settings: Settings, reading: Callable[[str], None]
) -> Iterator[tuple[list[tuple[Entry, OpenPhoto]], list[Row]]]:
    """Photos that could be opened, and rows of those that could not."""
    opened: list[tuple[Entry, OpenPhoto]] = []
    rejected: list[Row] = []
    held = 0
    for entry in entries:
        reading(entry.name)
        try:
            photo = open_photo(source.read(entry), max_megapixels=settings.max_megapixels)
        except Exception as error:
            rejected.append(Row(entry.name, _NO_DIGEST, reason=_reason(error), unreadable=_is_unreadable(error)))
            continue
        opened.append((entry, photo))
        held += photo.image.nbytes
        if held > GROUP_BYTES or len(opened) == GROUP_PHOTOS:
            reading("")
            yield opened, rejected
            opened, rejected, held = [], [], 0
    reading("")
    yield opened, rejected


def _matrices(photos: list[OpenPhoto]) -> list[np.ndarray | Exception]:
    """crop_from_photo of each photo, or why there is none."""
    matrices: list[np.ndarray | Exception] = []
    for photo in photos:
        try:
            matrices.append(Rejected("no face was found") if photo.needs_detection else crop_matrix(photo))
        except Exception as error:
            matrices.append(error)
    searched = [i for i, photo in enumerate(photos) if photo.needs_detection]
    for i, found in zip(searched, _find([photos[i] for i in searched]), strict=True):
        matrices[i] = found
    return matrices


def _find(photos: list[OpenPhoto]) -> list[np.ndarray | Exception]:
    """Searches all photos at once; one by one if one of them makes the search fail."""
    if not photos:
        return []
    try:
        return list(_face_finder().find(photos))
    except Exception as error:
        if len(photos) == 1:
            return [error]
        return [found for photo in photos for found in _find([photo])]


def _row(entry: Entry, photo: OpenPhoto, matrix: np.ndarray | Exception, settings: Settings) -> Row:
    if isinstance(matrix, Exception):
        return Row(entry.name, photo.digest, reason=_reason(matrix))
    try:
        return Row(entry.name, photo.digest, cut(photo, matrix, entry, settings.quality))
    except Exception as error:
        return Row(entry.name, photo.digest, reason=_reason(error))


def _reason(error: Exception) -> str:
    """The words for the manifest. What nobody foresaw costs one image, not the run, and is named as such."""
    if isinstance(error, Rejected):
        return str(error)
    if isinstance(error, OSError):
        return f"the file cannot be read ({error.strerror})"
    return f"unexpected {type(error).__name__}: {error}"


def _is_unreadable(error: Exception) -> bool:
    return isinstance(error, OSError) or isinstance(error.__context__, OSError)


@cache
def _face_finder():
    from data_prep.detection import FaceFinder  # JAX and its compiler, which sets with landmarks do without

    return FaceFinder()
