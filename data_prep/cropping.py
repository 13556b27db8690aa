"""From one raw image to one sample: decode, check the labels that came with it, align, cut, encode.

Whatever is wrong with an image becomes `Rejected` with a reason in words; nothing here raises anything else for it.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from data_prep.source import Entry, RawImage, Rejected
from sirjax.constants import IMAGE_SIZE, NUM_LANDMARKS
from sirjax.data import alignment
from sirjax.data.images import encode_image
from sirjax.data.sample import Sample
from sirjax.photo import Photo, PhotoError, PhotoHeader, decode_photo, turn_points

MAX_ENLARGEMENT = 6.0  # crop pixels per photo pixel: the face is then about 14 pixels wide
MAX_SHARE_OUTSIDE = 0.25  # of the landmarks: jaws are cut off by the edge, whole faces are not
MAX_DISTANCE_OUTSIDE = 0.35  # of the landmarks' own extent


@dataclass(frozen=True)
class OpenPhoto:
    """A decoded photo with its labels in upright photo pixels (the center of the top-left pixel is (0, 0))."""

    image: np.ndarray  # u8 [H, W, 3] RGB
    digest: bytes  # SHA-256 of the file's bytes, or of the pixels where there was no file
    landmarks: np.ndarray | None = None  # f64 [68, 2]
    five_points: np.ndarray | None = None  # f64 [5, 2]
    near: np.ndarray | None = None  # f64 [2] or [4]

    @property
    def needs_detection(self) -> bool:
        """Whether the face has yet to be found."""
        return self.landmarks is None and self.five_points is None


def open_photo(raw: RawImage, *, max_megapixels: float) -> OpenPhoto:
    """Decodes an image and turns it upright together with its labels.

    Raises:
      Rejected: if it cannot be decoded, or its labels are not finite or not where a face can be.
    """
    if raw.data is not None:
        digest = hashlib.sha256(raw.data).digest()
        try:
            photo = decode_photo(raw.data, max_megapixels=max_megapixels)
        except PhotoError as error:
            raise Rejected(str(error)) from None
    elif raw.pixels is not None:
        pixels = np.ascontiguousarray(raw.pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
            raise Rejected(f"{pixels.dtype} pixels of shape {list(pixels.shape)}, expected uint8 [H, W, 3]")
        digest = hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
        photo = Photo(pixels, PhotoHeader("pixels", pixels.shape[1], pixels.shape[0]), ())
    else:
        raise Rejected("the data set holds no image for this entry")
    landmarks = _checked(raw.landmarks, NUM_LANDMARKS, "landmarks", photo)
    five_points = _checked(raw.five_points, 5, "alignment points", photo)
    return OpenPhoto(photo.image, digest, landmarks, five_points, _upright_place(raw.near, photo))


def crop_matrix(photo: OpenPhoto) -> Float[np.ndarray, "2 3"]:
    """crop_from_photo of the face that the labels mark.

    Raises:
      Rejected: if no crop can be made of them.
    """
    try:
        if photo.landmarks is not None:
            return alignment.crop_from_landmarks(photo.landmarks)
        if photo.five_points is not None:
            return alignment.crop_from_photo(photo.five_points)
    except ValueError as error:
        raise Rejected(f"the face cannot be aligned: {error}") from None
    raise Rejected("neither landmarks nor alignment points mark the face")


def cut(photo: OpenPhoto, matrix: Float[np.ndarray, "2 3"], entry: Entry, quality: int | None) -> Sample:
    """The aligned, encoded crop with its labels in crop pixels.

    Raises:
      Rejected: if the face is too small.
    """
    if entry.identity == "":
        raise Rejected("the identity is empty")
    enlargement = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if enlargement > MAX_ENLARGEMENT:
        left, _, right, _ = alignment.LANDMARK_BOX
        raise Rejected(
            f"the face is about {(right - left) / enlargement:.1f} pixels wide, "
            f"the limit is {(right - left) / MAX_ENLARGEMENT:.0f}"
        )
    landmarks = None
    if photo.landmarks is not None:
        landmarks = alignment.transform_points(matrix, photo.landmarks).astype(np.float32)
    crop = alignment.warp(photo.image, matrix, IMAGE_SIZE)
    return Sample(
        name=entry.name,
        image=encode_image(crop, quality=quality),
        crop_from_photo=matrix,
        landmarks=landmarks,
        identity=entry.identity,
    )


def _checked(points: np.ndarray | None, count: int, what: str, photo: Photo) -> np.ndarray | None:
    if points is None:
        return None
    points = np.asarray(points, np.float64)
    if points.shape != (count, 2):
        raise Rejected(f"{what} of shape {list(points.shape)}, expected {[count, 2]}")
    if not np.isfinite(points).all():
        raise Rejected(f"{np.sum(~np.isfinite(points).all(axis=1))} of {count} {what} are not finite")
    points = turn_points(points, photo)
    _check_inside(points, what, photo.image)
    return points


def _check_inside(points: Float[np.ndarray, "N 2"], what: str, image: UInt8[np.ndarray, "H W 3"]) -> None:
    size = np.array(image.shape[1::-1])
    beyond = np.maximum(np.maximum(-0.5 - points, points - (size - 0.5)), 0).max(axis=1)  # pixels past the edge
    outside = int(np.sum(beyond > 0))
    extent = float(np.ptp(points, axis=0).max())
    if outside > MAX_SHARE_OUTSIDE * len(points) or beyond.max() > MAX_DISTANCE_OUTSIDE * extent:
        raise Rejected(
            f"{outside} of {len(points)} {what} are outside the image of {size[0]} x {size[1]} pixels, "
            f"by up to {beyond.max():.0f}"
        )


def _upright_place(near: np.ndarray | None, photo: Photo) -> np.ndarray | None:
    if near is None:
        return None
    near = np.asarray(near, np.float64)
    if near.shape not in ((2,), (4,)) or not np.isfinite(near).all():
        raise Rejected(f"the place of the face is {near.tolist()}, expected 2 or 4 finite numbers")
    corners = turn_points(near.reshape(-1, 2), photo)
    return corners[0] if len(corners) == 1 else np.concatenate([corners.min(axis=0), corners.max(axis=0)])
