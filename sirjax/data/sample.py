"""One training sample as it is stored: an aligned crop and the labels it has."""

import dataclasses

import numpy as np

from sirjax.types import NO_IDENTITY


@dataclasses.dataclass(frozen=True)
class Truth:
    """What a rendered face really is; for evaluation only, training never reads it."""

    shape: np.ndarray  # [S] whitened
    expression: np.ndarray  # [E] whitened
    rotation: np.ndarray  # [3, 3] camera_from_model
    landmarks: np.ndarray  # [68, 2] crop pixels


@dataclasses.dataclass(frozen=True)
class Sample:
    """One aligned crop, encoded, with the labels it has."""

    name: str  # unique within its folder, for messages: the photo's relative path
    image: bytes  # JPEG or PNG of the crop, RGB once decoded
    crop_from_photo: np.ndarray  # [2, 3] float64: photo pixels to crop pixels
    landmarks: np.ndarray | None = None  # [68, 2] crop pixels (u, v)
    identity: str | None = None  # the person's name
    identity_class: int = NO_IDENTITY  # row of the identity tables; given by the folder, not by the writer
    truth: Truth | None = None
