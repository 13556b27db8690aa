import json
import subprocess
import sys

from sirjax.data.writing import write_records
from tests.data.samples import sample

READ_WITH_TFDS = """
import json, sys
import numpy as np
import tensorflow_datasets as tfds

source = tfds.builder_from_directory(sys.argv[1]).as_data_source("samples")
item = source[1]
print(json.dumps({
    "length": len(source),
    "shapes": {key: list(np.shape(value)) for key, value in item.items()},
    "name": item["name"].decode(),
    "identity": item["identity"].decode(),
    "matrix": item["crop_from_photo"].tolist(),
    "red": float(item["image"][..., 0].mean()),
    "landmark": item["landmarks"][67].tolist(),
    "tensorflow": "tensorflow" in sys.modules,
}))
"""


def test_tensorflow_datasets_opens_the_folder_without_tensorflow(tmp_path):
    given = [sample(i, person="Ada", landmarks=True, truth=True) for i in range(2)]
    records = write_records(tmp_path / "set", given)
    answer = subprocess.run(
        [sys.executable, "-c", READ_WITH_TFDS, str(records.path)], capture_output=True, text=True, check=True
    )
    found = json.loads(answer.stdout)
    assert found["length"] == 2
    assert found["shapes"] == {
        "name": [],
        "image": [112, 96, 3],
        "crop_from_photo": [2, 3],
        "identity": [],
        "landmarks": [68, 2],
        "truth_shape": [5],
        "truth_expression": [3],
        "truth_rotation": [3, 3],
        "truth_landmarks": [68, 2],
    }
    assert (found["name"], found["identity"]) == (given[1].name, "Ada")
    assert found["matrix"] == given[1].crop_from_photo.tolist()
    assert found["landmark"] == given[1].landmarks[67].tolist()
    assert not found["tensorflow"]
