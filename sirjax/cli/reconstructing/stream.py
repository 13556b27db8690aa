"""Faces of a stream of images, in bounded memory: images -> searched together -> read in full batches, in order.

A photo that gives no face stays in the stream and says why.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from sirjax.cli.reconstructing.inputs import align_given
from sirjax.cli.reconstructing.profile import Profile
from sirjax.data import alignment
from sirjax.networks.mtcnn import Detections
from sirjax.photo import Photo, PhotoError
from sirjax.predictor import AlignedFace, Predictor, align_detected
from sirjax.reconstruction import FaceReconstruction

SEARCHED_TOGETHER = 8  # images
MAX_WAITING_PIXELS = 60e6  # of images at each stage: bounds the memory, about 180 MB a stage


@dataclass(frozen=True)
class Search:
    """How faces are looked for."""

    which: str = "all"  # or "largest"
    center_if_none: bool = False
    given: dict[str, list[dict]] | None = None  # see --given
    given_name: str = ""
    known: dict[Path, list[AlignedFace]] | None = None  # found before: only cut out again, nothing is searched
    min_face_size: float = 20.0
    search_side: int = 1280


@dataclass
class Item:
    """A photo on its way, with the faces found in it; without a photo if it could not be read."""

    path: Path
    photo: Photo | None
    status: str = "ok"
    message: str = ""
    aligned: list[AlignedFace] = field(default_factory=list)
    faces: list[FaceReconstruction] = field(default_factory=list)
    own_shape: np.ndarray | None = None  # [S] what this photo alone says, where the face has its person's fused shape

    @property
    def pixels(self) -> int:
        """Of the photo, which stays in memory while it is on its way."""
        return 0 if self.photo is None else self.photo.image.shape[0] * self.photo.image.shape[1]

    def fail(self, status: str, message: str) -> None:
        """Marks the photo as one without faces."""
        self.status, self.message = status, message.removeprefix(f"{self.path}: ")
        self.aligned, self.faces = [], []


def read_faces(
    photos: Iterable[tuple[Path, Photo | PhotoError]], predictor: Predictor, search: Search, profile: Profile
) -> Iterator[Item]:
    """The faces of each photo, in the order of the photos.

    Args:
      photos: as `inputs.read_ahead` gives them.
      predictor: detects and reads.
      search: how.
      profile: where the time is noted.
    """
    waiting: deque[Item] = deque()
    for items in _groups(photos):
        _find(items, predictor, search, profile)
        for item in items:
            waiting.append(item)
            full = sum(len(other.aligned) for other in waiting) >= predictor.batch_size
            if full or total_pixels(waiting) > MAX_WAITING_PIXELS:
                yield from _read(waiting, predictor, profile)
    yield from _read(waiting, predictor, profile)


def total_pixels(items: Iterable[Item]) -> int:
    """Of all photos together."""
    return sum(item.pixels for item in items)


def _groups(photos: Iterable[tuple[Path, Photo | PhotoError]]) -> Iterator[list[Item]]:
    """Photos that are searched together."""
    group: list[Item] = []
    for path, photo in photos:
        item = Item(path, None if isinstance(photo, PhotoError) else photo)
        if isinstance(photo, PhotoError):
            item.fail(photo.status, str(photo))
        group.append(item)
        if len(group) >= SEARCHED_TOGETHER or total_pixels(group) > MAX_WAITING_PIXELS:
            yield group
            group = []
    if group:
        yield group


def _find(items: list[Item], predictor: Predictor, search: Search, profile: Profile) -> None:
    """Fills in `aligned`, or the reason why there is no face."""
    items = [item for item in items if item.photo is not None]
    for item, found in zip(items, _detect(items, predictor, search, profile), strict=True):
        try:
            if isinstance(found, Exception):
                raise found
            with profile.part("align"):
                item.aligned = _align(item, found, search)
        except Exception as error:
            item.fail("error", f"{type(error).__name__}: {error}")
            continue
        if not item.aligned:
            item.fail("no_face", _why_none(item, search))


def _detect(
    items: list[Item], predictor: Predictor, search: Search, profile: Profile
) -> list[Detections | Exception | None]:
    """What the detector says of each photo; together, or one by one if one of them makes it fail."""
    if search.given is not None or search.known is not None or not items:
        return [None] * len(items)
    images = [item.photo.image for item in items if item.photo is not None]
    with profile.part("detect", len(images)):
        try:
            return list(predictor.detect_all(images))
        except Exception:
            return [_detect_one(image, predictor) for image in images]


def _detect_one(image, predictor: Predictor) -> Detections | Exception:
    try:
        return predictor.detector.detect(image)
    except Exception as error:
        return error


def _align(item: Item, found: Detections | None, search: Search) -> list[AlignedFace]:
    assert item.photo is not None
    image = item.photo.image
    if search.known is not None:
        faces = search.known.get(item.path, [])
        return [replace(face, crop=alignment.warp(image, face.crop_from_photo)) for face in faces]
    if found is None:
        return align_given(search.given or {}, item.path, item.photo)
    return align_detected(image, found, search.which, center_if_none=search.center_if_none)


def _read(waiting: deque[Item], predictor: Predictor, profile: Profile) -> Iterator[Item]:
    """The networks' reading of all faces that wait."""
    items = list(waiting)
    waiting.clear()
    aligned = [face for item in items for face in item.aligned]
    with profile.part("predict", len(aligned)):
        faces = iter(predictor.reconstruct_aligned(aligned))
    for item in items:
        item.faces = [next(faces) for _ in item.aligned]
        yield item


def _why_none(item: Item, search: Search) -> str:
    if search.given is not None:
        return f"{search.given_name} gives no face for this photo"
    assert item.photo is not None
    reduced = max(1.0, max(item.photo.image.shape) / search.search_side)
    smallest = round(search.min_face_size * reduced)
    remedy = "--search-side" if reduced > 1 else "--min-face-size"
    return f"no face of at least {smallest} pixels found; change {remedy}, or tell where it is with --given"
