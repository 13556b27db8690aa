"""How tensorflow-datasets is told about a records folder: features.json and dataset_info.json."""

from pathlib import Path
from typing import Any

import numpy as np

from sirjax.data.sample import DATASET_NAME, FORMAT_VERSION, SPLIT

DESCRIPTION = "Face crops aligned to the 112x96 five-point template, with the labels they have (see manifest.json)."


def write(
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
        dataset_name=DATASET_NAME, data_dir=tfds.core.Path(folder), split=SPLIT, filetype_suffix="array_record"
    )
    split = tfds.core.SplitInfo(
        name=SPLIT, shard_lengths=shard_lengths, num_bytes=num_bytes, filename_template=template
    )
    info.set_splits(tfds.core.splits.SplitDict([split]))
    info.write_to_directory(str(folder))
