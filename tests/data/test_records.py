import json
import pickle

import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.data.records import RecordsError, open_records
from sirjax.data.writing import RecordWriter
from tests.data.samples import identity_records, landmark_records, sample


def test_samples_come_back_by_number_with_their_class(tmp_path):
    records = identity_records(tmp_path / "a", people=3, photos=2)
    assert len(records) == 6
    assert records.num_identities == 3
    assert records.identities == ["p0", "p1", "p2"]
    np.testing.assert_array_equal(records.identity_class, [0, 0, 1, 1, 2, 2])
    assert (records[3].name, records[3].identity, records[3].identity_class) == (sample(3).name, "p1", 1)
    with pytest.raises(IndexError, match=r"sample 6 of .*, which has 6"):
        records[6]


def test_samples_without_identity_have_no_class(tmp_path):
    records = landmark_records(tmp_path / "a", count=2)
    assert records.num_identities == 0
    assert records.has_landmarks
    assert records[0].identity_class == NO_IDENTITY


def test_several_samples_at_once_are_those_asked_for_one_by_one(tmp_path):
    with RecordWriter(tmp_path / "a", shard_bytes=1) as writer:  # every sample in a file of its own
        for number in range(4):
            writer.add(sample(number, person=f"p{number}"))
    joined = open_records([tmp_path / "a", identity_records(tmp_path / "b", people=2, photos=2).path])
    for records, wanted in ((joined.parts[0], [3, 0, 3, 1]), (joined, [7, 0, 5, 3, 3, 4]), (joined, [])):
        for several, single in zip(records.__getitems__(wanted), map(records.__getitem__, wanted), strict=True):
            assert (several.name, several.image) == (single.name, single.image)
            assert (several.identity, several.identity_class) == (single.identity, single.identity_class)
        with pytest.raises(IndexError, match=f"samples 0 to {len(records)} of .*, which has {len(records)}"):
            records.__getitems__([len(records), 0])


def test_records_can_be_sent_to_another_process(tmp_path):
    records = identity_records(tmp_path / "a", people=3, photos=2)
    for source in (records, open_records([records.path, landmark_records(tmp_path / "b", 2).path])):
        copy = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(copy.identity_class, source.identity_class)
        assert copy[3].image == source[3].image


def test_joined_folders_number_their_people_one_after_the_other(tmp_path):
    first, second = identity_records(tmp_path / "a", 2, 2), identity_records(tmp_path / "b", 3, 1)
    joined = open_records([first.path, second.path])
    assert len(joined) == 7
    assert joined.identities == ["a/p0", "a/p1", "b/p0", "b/p1", "b/p2"]
    np.testing.assert_array_equal(joined.identity_class, [0, 0, 1, 1, 2, 3, 4])
    assert [item.identity_class for item in joined] == joined.identity_class.tolist()
    assert joined[5].name == second[1].name
    assert not joined.has_landmarks


def shard(path):
    return next(path.glob("*.array_record-*"))


def cut_short(path):
    shard(path).write_bytes(shard(path).read_bytes()[:70000])


def change(path, **values):
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | values))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_short, r"has 70000 bytes, its manifest says \d+: it was cut short or changed; copy or write"),
        (lambda path: shard(path).unlink(), "is missing: copy the whole folder, or write it again"),
        (lambda path: shard(path).write_bytes(bytes(shard(path).stat().st_size)), "0 readable samples instead of 4"),
        (lambda path: change(path, format_version="0.1.0"), "records of format 0.1.0, this sirjax reads 1.0.0"),
        (lambda path: (path / "manifest.json").write_text("{"), "manifest.json is not JSON .*: write the folder again"),
        (lambda path: (path / "manifest.json").unlink(), "has no manifest.json: it is not a records folder"),
        (lambda path: (path / "identity_class.npy").write_bytes(b""), "identity_class.npy cannot be read"),
        (lambda path: np.save(path / "identity_class.npy", np.zeros(3, np.int32)), r"lists \(3,\) samples, .* 4"),
    ],
)
def test_a_damaged_folder_says_what_is_wrong_and_what_to_do(tmp_path, damage, message):
    path = identity_records(tmp_path / "a", 2, 2).path
    damage(path)
    with pytest.raises(RecordsError, match=message):
        open_records(path)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RecordsError, match=r"nowhere is not a folder: make records with `sirjax prepare`"):
        open_records(tmp_path / "nowhere")
    with pytest.raises(RecordsError, match="give at least one"):
        open_records([])


def test_an_empty_set_is_refused_on_opening(tmp_path):
    with RecordWriter(tmp_path / "a") as writer:
        writer.reject("a.jpg", "no face")
    with pytest.raises(RecordsError, match=r"holds no samples: see 'rejected' in its manifest.json"):
        open_records(tmp_path / "a")


def test_verification_notices_other_content(tmp_path):
    path = identity_records(tmp_path / "a", 2, 2).path
    open_records(path, verify=True)
    change(path, content_sha256="0" * 64)
    with pytest.raises(RecordsError, match="not those its manifest was written for"):
        open_records(path, verify=True)


def test_a_flipped_byte_is_reported_with_the_sample(tmp_path):
    path = identity_records(tmp_path / "a", 2, 2).path
    data = bytearray(shard(path).read_bytes())
    data[data.index(b"photos/0001.jpg") + 2] ^= 255
    shard(path).write_bytes(bytes(data))
    records = open_records(path)
    with pytest.raises(RecordsError, match=r"sample 1 of .* cannot be read .*: write the folder again"):
        records[1]
