"""Descriptors beside records: theirs, or refused."""

import logging

import numpy as np
import pytest

from sirjax.data.pipeline import TrainingBatches
from sirjax.data.records import open_records
from sirjax.data.sources import Sources, open_sources
from sirjax.data.teacher import FILE, load_descriptors, save_descriptors
from tests.noise_records import write_noise_records


@pytest.fixture
def records(tmp_path):
    names = ["a/1", "a/2", "b/1"]
    return [open_records(write_noise_records(tmp_path / f"set{i}", names, seed=i)) for i in range(2)]


def numbered(count, first=1):
    return np.tile(np.arange(first, first + count, dtype=np.float32)[:, None], (1, 4))


def test_what_is_saved_is_loaded_also_of_several_folders(records):
    for first, own in zip((1, 4), records, strict=True):
        save_descriptors(own, numbered(3, first), "somebody")
    identity, landmark = load_descriptors([records[1], None])
    np.testing.assert_array_equal(identity, numbered(3, 4))
    assert landmark is None
    (joined,) = load_descriptors([open_records([own.path for own in records])])
    np.testing.assert_array_equal(joined, numbered(6))


def test_folders_that_no_teacher_saw_count_for_nothing_and_are_named(records, caplog):
    save_descriptors(records[1], numbered(3), "somebody")
    with caplog.at_level(logging.INFO, logger="sirjax"):
        (joined,) = load_descriptors([open_records([own.path for own in records])])
    np.testing.assert_array_equal(joined, np.concatenate([np.zeros((3, 4)), numbered(3)]))
    assert caplog.messages == [f"no teacher has seen {records[0].path}: no part in losses.teacher"]


def test_batches_hold_the_descriptors_of_their_samples(records):
    save_descriptors(records[0], numbered(3), "somebody")
    sources = open_sources(identity=str(records[0].path), teacher=True)
    batches = TrainingBatches(sources, batch_size=6, seed=0)
    batch = batches[3]
    index = batches.mixture.batch(3, 6).index
    np.testing.assert_array_equal(batch.teacher, numbered(3)[index])
    without = TrainingBatches(open_sources(identity=str(records[0].path)), batch_size=6, seed=0)[3]
    assert without.teacher is None
    np.testing.assert_array_equal(without.image, batch.image)


def test_missing_descriptors_name_the_command(records):
    message = (
        r"none of .*set0, .*set1 has a teacher.npz: write it \(python -m data_prep.teacher .*set0\), or set losses"
    )
    with pytest.raises(FileNotFoundError, match=message):
        load_descriptors(records)


def test_descriptors_of_other_records_are_refused(records):
    path = save_descriptors(records[0], numbered(3), "somebody")
    (records[1].path / FILE).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="belongs to other records: write it again"):
        load_descriptors([records[1]])


def test_different_teachers_are_refused(records):
    for own, teacher in zip(records, ("one", "two"), strict=True):
        save_descriptors(own, numbered(3), teacher)
    message = r"seen by different teachers, one \(of 4 numbers\) and two \(of 4 numbers\): use one"
    for kinds in ([open_records([own.path for own in records])], records):
        with pytest.raises(ValueError, match=message):
            load_descriptors(kinds)
    with pytest.raises(ValueError, match=r"one size, got \[2, 4\]: use one teacher"):
        Sources(identity_teacher=np.zeros((3, 4)), landmark_teacher=np.zeros((3, 2)))


def test_pickles_and_wrong_sizes_are_refused(records):
    path = records[0].path / FILE
    np.savez(path, descriptors=np.array([{}], object), content_sha256="x", teacher="y")
    with pytest.raises(ValueError, match="is no file of descriptors"):
        load_descriptors([records[0]])
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="is no file of descriptors"):
        load_descriptors([records[0]])
    with pytest.raises(ValueError, match=r"needs 3 rows of finite numbers, got an array \[2, 4\]"):
        save_descriptors(records[0], numbered(2), "somebody")
    np.savez(path, descriptors=np.zeros(3), content_sha256=records[0].manifest["content_sha256"], teacher="y")
    with pytest.raises(ValueError, match=r"holds float64 \[3\], need float32 \[3, D\]: write it again"):
        load_descriptors([records[0]])
