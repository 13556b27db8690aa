import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow_datasets as tfds

import sirjax.data.registered
from sirjax.data.images import decode_image
from sirjax.data.records import open_records
from tests.data.samples import identity_records, landmark_records


def test_the_registered_name_opens_any_records_folder(tmp_path):
    for records in (
        identity_records(tmp_path / "people", people=2, photos=2),
        landmark_records(tmp_path / "points", 3),
    ):
        source = tfds.data_source("sirjax_records", split="samples", data_dir=records.path)
        assert len(source) == len(records)
        for item, sample in zip(source, records, strict=True):
            assert item["name"].decode() == sample.name
            np.testing.assert_array_equal(item["crop_from_photo"], sample.crop_from_photo)
            np.testing.assert_allclose(item["image"].astype(int), decode_image(sample.image), atol=2)
            if sample.landmarks is not None:
                np.testing.assert_array_equal(item["landmarks"], sample.landmarks)
            else:
                assert item["identity"].decode() == sample.identity


def test_the_builder_reaches_the_workers_of_a_data_loader(tmp_path):
    landmark_records(tmp_path / "points", 3)
    builder = tfds.builder("sirjax_records", data_dir=tmp_path / "points")
    assert len(pickle.loads(pickle.dumps(builder)).as_data_source("samples")) == 3


def test_other_folders_are_refused(tmp_path):
    with pytest.raises(ValueError, match="sirjax_records needs data_dir: the records folder"):
        tfds.builder("sirjax_records")
    with pytest.raises(ValueError, match=r"has no manifest.json: it is not a records folder"):
        tfds.builder("sirjax_records", data_dir=tmp_path)


def test_tensorflow_is_not_imported(tmp_path):
    landmark_records(tmp_path / "points", 2)
    code = (
        "import sys, sirjax.data.registered, tensorflow_datasets as tfds\n"
        f"source = tfds.data_source('sirjax_records', split='samples', data_dir={str(tmp_path / 'points')!r})\n"
        "assert source[1]['image'].shape == (112, 96, 3)\n"
        "assert 'tensorflow' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_name_is_that_of_the_files(tmp_path):
    records = landmark_records(tmp_path / "points", 2)
    assert sirjax.data.registered.SirjaxRecords.name == "sirjax_records"
    assert all(shard["file"].startswith("sirjax_records-") for shard in open_records(records.path).manifest["shards"])
