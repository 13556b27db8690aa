"""What `sirjax reconstruct` reads: files, folders and patterns; photos decoded ahead; faces known beforehand."""

import glob
import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sirjax.cli.reconstructing.profile import Profile
from sirjax.photo import Photo, PhotoError, list_photos, read_photo
from sirjax.predictor import AlignedFace, align_box, align_landmarks, align_points

READERS = 2  # threads that decode (OpenCV and zlib do it without Python's lock)
READ_AHEAD = 4  # photos decoded while the networks are busy; bounds the memory
ALIGNERS = {"points": (align_points, (5, 2)), "landmarks": (align_landmarks, (68, 2)), "box": (align_box, (4,))}


def find_inputs(names: list[Path]) -> list[Path]:
    """Files as named, the photos below folders, and what patterns (*, ?, [], ** for any depth) stand for.

    Most shells expand patterns themselves; quoted ones, and those of shells that don't, are expanded here. A pattern
    that matches nothing stays as it is, and is reported as a missing file later.
    """
    expanded = []
    for name in names:
        is_pattern = any(letter in str(name) for letter in "*?[") and not name.exists()
        matches = [Path(match) for match in sorted(glob.glob(str(name), recursive=True))] if is_pattern else []
        expanded += matches or [name]
    return list_photos(expanded)


def read_ahead(
    photos: list[Path], max_megapixels: float, profile: Profile | None = None
) -> Iterator[tuple[Path, Photo | PhotoError]]:
    """Reads photos in order, a few ahead of the consumer, in threads."""
    profile = profile or Profile()

    def read(path: Path) -> Photo | PhotoError:
        try:
            with profile.part("read"):
                return read_photo(path, max_megapixels=max_megapixels)
        except PhotoError as error:
            return error

    with ThreadPoolExecutor(max_workers=READERS) as pool:
        waiting: deque[tuple[Path, Future]] = deque()
        try:
            for path in photos:
                waiting.append((path, pool.submit(read, path)))
                if len(waiting) > READ_AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def read_given(path: Path) -> dict[str, list[dict]]:
    """The faces known beforehand; see --given.

    Raises:
      ValueError: if the file does not hold what --given describes.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        for photo, faces in given.items():
            for face in faces:
                ((kind, value),) = face.items()
                shape = np.asarray(value, np.float32).shape
                if shape != ALIGNERS[kind][1]:
                    raise ValueError(f"{kind} of {photo} have shape {shape}, not {ALIGNERS[kind][1]}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kinds = ", ".join(f'{{"{kind}": {" x ".join(map(str, shape))}}}' for kind, (_, shape) in ALIGNERS.items())
        raise ValueError(f"{path}: {error}; --given wants JSON {{photo: [face, ...]}} with faces of {kinds}") from None
    return given


def align_given(given: dict[str, list[dict]], path: Path, photo: Photo) -> list[AlignedFace]:
    """The faces that --given tells for a photo, by its path as named or its file name."""
    known = next((given[name] for name in (str(path), path.name) if name in given), [])
    return [
        ALIGNERS[kind][0](photo.image, np.asarray(value, np.float32)) for face in known for kind, value in face.items()
    ]
