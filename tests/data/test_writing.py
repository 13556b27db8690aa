import dataclasses
import json

import numpy as np
import pytest

from sirjax.data.records import open_records
from sirjax.data.writing import RecordWriter, write_records
from tests.data.samples import sample


def folder_bytes(path):
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_the_same_samples_give_the_same_bytes(tmp_path):
    given = [sample(i, person=f"p{i % 2}", landmarks=True) for i in range(4)]
    first = write_records(tmp_path / "a", given, parameters={"seed": 1})
    second = write_records(tmp_path / "b", given, parameters={"seed": 1})
    assert folder_bytes(first.path) == folder_bytes(second.path)


def test_the_manifest_says_what_is_in_and_what_is_not(tmp_path):
    with RecordWriter(tmp_path / "a", parameters={"preparer": "test", "seed": 7}) as writer:
        for i, person in enumerate(("Eve", "Ada", "Eve")):
            writer.add(sample(i, person=person))
        writer.reject("z.jpg", "no face")
        writer.reject("b.jpg", "too small")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["samples"] == 3
    assert manifest["identities"] == ["Eve", "Ada"]
    assert manifest["num_identities"] == 2
    assert manifest["parameters"] == {"preparer": "test", "seed": 7}
    assert manifest["rejected_count"] == 2
    assert manifest["rejected"] == {"b.jpg": "too small", "z.jpg": "no face"}
    assert not manifest["has_landmarks"]
    assert not manifest["has_truth"]
    assert len(manifest["content_sha256"]) == 64


def test_samples_keep_their_order_over_shards(tmp_path):
    with RecordWriter(tmp_path / "a", shard_bytes=1) as writer:
        for i in range(5):
            writer.add(sample(i))
    records = open_records(tmp_path / "a", verify=True)
    assert len(records.manifest["shards"]) == 5
    assert [item.name for item in records] == [sample(i).name for i in range(5)]


def test_names_in_order_need_not_be_remembered(tmp_path):
    with RecordWriter(tmp_path / "a", in_order=True) as writer:
        writer.add(sample(1))
        writer.add(sample(3))
        assert not writer._names
        with pytest.raises(ValueError, match="sample 'photos/0002.jpg' follows 'photos/0003.jpg': sort them"):
            writer.add(sample(2))
        with pytest.raises(ValueError, match="two samples are named 'photos/0003.jpg'"):
            writer.add(sample(3))
    assert len(open_records(tmp_path / "a")) == 2


def test_files_of_the_set_lie_beside_its_samples(tmp_path):
    with RecordWriter(tmp_path / "a", origin={"entries": 3}) as writer:
        writer.add(sample(1))
        writer.add_file("pairs.tsv", "ö\t写\n")
        for name in ("../pairs.tsv", "manifest.json", "identity_class.npy", "x.array_record-0"):
            with pytest.raises(ValueError, match="a file beside records cannot be named"):
                writer.add_file(name, "")
    assert (tmp_path / "a" / "pairs.tsv").read_text(encoding="utf-8") == "ö\t写\n"
    assert open_records(tmp_path / "a").manifest["origin"] == {"entries": 3}


def test_records_can_be_built_in_a_given_folder(tmp_path):
    with RecordWriter(tmp_path / "a", scratch=tmp_path / "scratch" / "b") as writer:
        writer.add(sample(1))
        assert (tmp_path / "scratch" / "b" / "shard-0").is_file()
    assert len(open_records(tmp_path / "a")) == 1
    assert not (tmp_path / "scratch" / "b").exists()


def test_a_disk_that_takes_no_more_is_an_os_error_and_leaves_nothing(tmp_path, monkeypatch):
    class FullDisk:
        def write(self, message):
            raise RuntimeError("write() failed: No space left on device")

        def close(self):
            raise RuntimeError("write() failed: No space left on device")

    def write():
        with RecordWriter(tmp_path / "a") as writer:
            writer.add(sample(1))
            writer._shard = FullDisk()
            writer.add(sample(2))

    with pytest.raises(OSError, match="No space left on device"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_writer_leaves_nothing(tmp_path, error):
    def samples():
        yield sample(0)
        raise error("stop")

    with pytest.raises(error, match="stop"):
        write_records(tmp_path / "sub" / "a", samples())
    assert list((tmp_path / "sub").iterdir()) == []


def test_existing_records_are_replaced_only_on_demand_and_only_when_complete(tmp_path):
    write_records(tmp_path / "a", [sample(0)])
    with pytest.raises(FileExistsError, match="already holds records: choose another name, or ask to overwrite"):
        write_records(tmp_path / "a", [sample(1)])
    with pytest.raises(ValueError, match="two samples"):
        write_records(tmp_path / "a", [sample(1), sample(1)], overwrite=True)
    assert [item.name for item in open_records(tmp_path / "a")] == [sample(0).name]
    write_records(tmp_path / "a", [sample(1), sample(2)], overwrite=True)
    assert [item.name for item in open_records(tmp_path / "a")] == [sample(1).name, sample(2).name]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_holds_something_else_is_never_replaced(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("")
    with pytest.raises(FileExistsError, match="exists and is no records folder"):
        write_records(tmp_path / "a", [sample(0)], overwrite=True)


def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path / "a").mkdir()
    assert len(write_records(tmp_path / "a", [sample(0)])) == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (sample(0), "two samples are named 'photos/0000.jpg'"),
        (sample(1, landmarks=True), "write samples with different labels to different folders"),
        (sample(1, person="x"), "write samples with different labels to different folders"),
        (sample(1, quality=90), "write samples with different labels to different folders"),
        (sample(1, person=""), "has an empty identity"),
        (dataclasses.replace(sample(1), crop_from_photo=np.eye(3)), r"is \(3, 3\), not \(2, 3\)"),
        (dataclasses.replace(sample(1), landmarks=np.zeros((5, 2))), "are not 68 finite points"),
        (dataclasses.replace(sample(1), landmarks=np.full((68, 2), np.nan)), "are not 68 finite points"),
    ],
)
def test_samples_that_do_not_fit_are_refused(tmp_path, second, message):
    with pytest.raises(ValueError, match=message):
        write_records(tmp_path / "a", [sample(0), second])
    assert list(tmp_path.iterdir()) == []
