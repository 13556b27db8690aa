"""Finds faces that a data set holds twice.

Two entries are the same face if their images are equal byte for byte and their crops overlap (a photo of two people may
be listed once for each). Equal labels: the first entry stays. Different identities or landmarks: nobody knows which is
right, so all of them go.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np

from data_prep.parts import Row, read_digests, read_part
from sirjax.constants import IMAGE_SIZE
from sirjax.data import alignment
from sirjax.data.sample import Sample

SAME_PLACE = 0.25  # of the crop's width, between the centers of two crops of one face
SAME_LANDMARKS = 2.0  # crop pixels, mean distance


def find_duplicates(paths: list[Path]) -> dict[str, str]:
    """Name -> reason of the samples to leave out. Memory: 33 bytes per entry, and the repeated ones of them.

    Args:
      paths: the files of all parts, in order.
    """
    repeated = _repeated(paths)
    groups: dict[bytes, list[Sample]] = defaultdict(list)
    for index, positions in repeated.items():
        rows = read_part(paths[index])
        for row in (rows[position] for position in positions):
            groups[row.digest].append(_without_image(row))
    reasons: dict[str, str] = {}
    for group in groups.values():
        for faces in _same_faces(group):
            reasons |= _judge(faces)
    return reasons


def _repeated(paths: list[Path]) -> dict[int, list[int]]:
    """Part -> positions of samples whose digest occurs more than once."""
    digests, owners = [], []
    for index, path in enumerate(paths):
        digest, accepted = read_digests(path)
        position = np.flatnonzero(accepted)
        digests.append(digest[position])
        owners.append(np.stack([np.full(len(position), index), position], axis=1))
    if not digests:
        return {}
    keys = np.ascontiguousarray(np.concatenate(digests)).view("V32").ravel()
    _, number, count = np.unique(keys, return_inverse=True, return_counts=True)
    found: dict[int, list[int]] = defaultdict(list)
    for index, position in np.concatenate(owners)[count[number] > 1].tolist():
        found[index].append(position)
    return found


def _without_image(row: Row) -> Sample:
    sample = row.sample
    if sample is None:
        raise ValueError(f"{row.name} has no sample to compare")
    return Sample(sample.name, b"", sample.crop_from_photo, sample.landmarks, sample.identity)


def _same_faces(samples: list[Sample]) -> list[list[Sample]]:
    """Splits samples of one image into faces; every face keeps the order of its samples."""
    faces: list[list[Sample]] = []
    for sample in samples:
        face = next((face for face in faces if _same_place(face[0], sample)), None)
        if face is None:
            faces.append([sample])
        else:
            face.append(sample)
    return faces


def _same_place(a: Sample, b: Sample) -> bool:
    center = (np.array(IMAGE_SIZE[::-1]) - 1) / 2
    b_center = alignment.transform_points(alignment.invert(b.crop_from_photo), center)
    offset = alignment.transform_points(a.crop_from_photo, b_center) - center
    return float(np.hypot(*offset)) < SAME_PLACE * IMAGE_SIZE[1]


def _judge(face: list[Sample]) -> dict[str, str]:
    first = face[0]
    other = next((sample for sample in face[1:] if _conflict(first, sample)), None)
    if other is None:
        return {sample.name: f"repeated: the same image as {first.name}" for sample in face[1:]}
    reasons = {sample.name: _conflict_reason(sample, first) for sample in face[1:]}
    return {first.name: _conflict_reason(first, other)} | reasons


def _conflict(a: Sample, b: Sample) -> bool:
    if a.identity != b.identity:
        return True
    if a.landmarks is None or b.landmarks is None:
        return False
    return float(np.linalg.norm(a.landmarks - b.landmarks, axis=1).mean()) > SAME_LANDMARKS


def _conflict_reason(sample: Sample, other: Sample) -> str:
    if sample.identity != other.identity:
        return f"conflicting labels: the same image is {other.name}, of {other.identity}"
    return f"conflicting labels: the same image is {other.name}, and one of them has other labels"
