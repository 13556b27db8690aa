import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from data_prep import preparation
from data_prep.landmark_files import LandmarkFiles
from data_prep.part_worker import Settings
from data_prep.parts import PartsError
from data_prep.preparation import prepare
from data_prep.source import Entry, RawImage
from sirjax.data import alignment
from sirjax.data.records import RecordsError, open_records
from tests.data_prep.photos import drawn_face, jpeg, landmark_tree, pts, records_bytes

ROOT = Path(__file__).parents[2]
# A preparation in a process of its own: raw folder, target, workers, entries per part, largest file in bytes (-1: any).
SCRIPT = """
import resource, sys
from data_prep.landmark_files import LandmarkFiles
from data_prep.preparation import prepare

if __name__ == "__main__":
    raw, out, workers, part_entries, limit = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    prepare(LandmarkFiles(raw), out, workers=int(workers), part_entries=int(part_entries), progress=False)
"""
QUIET = {"progress": False, "part_entries": 4}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Eleven photos, of which one is empty, one is there twice and one has its points elsewhere."""
    root = landmark_tree(tmp_path_factory.mktemp("raw"), 11)
    (root / "afw" / "0004.jpg").write_bytes(b"")
    for suffix in ("jpg", "pts"):
        shutil.copy(root / "afw" / f"0002.{suffix}", root / "afw" / f"0007.{suffix}")
    (root / "afw" / "0005.pts").write_text(pts(drawn_face(5)[1] + 900))
    return root


@pytest.fixture(scope="module")
def undisturbed(raw, tmp_path_factory):
    return prepare(LandmarkFiles(raw, licence="free"), tmp_path_factory.mktemp("out") / "records", **QUIET)


def script(raw, out, workers=1, part_entries=2, limit=resource.RLIM_INFINITY):
    path = Path(out).parent / "script.py"
    path.write_text(SCRIPT)
    return [sys.executable, str(path), str(raw), str(out), str(workers), str(part_entries), str(limit)]


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_photos_become_samples_and_the_manifest_says_what_did_not(undisturbed, raw):
    manifest = undisturbed.manifest
    assert manifest["samples"] == len(undisturbed) == 8
    assert set(manifest["rejected"]) == {"afw/0004.jpg", "afw/0005.jpg", "afw/0007.jpg"}
    assert manifest["rejected"]["afw/0004.jpg"].startswith("the file is empty")
    assert "outside the image of 140 x 160 pixels" in manifest["rejected"]["afw/0005.jpg"]
    assert manifest["rejected"]["afw/0007.jpg"] == "repeated: the same image as afw/0002.jpg"
    assert manifest["parameters"] == {
        "preparer": "landmark_files",
        "licence": "free",
        "first_pixel": 1.0,
        "image_size": [112, 96],
        "quality": 95,
        "max_megapixels": 100.0,
        "selection": "all",
    }
    assert manifest["origin"]["entries"] == 11
    assert all(len(manifest["origin"][key]) == 64 for key in ("entries_sha256", "images_sha256"))
    assert str(raw) not in json.dumps(manifest)
    open_records(undisturbed.path, verify=True)


def test_stored_landmarks_return_to_the_photo(undisturbed):
    for sample in undisturbed:
        _, landmarks = drawn_face(int(Path(sample.name).stem))
        back = alignment.transform_points(alignment.invert(sample.crop_from_photo), sample.landmarks)
        np.testing.assert_allclose(back, landmarks, atol=1e-3)


def test_two_workers_make_the_same_bytes(undisturbed, raw, tmp_path):
    made = prepare(LandmarkFiles(raw, licence="free"), tmp_path / "records", workers=2, **QUIET)
    assert records_bytes(made.path) == records_bytes(undisturbed.path)
    assert [path.name for path in tmp_path.iterdir()] == ["records"]


def test_what_is_made_is_kept_and_anything_else_refused_or_replaced(raw, tmp_path):
    source, out = LandmarkFiles(raw), tmp_path / "records"
    entries = source.entries()[:3]
    prepare(source, out, entries=entries, **QUIET)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    prepare(source, out, entries=entries, **QUIET)
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
    for other in ({"entries": entries[:2]}, {"entries": entries, "settings": Settings(quality=80)}):
        with pytest.raises(FileExistsError, match="records was made from other input or with other settings: choose"):
            prepare(source, out, **other, **QUIET)
    assert len(prepare(source, out, entries=entries[:2], overwrite=True, **QUIET)) == 2


def test_an_unfinished_preparation_goes_on_and_is_never_mixed_with_another(raw, tmp_path, monkeypatch, undisturbed):
    source, out = LandmarkFiles(raw, licence="free"), tmp_path / "records"

    def interrupted(*arguments):
        for made in preparation_parts(*arguments):
            yield made
            raise KeyboardInterrupt

    preparation_parts = preparation.make_parts
    with pytest.raises(KeyboardInterrupt):
        prepare(source, out, make=interrupted, **QUIET)
    parts = tmp_path / ".records.parts"
    assert [path.name for path in tmp_path.iterdir()] == [parts.name]
    (done,) = parts.glob("part-*")
    with pytest.raises(PartsError, match="holds an unfinished preparation of other input or settings"):
        prepare(source, out, settings=Settings(quality=80), **QUIET)
    written = done.stat().st_mtime_ns
    seen = []

    def watched(*arguments):
        seen.extend(task.path for task in arguments[1])
        yield from preparation_parts(*arguments)

    made = prepare(source, out, make=watched, **QUIET)
    assert done not in seen
    assert written
    assert records_bytes(made.path) == records_bytes(undisturbed.path)
    assert not parts.exists()


def test_records_as_large_as_the_disk_are_refused_before_they_are_written(raw, tmp_path, monkeypatch):
    source, out = LandmarkFiles(raw), tmp_path / "records"
    entries = source.entries()[:2]
    with monkeypatch.context() as patch:
        patch.setattr(preparation.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 5000))
        with pytest.raises(PartsError, match="has 0 MiB left, the records need 0: make room and start"):
            prepare(source, out, entries=entries, **QUIET)
    assert not out.exists()
    assert len(prepare(source, out, entries=entries, **QUIET)) == 2


def test_a_full_disk_ends_with_a_clear_error_and_the_next_run_goes_on(raw, tmp_path, undisturbed):
    # A limit on the size of files stands for the full disk: parts of 2 fit, the records do not.
    out = tmp_path / "records"
    command = script(raw, out, limit=60_000)
    limited = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert limited.returncode == 1
    assert "PartsError: cannot write to" in limited.stderr
    assert "File too large" in limited.stderr
    assert not out.exists()
    assert len(list((tmp_path / ".records.parts").glob("part-*"))) == 6
    made = prepare(LandmarkFiles(raw), out, progress=False, part_entries=2)
    assert [sample.name for sample in made] == [sample.name for sample in undisturbed]


@pytest.mark.slow
def test_killed_ten_times_at_random_it_ends_with_the_same_bytes(tmp_path):
    root = landmark_tree(tmp_path / "raw", 60)
    (root / "afw" / "0001.jpg").write_bytes(b"")
    expected = records_bytes(prepare(LandmarkFiles(root), tmp_path / "whole", progress=False, part_entries=2).path)
    out, moment = tmp_path / "records", random.Random(0)
    parts = tmp_path / ".records.parts"
    kills = 0
    for _ in range(10):
        before = len(list(parts.glob("part-*")))
        process = subprocess.Popen(script(root, out, workers=2), env=environment(), start_new_session=True)
        # Once so many new parts are there (or a random time after its start, when none is missing any more): counted
        # in parts and not in seconds, so that a fast machine does not end before it is killed.
        wanted = before + moment.randint(1, 3)
        deadline = time.monotonic() + (moment.uniform(0.5, 2.5) if before == 30 else 30)
        while process.poll() is None and len(list(parts.glob("part-*"))) < wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        if process.poll() is None:
            kills += 1
        process.send_signal(signal.SIGKILL)  # the main process only: its workers must end by themselves
        process.wait()
        assert ends_within(process.pid, seconds=30)
        assert not out.exists() or records_bytes(out) == expected
    assert kills >= 5
    subprocess.run(script(root, out, workers=2), env=environment(), check=True)
    assert records_bytes(out) == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw", "records", "script.py", "whole"]


def ends_within(group, seconds):
    """Whether no process of the group is left after so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_an_interrupt_ends_all_processes_and_says_how_to_go_on(tmp_path):
    root = landmark_tree(tmp_path / "raw", 24)
    process = subprocess.Popen(
        script(root, tmp_path / "records", part_entries=1),
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    parts = tmp_path / ".records.parts"
    while process.poll() is None and not list(parts.glob("part-*")):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert re.search(r"\d+ of 24 photos are done; the same command goes on from there", errors)
    assert ends_within(process.pid, seconds=30)
    assert not (tmp_path / "records").exists()


class Listed:
    """A source of given names."""

    def __init__(self, *names):
        self.names, self.parameters = names, {"preparer": "listed"}

    def entries(self):
        return [Entry(name) for name in self.names]

    def read(self, entry):
        image, landmarks = drawn_face(len(entry.name))
        data = b"" if entry.name == "bad" else jpeg(image)
        points = alignment.five_points(landmarks)
        return RawImage(data=data, landmarks=landmarks if "68" in entry.name else None, five_points=points)

    def side_files(self):
        return {"pairs.tsv": "fold\tö\n"}


def test_nothing_unsorted_or_repeated_is_prepared(tmp_path):
    for names, message in [
        ((), "there is nothing to prepare"),
        (("b", "a"), "entries must be sorted and unique, 'a' follows 'b'"),
        (("a", "a"), "entries must be sorted and unique, 'a' follows 'a'"),
    ]:
        with pytest.raises(ValueError, match=message):
            prepare(Listed(*names), tmp_path / "records")
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        prepare(Listed("a"), tmp_path / "records", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_side_files_lie_beside_the_samples_and_a_set_of_rejects_says_so(tmp_path):
    with pytest.raises(RecordsError, match="records holds no samples: see 'rejected' in its manifest.json"):
        prepare(Listed("bad"), tmp_path / "records", progress=False)
    assert (tmp_path / "records" / "pairs.tsv").read_text(encoding="utf-8") == "fold\tö\n"


def test_names_that_are_no_text_become_text(tmp_path):
    made = prepare(Listed("a", "b\udcff.jpg", "写.jpg"), tmp_path / "records", progress=False)
    assert [sample.name for sample in made] == ["a", r"b\udcff.jpg", "写.jpg"]


def test_images_with_other_labels_than_the_first_are_rejected(tmp_path):
    made = prepare(Listed("a with 68", "b with 5", "c, also with 68"), tmp_path / "records", progress=False)
    assert [sample.name for sample in made] == ["a with 68", "c, also with 68"]
    assert made.manifest["rejected"] == {"b with 5": "it has not the labels of the first image, a with 68"}
