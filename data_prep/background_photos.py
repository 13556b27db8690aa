"""Finds the backgrounds that a folder of photos can lend to rendered faces: the places where it shows no face.

    list -> fingerprint -> decode, turn upright -> small copy -> faces, in a picture of twice the copy's size
         -> rectangles of the copy beside all people

Faces are searched for in the photo and its mirror image; where there are none, in the copy turned on its sides and its
head, too: cameras do not always note how they were held. Photos are taken one after the other in the order of their
names, and nothing is drawn here but which ones, so the same photos and seed give the same backgrounds.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from data_prep.identity_folders import printable, walk_photos
from data_prep.raw_files import read_bytes
from data_prep.source import Rejected
from sirjax.data.photo_backgrounds import (
    MIN_HEIGHT,
    MIN_WIDTH,
    UNKNOWN_LICENCE,
    BackgroundPhoto,
    PhotoBackgrounds,
    free_rectangles,
    people,
)
from sirjax.networks.mtcnn import MTCNN, Detections
from sirjax.photo import SUFFIXES, PhotoError, decode_photo

VERSION = 1  # to be raised when the same photos and seed begin to give other backgrounds
MAX_PHOTOS = 2000  # of larger folders so many are drawn: they are 80 MB in memory, and up to half an hour of searching
COPY_SIDE = 400  # pixels of a copy's longer side
COPY_QUALITY = 92  # of its JPEG
SMALLEST_FACE = 16  # pixels of the searched picture: at most 20 of a crop's 96, however much a patch is enlarged
THRESHOLDS = (0.6, 0.6, 0.5)  # lower than usual: something taken for a face costs little here, a missed face much
GROUP = 16  # photos that share the detector's batches


class Detector(Protocol):
    """Finds the faces of several photos at once, as `MTCNN` does."""

    def detect_all(self, images: list[UInt8[np.ndarray, "_ _ 3"]]) -> list[Detections]:
        """The faces of each photo."""
        ...


class BackgroundFolder:
    """A folder of photos, nested as it likes, of which the files are known and nothing is decoded yet."""

    def __init__(self, root: Path, *, share: float, seed: int = 0, licence: str = ""):
        """Lists the photos, draws MAX_PHOTOS of them if there are more, and reads them for their fingerprint.

        Args:
          root: the folder.
          share: of the rendered photos that get a background from here, 0 to 1.
          seed: of the drawing.
          licence: of the photos; "" if it is unknown.

        Raises:
          FileNotFoundError: if `root` is no folder.
          ValueError: if it holds no photos, or the share is out of range.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"the share of photos with backgrounds of {root} must be from 0 to 1, got {share:g}")
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder: name the one that holds the photos for backgrounds")
        self.root, self.share = root, share
        found = sorted(path for path, _, _ in walk_photos(root, SUFFIXES))
        if not found:
            raise ValueError(f"{root} holds no photos to take backgrounds from ({', '.join(SUFFIXES)})")
        self.names = found
        if len(found) > MAX_PHOTOS:
            chosen = np.random.default_rng(seed).choice(len(found), MAX_PHOTOS, replace=False)
            self.names = [found[i] for i in np.sort(chosen)]
        self.description: dict[str, Any] = {
            "version": VERSION,
            "share": share,
            "photos": len(self.names),
            "photos_of_folder": len(found),
            "fingerprint": self._fingerprint(),
            "licence": licence.strip() or UNKNOWN_LICENCE,
        }

    def search(self, detector: Detector | None = None, *, progress: bool = True) -> PhotoBackgrounds:
        """Decodes every photo once and keeps a small copy of those that have room beside their faces.

        Args:
          detector: finds the faces; MTCNN by default.
          progress: show a progress bar.

        Raises:
          ValueError: if no photo can be used.
        """
        detector = detector or MTCNN(SMALLEST_FACE, THRESHOLDS)
        photos: list[BackgroundPhoto] = []
        left_out: dict[str, str] = {}
        for group in _groups(self.names, progress):
            copies = {}
            for name in group:
                try:
                    copies[name] = self._read(name)
                except (Rejected, PhotoError) as error:
                    left_out[printable(name)] = str(error)
            occupied = _occupied(list(copies.values()), detector)
            for (name, (copy, _)), boxes in zip(copies.items(), occupied, strict=True):
                free = free_rectangles(copy.shape[:2], boxes)
                if len(free):
                    photos.append(BackgroundPhoto(printable(name), _encoded(copy), free))
                else:
                    left_out[printable(name)] = "no room for a background beside the faces"
        if not photos:
            name, reason = min(left_out.items())
            raise ValueError(
                f"none of the {len(self.names)} photos of {self.root} can be a background ({name}: {reason}): "
                "give photos that show more than faces"
            )
        return PhotoBackgrounds(tuple(photos), self.share, self.description, left_out)

    def _read(self, name: str) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "H W 3"]]:
        """The copy that is kept of a photo, and the picture of twice its size in which faces are searched for."""
        image = decode_photo(read_bytes(self.root / name, printable(name))).image
        shrink = min(1.0, COPY_SIDE / max(image.shape))
        height, width = (max(1, round(side * shrink)) for side in image.shape[:2])
        if height < MIN_HEIGHT or width < MIN_WIDTH:
            raise Rejected(f"{image.shape[1]} x {image.shape[0]} pixels are too few, or too oblong, for a background")
        return _resized(image, height, width), _resized(image, 2 * height, 2 * width)

    def _fingerprint(self) -> str:
        """SHA-256 of the names and bytes of the photos."""
        whole = hashlib.sha256()
        for name in self.names:
            try:
                with (self.root / name).open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                content = "unreadable"
            whole.update(f"{printable(name)}\0{content}\n".encode())
        return whole.hexdigest()


def _occupied(pairs: list[tuple[np.ndarray, np.ndarray]], detector: Detector) -> list[Float[np.ndarray, "_ 4"]]:
    """What people take of each copy, in edges; given copies u8 [h, w, 3] with their pictures of twice the size."""
    copies, large = [copy for copy, _ in pairs], [image for _, image in pairs]
    upright = detector.detect_all(large)
    # The detector is not symmetric: hidden and turned faces it may see in the mirror only.
    mirrored = detector.detect_all([np.ascontiguousarray(image[:, ::-1]) for image in large])
    occupied = [
        people(np.concatenate([_edges(seen), _mirrored(_edges(twin), image.shape[1])])) / 2
        for image, seen, twin in zip(large, upright, mirrored, strict=True)
    ]
    without = [i for i, boxes in enumerate(occupied) if not len(boxes)]
    for quarters in (1, 2, 3) if without else ():
        turned = [np.ascontiguousarray(np.rot90(copies[i], quarters)) for i in without]
        for i, faces in zip(without, detector.detect_all(turned), strict=True):
            found = turned_back(people(_edges(faces)), quarters, copies[i].shape[:2])
            occupied[i] = np.concatenate([occupied[i], found])
    return occupied


def _edges(faces: Detections) -> Float[np.ndarray, "N 4"]:
    return faces.boxes + 0.5


def _mirrored(boxes: Float[np.ndarray, "N 4"], width: int) -> Float[np.ndarray, "N 4"]:
    left, top, right, bottom = boxes.T
    return np.stack([width - right, top, width - left, bottom], axis=1)


def turned_back(boxes: Float[np.ndarray, "N 4"], quarters: int, size: tuple[int, int]) -> Float[np.ndarray, "N 4"]:
    """Boxes of a picture that `np.rot90` turned by `quarters` of a circle as boxes of the picture itself, in edges.

    Args:
      boxes: left, top, right, bottom.
      quarters: turns against the clock.
      size: height and width before turning.
    """
    height, width = size if quarters % 2 else size[::-1]
    for _ in range(quarters):
        left, top, right, bottom = boxes.T
        boxes = np.stack([width - bottom, left, width - top, right], axis=1)
        height, width = width, height
    return boxes


def _groups(names: list[str], progress: bool) -> Iterator[list[str]]:
    from tqdm import tqdm

    with tqdm(total=len(names), desc="searching backgrounds", unit="photo", disable=not progress) as bar:
        for start in range(0, len(names), GROUP):
            group = names[start : start + GROUP]
            yield group
            bar.update(len(group))


def _resized(image: UInt8[np.ndarray, "_ _ 3"], height: int, width: int) -> UInt8[np.ndarray, "_ _ 3"]:
    interpolation = cv2.INTER_AREA if height <= image.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=interpolation)


def _encoded(image: UInt8[np.ndarray, "H W 3"]) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, COPY_QUALITY])[1].tobytes()
