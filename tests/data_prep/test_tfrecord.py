"""TFRecord files: records are found by their lengths."""

import struct

import pytest

from data_prep.source import Rejected
from data_prep.tfrecord import read_record, record_places


def tfrecord(*messages):
    return b"".join(struct.pack("<QI", len(m), 0) + m + struct.pack("<I", 0) for m in messages)


def test_records_come_back_in_any_order(tmp_path):
    messages = [b"first", b"", b"third" * 1000]
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecord(*messages))
    places = record_places(path)
    assert [read_record(path, place) for place in reversed(places)] == messages[::-1]


def test_an_empty_file_has_no_records(tmp_path):
    (tmp_path / "a.tfrecord").write_bytes(b"")
    assert record_places(tmp_path / "a.tfrecord") == []


@pytest.mark.parametrize("length", [3, 8, 15, 20])
def test_a_file_that_ends_inside_a_record_is_refused(tmp_path, length):
    (tmp_path / "a.tfrecord").write_bytes(tfrecord(b"first", b"second")[:21] + tfrecord(b"second")[:length])
    with pytest.raises(ValueError, match="a.tfrecord ends inside record 1: copy it again, or it is no TFRecord file"):
        record_places(tmp_path / "a.tfrecord")


def test_a_record_that_is_gone_is_rejected(tmp_path):
    path = tmp_path / "a.tfrecord"
    path.write_bytes(tfrecord(b"first"))
    (place,) = record_places(path)
    path.write_bytes(b"")
    with pytest.raises(Rejected, match="^a.tfrecord ends inside the record at byte 12$"):
        read_record(path, place)
    path.unlink()
    with pytest.raises(Rejected, match="^a.tfrecord cannot be read"):
        read_record(path, place)
