"""tensorflow-datasets' the300w_lp, written here in both of its file formats."""

import argparse
import pickle

import numpy as np
import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2

from data_prep import the300w_lp
from data_prep.source import Rejected
from data_prep.the300w_lp import FIELDS, The300WLP
from tests.data_prep.test_tfrecord import tfrecord


def message(rng, image=b"\xff\xd8\xff", **changes):
    """One record and its points in Matlab's coordinates, by field."""
    points = {field: rng.uniform(100, 300, (68, 2)).astype(np.float32) for field in FIELDS}
    example = tf_example_pb2.Example()
    fields = example.features.feature
    fields["image"].bytes_list.value.append(image)
    for field, values in (points | changes).items():
        if values is not None:
            fields[field].float_list.value.extend((values / np.float32(450)).ravel().tolist())
    return example.SerializeToString(), points


def write(root, kind, shards):
    folder = root / "the300w_lp/1.0.0"
    folder.mkdir(parents=True, exist_ok=True)
    for i, messages in enumerate(shards):
        path = folder / f"the300w_lp-train.{kind}-{i:05d}-of-{len(shards):05d}"
        if kind == "tfrecord":
            path.write_bytes(tfrecord(*messages))
        else:
            writer = ArrayRecordWriter(str(path), "group_size:1")
            for content in messages:
                writer.write(content)
            writer.close()


@pytest.mark.parametrize("kind", ["tfrecord", "array_record"])
def test_points_are_brought_back_to_pixels_of_the_photo(tmp_path, rng, kind):
    records = [message(rng, image=b"\xff\xd8\xff%d" % i) for i in range(3)]
    write(tmp_path, kind, [[records[0][0], records[1][0]], [records[2][0]]])
    for field in FIELDS:
        source = pickle.loads(pickle.dumps(The300WLP(tmp_path, landmarks=field)))
        entries = source.entries()
        assert [entry.name for entry in entries] == ["00000/000000.jpg", "00000/000001.jpg", "00001/000000.jpg"]
        for i in (2, 0, 1):
            raw = source.read(entries[i])
            assert raw.data == b"\xff\xd8\xff%d" % i
            np.testing.assert_allclose(raw.landmarks, records[i][1][field].astype(float) - 1, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"landmarks_2d": None}, r"has no landmarks_2d \(it has image, landmarks_3d, landmarks_origin\)$"),
        ({"landmarks_2d": np.zeros((21, 2))}, "^landmarks_2d of record 12 of .* has 42 numbers, not 136$"),
    ],
)
def test_records_with_wrong_fields_are_rejected(tmp_path, rng, changes, reason):
    write(tmp_path, "tfrecord", [[message(rng, **changes)[0]]])
    source = The300WLP(tmp_path)
    with pytest.raises(Rejected, match=reason):
        source.read(source.entries()[0])


def test_records_of_another_kind_are_rejected(tmp_path):
    write(tmp_path, "tfrecord", [[b"\xff\xff\xff no message"]])
    source = The300WLP(tmp_path)
    with pytest.raises(Rejected, match=r"^record 12 of the300w_lp-train.tfrecord-00000-of-00001 is no tf.Example$"):
        source.read(source.entries()[0])


def test_a_wrong_folder_names_the_command_that_makes_the_right_one(tmp_path, rng):
    with pytest.raises(FileNotFoundError, match="make them with `tfds build the300w_lp --file_format=array_record`"):
        The300WLP(tmp_path)
    with pytest.raises(ValueError, match="landmarks must be one of landmarks_2d, .*, got 'pt2d'"):
        The300WLP(tmp_path, landmarks="pt2d")
    for kind in ("tfrecord", "array_record"):
        write(tmp_path, kind, [[message(rng)[0]]])
    with pytest.raises(ValueError, match="holds the300w_lp more than once"):
        The300WLP(tmp_path)


def test_the_command_line_reaches_the_source(tmp_path, rng):
    write(tmp_path, "tfrecord", [[message(rng)[0]]])
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    the300w_lp.add_arguments(parser)
    source = the300w_lp.from_arguments(parser.parse_args([str(tmp_path), "--landmarks", "landmarks_3d"]))
    assert source.parameters["landmarks"] == "landmarks_3d"
