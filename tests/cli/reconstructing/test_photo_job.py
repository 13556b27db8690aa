import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sirjax.cli.outputs import StatusTable
from sirjax.cli.reconstructing import photo_job
from sirjax.cli.reconstructing.face_table import FaceTable
from sirjax.cli.reconstructing.photo_job import PhotoJob
from sirjax.cli.reconstructing.stream import Item
from sirjax.photo import Photo, PhotoHeader
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)
FACE = known_face(similarity(0.5, 10.0, (3.0, -4.0)), MODEL)


class Writer:
    """Writes nothing; fails where told, and waits until it may go on."""

    def __init__(self, **failures):
        self.failures, self.written = failures, []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def metric(self, face):
        return face

    def write(self, folder, source, title, image, faces):
        assert self.may_go_on.wait(60)
        if title in self.failures:
            raise self.failures[title]
        self.written.append(title)


def item(number, side=120):
    photo = Photo(np.zeros((side, side, 3), np.uint8), PhotoHeader("PNG", side, side), ())
    return Item(Path(f"{number}.png"), photo, faces=[FACE, FACE])


@pytest.fixture
def make_job(tmp_path):
    progress = SimpleNamespace(update=lambda: None, write=lambda *words, file: None)
    with StatusTable(tmp_path) as table:
        yield lambda writer: PhotoJob(writer, table, FaceTable(tmp_path, MODEL, ()), progress)


def test_photos_are_written_in_order_and_all_before_the_end(make_job):
    job = make_job(Writer())
    with job:
        for i in range(30):
            job.take(item(i))
    assert job.writer.written == [f"{i}.png" for i in range(30)]
    assert job.counts == {"ok": 60}


def test_photos_that_wait_for_the_disk_do_not_pile_up(make_job, monkeypatch):
    monkeypatch.setattr(photo_job, "MAX_WAITING_PIXELS", 2.5 * 120 * 120)
    job = make_job(Writer())
    with job:
        for i in range(6):
            job.take(item(i))
            assert len(job._unwritten) <= 2
        monkeypatch.setattr(photo_job, "MAX_WAITING_PIXELS", 1e9)
        monkeypatch.setattr(photo_job, "MAX_UNWRITTEN", 3)
        for i in range(6):
            job.take(item(i))
            assert len(job._unwritten) <= 3


def test_an_interrupted_run_keeps_the_rows_of_what_is_written(make_job):
    job = make_job(Writer())
    job.writer.may_go_on.clear()
    for i in range(10):
        job.take(item(i))
    threading.Timer(0.2, job.writer.may_go_on.set).start()
    job.__exit__(KeyboardInterrupt)
    assert job.writer.written == ["0.png"]
    assert job.counts == {"ok": 2}


def test_a_failed_write_is_counted_as_an_error(make_job):
    job = make_job(Writer(**{"1.png": OSError("disk full")}))
    with job:
        for i in range(3):
            job.take(item(i))
    assert job.counts == {"ok": 4, "error": 1}


def test_a_photo_without_a_face_is_counted_by_its_status(make_job):
    job = make_job(Writer())
    with job:
        job.take(Item(Path("a.png"), None, "missing", "no such file"))
    assert job.counts == {"missing": 1}
