import errno
import os

import numpy as np
import pytest

from data_prep.parts import PartsError, PartStore, Row, read_digests, read_part, write_part
from tests.data.samples import sample

ROWS = [
    Row("photos/0000.jpg", bytes(range(32)), sample(0, person="ö", landmarks=True)),
    Row("b/写.jpg", bytes(32), reason="the file is empty"),
    Row("photos/0002.jpg", bytes(range(1, 33)), sample(2, person="ada", landmarks=True)),
]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_rows_come_back_as_written(tmp_path):
    write_part(tmp_path / "part", ROWS)
    for got, row in zip(read_part(tmp_path / "part"), ROWS, strict=True):
        assert (got.name, got.digest, got.reason) == (row.name, row.digest, row.reason)
        assert (got.sample is None) == (row.sample is None)
        if row.sample is not None:
            assert (got.sample.name, got.sample.identity, got.sample.image) == (
                row.sample.name,
                row.sample.identity,
                row.sample.image,
            )
            np.testing.assert_array_equal(got.sample.crop_from_photo, row.sample.crop_from_photo)
            np.testing.assert_array_equal(got.sample.landmarks, row.sample.landmarks)
    digests, accepted = read_digests(tmp_path / "part")
    assert [digest.tobytes() for digest in digests] == [row.digest for row in ROWS]
    assert accepted.tolist() == [True, False, True]


def test_a_part_without_samples_comes_back(tmp_path):
    write_part(tmp_path / "part", [ROWS[1]])
    assert read_part(tmp_path / "part") == [ROWS[1]]


@pytest.mark.parametrize("damage", [lambda data: data[:-30], lambda data: b"", lambda data: b"x" * 100])
def test_a_damaged_part_is_named(tmp_path, damage):
    write_part(tmp_path / "part", ROWS)
    (tmp_path / "part").write_bytes(damage((tmp_path / "part").read_bytes()))
    for read in (read_part, read_digests):
        with pytest.raises(PartsError, match="part is damaged .*: delete it and start the same command again"):
            read(tmp_path / "part")


def test_parts_of_the_same_input_are_found_again(tmp_path):
    with PartStore(tmp_path / "out", "same") as store:
        write_part(store.path(3), ROWS)
        assert store.folder == tmp_path / ".out.parts"
    with PartStore(tmp_path / "out", "same") as store:
        assert store.done() == {3}
        store.remove()
    assert names(tmp_path) == []


def test_parts_of_other_input_are_refused_or_dropped_never_mixed_in(tmp_path):
    with PartStore(tmp_path / "out", "one") as store:
        write_part(store.path(0), ROWS)
    with (
        pytest.raises(PartsError, match="holds an unfinished preparation of other input or settings: finish it"),
        PartStore(tmp_path / "out", "two"),
    ):
        pass
    with PartStore(tmp_path / "out", "one") as store:
        assert store.done() == {0}
    with PartStore(tmp_path / "out", "two", drop_others=True) as store:
        assert store.done() == set()
    with PartStore(tmp_path / "out", "two") as store:
        assert store.done() == set()


def test_what_a_killed_process_was_writing_is_cleared_away(tmp_path):
    with PartStore(tmp_path / "out", "same") as store:
        (store.folder / "tmpabc").write_bytes(b"half a part")
        (store.folder / "tmp-records").mkdir()
        (store.folder / "tmp-records" / "shard-0").write_bytes(b"half a shard")
    with PartStore(tmp_path / "out", "same") as store:
        assert names(store.folder) == ["fingerprint", "lock"]


def test_two_preparations_of_one_target_are_refused(tmp_path):
    with (
        PartStore(tmp_path / "out", "same"),
        pytest.raises(PartsError, match="another process is preparing .*out: wait for it, or end it"),
        PartStore(tmp_path / "out", "same"),
    ):
        pass
    with PartStore(tmp_path / "out", "same"):
        pass  # free again


def test_a_target_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PartsError, match=r"cannot write to .*file.* \(.*\): choose another place for the records"),
        PartStore(tmp_path / "file" / "out", "same"),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_no_half_part_is_left_on_a_full_or_read_only_disk(tmp_path, monkeypatch, code, call):
    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(PartsError, match=rf"cannot write to .* \({os.strerror(code)}\): make room or mend"):
        write_part(tmp_path / "part-00000000", ROWS)
    assert names(tmp_path) == []
