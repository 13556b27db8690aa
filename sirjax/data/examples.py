"""Sample <-> the tf.Example message it is stored as, and the description tensorflow-datasets reads it by.

The messages are packed and parsed here directly: 9 us per sample, where tensorflow-datasets' generic features take 120.
"""

from pathlib import Path
from typing import Any

import numpy as np

from sirjax.data.sample import Sample, Truth
from sirjax.types import NUM_LANDMARKS

FORMAT_VERSION = "1.0.0"
DATASET_NAME = "sirjax_records"
SPLIT = "samples"
DESCRIPTION = "Face crops aligned to the 112x96 five-point template, with the labels they have (see manifest.json)."
_FLOATS = ("landmarks", "truth_shape", "truth_expression", "truth_rotation", "truth_landmarks")


def to_message(sample: Sample) -> bytes:
    """Serializes a sample. The same sample always gives the same bytes."""
    from tensorflow_datasets.proto import tf_example_pb2

    example = tf_example_pb2.Example()
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


def from_message(message: bytes) -> Sample:
    """The sample of a stored message; its identity class is the folder's to give."""
    from tensorflow_datasets.proto import tf_example_pb2

    fields = tf_example_pb2.Example.FromString(message).features.feature
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
        truth=truth,
    )


def layout(sample: Sample) -> dict[str, tuple[int, ...] | str]:
    """Which fields a sample has and of what size; every sample of a folder must have the same."""
    fields: dict[str, tuple[int, ...] | str] = {"image": _encoding(sample)}
    if sample.identity is not None:
        fields["identity"] = ()
    fields.update({key: np.shape(value) for key, value in _float_fields(sample).items()})
    return fields


def write_description(
    folder: Path, fields: dict[str, Any], image_shape: tuple[int, int, int], shard_lengths: list[int], num_bytes: int
) -> None:
    """Writes features.json and dataset_info.json, by which tensorflow-datasets opens the folder."""
    import tensorflow_datasets as tfds

    features: dict[str, Any] = {
        "name": tfds.features.Text(doc="Unique name of the sample."),
        "image": tfds.features.Image(
            shape=image_shape, encoding_format=fields["image"], doc="The aligned crop, RGB once decoded."
        ),
        "crop_from_photo": tfds.features.Tensor(
            shape=(2, 3), dtype=np.float64, encoding="bytes", doc="Photo pixels to crop pixels."
        ),
    }
    documents = {
        "landmarks": "68 iBUG landmarks (u, v) in crop pixels; the center of the top-left pixel is (0, 0).",
        "truth_shape": "Whitened shape coefficients the face was rendered with.",
        "truth_expression": "Whitened expression coefficients the face was rendered with.",
        "truth_rotation": "Rotation camera_from_model the face was rendered with.",
        "truth_landmarks": "Projected landmarks (u, v) in crop pixels, also where they are not given as labels.",
    }
    if "identity" in fields:
        features["identity"] = tfds.features.Text(doc="Name of the person; classes are listed in manifest.json.")
    for key, text in documents.items():
        if key in fields:
            features[key] = tfds.features.Tensor(shape=fields[key], dtype=np.float32, doc=text)
    info = tfds.core.DatasetInfo(
        builder=tfds.core.dataset_info.DatasetIdentity(
            name=DATASET_NAME, version=tfds.core.Version(FORMAT_VERSION), data_dir=str(folder), module_name=""
        ),
        features=tfds.features.FeaturesDict(features),
        description=DESCRIPTION,
        disable_shuffling=True,  # the order on disk is the order of writing
    )
    info.set_file_format("array_record")
    template = tfds.core.ShardedFileTemplate(
        dataset_name=DATASET_NAME, data_dir=str(folder), split=SPLIT, filetype_suffix="array_record"
    )
    split = tfds.core.SplitInfo(
        name=SPLIT, shard_lengths=shard_lengths, num_bytes=num_bytes, filename_template=template
    )
    info.set_splits(tfds.core.splits.SplitDict([split]))
    info.write_to_directory(str(folder))


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
