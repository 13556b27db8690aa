"""One training sample, and the tf.Example message it is stored as.

The messages are packed and parsed here directly: 9 us per sample, where tensorflow-datasets' generic features take 120.
"""

import dataclasses
from typing import Any

import numpy as np

from sirjax.constants import NO_IDENTITY, NUM_LANDMARKS

FORMAT_VERSION = "1.0.0"
DATASET_NAME = "sirjax_records"
SPLIT = "samples"
_FLOATS = ("landmarks", "truth_shape", "truth_expression", "truth_rotation", "truth_landmarks")


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


def load_format() -> Any:
    """The class of the messages, imported on the first call: make it before several threads read.

    Two threads that import tensorflow-datasets for the first time at once wait for each other for ever: its lazy
    modules lock in one order, imports in the other.
    """
    from tensorflow_datasets.proto import tf_example_pb2

    return tf_example_pb2.Example  # asking for it is what imports it


def to_message(sample: Sample) -> bytes:
    """Serializes a sample. The same sample always gives the same bytes."""
    example = load_format()()
    fields = example.features.feature
    fields["name"].bytes_list.value.append(sample.name.encode())
    fields["image"].bytes_list.value.append(sample.image)
    # As bytes: float lists are float32, too coarse to carry points of a large photo to the crop and back.
    matrix = np.ascontiguousarray(sample.crop_from_photo, "<f8")
    fields["crop_from_photo"].bytes_list.value.append(matrix.tobytes())
    if sample.identity is not None:
        fields["identity"].bytes_list.value.append(sample.identity.encode())
    for key, value in _float_fields(sample).items():
        fields[key].float_list.value.extend(np.asarray(value, np.float32).ravel().tolist())
    return example.SerializeToString(deterministic=True)


def from_message(message: bytes, identity_class: int = NO_IDENTITY) -> Sample:
    """The sample of a stored message; its identity class is the folder's to give."""
    fields = load_format().FromString(message).features.feature
    floats = {key: np.array(fields[key].float_list.value, np.float32) for key in _FLOATS if key in fields}
    truth = None
    if "truth_shape" in floats:
        truth = Truth(
            shape=floats["truth_shape"],
            expression=floats["truth_expression"],
            rotation=floats["truth_rotation"].reshape(3, 3),
            landmarks=floats["truth_landmarks"].reshape(NUM_LANDMARKS, 2),
        )
    return Sample(
        name=fields["name"].bytes_list.value[0].decode(),
        image=fields["image"].bytes_list.value[0],
        crop_from_photo=np.frombuffer(fields["crop_from_photo"].bytes_list.value[0], "<f8").reshape(2, 3),
        landmarks=floats["landmarks"].reshape(NUM_LANDMARKS, 2) if "landmarks" in floats else None,
        identity=fields["identity"].bytes_list.value[0].decode() if "identity" in fields else None,
        identity_class=identity_class,
        truth=truth,
    )


def layout(sample: Sample) -> dict[str, tuple[int, ...] | str]:
    """Which fields a sample has and of what size; every sample of a folder must have the same."""
    fields: dict[str, tuple[int, ...] | str] = {"image": _encoding(sample)}
    if sample.identity is not None:
        fields["identity"] = ()
    fields.update({key: np.shape(value) for key, value in _float_fields(sample).items()})
    return fields


def _float_fields(sample: Sample) -> dict[str, np.ndarray]:
    fields = {} if sample.landmarks is None else {"landmarks": sample.landmarks}
    if sample.truth is not None:
        fields |= {
            "truth_shape": sample.truth.shape,
            "truth_expression": sample.truth.expression,
            "truth_rotation": sample.truth.rotation,
            "truth_landmarks": sample.truth.landmarks,
        }
    return fields


def _encoding(sample: Sample) -> str:
    if sample.image.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if sample.image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    raise ValueError(f"the image of sample {sample.name!r} is neither JPEG nor PNG: encode it before writing")
