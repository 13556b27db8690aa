"""Small samples and records folders for the tests of the data package."""

import cv2
import numpy as np

from sirjax.constants import IMAGE_SIZE
from sirjax.data import images
from sirjax.data.sample import Sample, Truth
from sirjax.data.writing import write_records


def picture(seed=0):
    """A smooth random crop: JPEG keeps it almost as it is."""
    noise = np.random.default_rng(seed).integers(0, 256, (14, 12, 3), dtype=np.uint8)
    return cv2.resize(noise, IMAGE_SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def sample(number=0, *, person=None, landmarks=False, truth=False, quality=None):
    rng = np.random.default_rng(number)
    return Sample(
        name=f"photos/{number:04d}.jpg",
        image=images.encode_image(picture(number), quality=quality),
        crop_from_photo=rng.normal(size=(2, 3)) * 1000,
        landmarks=rng.uniform(0, 96, (68, 2)).astype(np.float32) if landmarks else None,
        identity=person,
        truth=Truth(
            shape=rng.normal(size=5).astype(np.float32),
            expression=rng.normal(size=3).astype(np.float32),
            rotation=np.eye(3, dtype=np.float32),
            landmarks=rng.uniform(0, 96, (68, 2)).astype(np.float32),
        )
        if truth
        else None,
    )


def identity_records(path, people=5, photos=4):
    return write_records(path, [sample(i, person=f"p{i // photos}") for i in range(people * photos)])


def landmark_records(path, count=15):
    return write_records(path, [sample(1000 + i, landmarks=True) for i in range(count)])
