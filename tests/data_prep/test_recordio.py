"""RecordIO: what a writer by the format's description writes is read, and nothing else."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.recordio import MAGIC, RecordFile, read_index
from data_prep.source import Rejected
from tests.data_prep.recordio_writer import packed, part, record, write_pack

MAGIC_BYTES = MAGIC.to_bytes(4, "little")


@settings(max_examples=50)
@given(images=st.lists(st.lists(st.sampled_from([MAGIC_BYTES, b"abcd", b"x"]), max_size=6).map(b"".join), max_size=4))
def test_images_come_back_also_where_they_hold_the_magic_number(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("pack")
    write_pack(folder, [(i, packed(float(i), i, image)) for i, image in enumerate(images)])
    records = RecordFile(folder / "train.rec")
    for number, offset in read_index(folder / "train.idx").items():
        header, image = records.read(offset)
        assert (header.labels, header.number, image) == ((float(number),), number, images[number])


def test_several_labels_are_read_after_the_fixed_header(tmp_path):
    write_pack(tmp_path, [(0, packed([5.0, 7.0], 0)), (1, packed([2.0, 0.0], 1, b"image"))])
    records = pickle.loads(pickle.dumps(RecordFile(tmp_path / "train.rec")))
    offsets = read_index(tmp_path / "train.idx")
    header = records.read_header(offsets[0])
    assert (header.flag, header.labels, header.image_bytes) == (2, (5.0, 7.0), 0)
    header, image = records.read(offsets[1])
    assert (header.labels, header.image_bytes, image) == ((2.0, 0.0), 5, b"image")


def test_the_header_alone_reads_no_image(tmp_path):
    (tmp_path / "a.rec").write_bytes(record(packed(3.0, 9, bytes(10**6)))[:100])  # the rest is not there
    header = RecordFile(tmp_path / "a.rec").read_header(0)
    assert (header.labels, header.image_bytes) == ((3.0,), 10**6)


@pytest.mark.parametrize(
    ("content", "offset", "message"),
    [
        (b"", 0, "^a.rec ends before byte 8: copy or download it again$"),
        (bytes(100), 0, "^no record begins at byte 0 of a.rec: .idx is of another .rec$"),
        (record(packed(1.0, 0, b"image"))[:-8], 0, "^a.rec ends inside the record at byte 0"),
        (part(1, bytes(24)), 0, "^a.rec ends before byte 40"),
        (part(2, bytes(24)), 0, "^byte 0 of a.rec is inside a record"),
        (part(0, bytes(8)), 0, "^the record at byte 0 is too short for its header$"),
        (part(0, b"\xff\xff\xff\xff" + bytes(40)), 0, "^the record at byte 0 claims 4294967295 labels$"),
        (part(0, b"\x09\0\0\0" + bytes(40)), 0, "^the record at byte 0 claims 9 labels$"),
    ],
)
def test_damaged_records_are_rejected(tmp_path, content, offset, message):
    (tmp_path / "a.rec").write_bytes(content)
    with pytest.raises(Rejected, match=message):
        RecordFile(tmp_path / "a.rec").read(offset)


def test_an_index_of_another_form_is_refused(tmp_path):
    (tmp_path / "a.idx").write_text("0\t0\n1\tx\n")
    with pytest.raises(ValueError, match=r"a.idx, line 2: b'1\\tx\\n' is not a record number and a byte offset"):
        read_index(tmp_path / "a.idx")
