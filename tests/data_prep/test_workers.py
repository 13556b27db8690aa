import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from data_prep import workers
from data_prep.part_worker import Settings
from data_prep.parts import PartsError, read_part
from data_prep.source import Entry, RawImage
from data_prep.workers import DIED, LOST_DISK_ROWS, Task, make_parts
from tests.data_prep.photos import drawn_face


@dataclass
class Perilous:
    """Drawn faces; reading some of them ends the process, others cannot be read."""

    deadly: tuple = ()
    unreadable: tuple = ()
    parameters: dict = field(default_factory=dict)

    def read(self, entry):
        number = int(entry.name)
        if number in self.deadly:
            os._exit(139)
        if number in self.unreadable:
            raise OSError(5, "Input/output error")
        image, landmarks = drawn_face(number)
        return RawImage(pixels=image, landmarks=landmarks)


def tasks(folder, count, size):
    entries = [Entry(f"{number:03d}") for number in range(count)]
    return [
        Task(index, folder / f"part-{index}", entries[start : start + size])
        for index, start in enumerate(range(0, count, size))
    ]


def rows(folder):
    return {row.name: row for path in sorted(Path(folder).iterdir()) for row in read_part(path)}


def test_an_image_that_ends_its_process_is_rejected_and_no_other(tmp_path):
    made = list(make_parts(Perilous(deadly=(2,)), tasks(tmp_path, 5, 3), Settings(), workers=1))
    assert sorted((part.index, part.entries, part.rejected) for part in made) == [(0, 3, 1), (1, 2, 0)]
    got = rows(tmp_path)
    assert got["002"].reason == DIED
    assert [name for name, row in got.items() if row.sample is None] == ["002"]


@dataclass
class Stillborn(Perilous):
    """Ends every process it comes to."""

    def __setstate__(self, state):
        os._exit(1)


def test_processes_that_end_by_themselves_stop_the_run_and_blame_no_image(tmp_path):
    with pytest.raises(PartsError, match="a worker process ended, not by an image it was reading: see its message"):
        list(make_parts(Stillborn(), tasks(tmp_path, 2, 1), Settings(), workers=1))
    assert list(tmp_path.iterdir()) == []


def test_a_lost_disk_stops_the_run_instead_of_rejecting_everything(tmp_path):
    source = Perilous(unreadable=range(LOST_DISK_ROWS))
    with pytest.raises(PartsError, match=f"none of {LOST_DISK_ROWS} images in a row can be read .000: the file cannot"):
        list(make_parts(source, tasks(tmp_path, LOST_DISK_ROWS, LOST_DISK_ROWS), Settings(), workers=1))
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_cannot_be_written_stops_the_run(tmp_path):
    with pytest.raises(PartsError, match="cannot write to .*gone .No such file or directory"):
        list(make_parts(Perilous(), tasks(tmp_path / "gone", 1, 1), Settings(), workers=1))


def test_the_environment_is_put_back(monkeypatch):
    monkeypatch.setenv("NPROC", "7")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    with workers._environment({"NPROC": "1", "OMP_NUM_THREADS": "1"}):
        assert (os.environ["NPROC"], os.environ["OMP_NUM_THREADS"]) == ("1", "1")
    assert os.environ["NPROC"] == "7"
    assert "OMP_NUM_THREADS" not in os.environ
