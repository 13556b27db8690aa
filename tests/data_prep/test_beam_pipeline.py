"""The preparation by Apache Beam makes the records that one machine makes, byte for byte."""

import shutil

import pytest

from data_prep import beam_pipeline
from data_prep.beam_pipeline import PartsWorker, beam_maker, moved
from data_prep.identity_folders import IdentityFolders
from data_prep.insightface_rec import InsightFacePack
from data_prep.landmark_files import LandmarkFiles
from data_prep.part_worker import Settings
from data_prep.parts import PartsError
from data_prep.preparation import prepare
from sirjax.cli.main import main
from tests.data_prep.photos import jpeg, landmark_tree, records_bytes
from tests.data_prep.recordio_writer import packed, write_pack

QUIET = {"progress": False, "part_entries": 4}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Ten photos and one that is none."""
    root = landmark_tree(tmp_path_factory.mktemp("tree"), 10)
    (root / "afw/0001.jpg").write_bytes(b"no photo")
    return root


@pytest.fixture(scope="module")
def expected(tree, tmp_path_factory):
    """The records that one machine makes of it."""
    out = tmp_path_factory.mktemp("local") / "records"
    prepare(LandmarkFiles(tree), out, **QUIET)
    return records_bytes(out)


@pytest.fixture
def raw(tree, tmp_path):
    return shutil.copytree(tree, tmp_path / "raw")


def test_the_records_are_those_of_one_machine(raw, tmp_path, expected):
    records = prepare(LandmarkFiles(raw), tmp_path / "beam", make=beam_maker(), **QUIET)
    assert len(records) == 9
    assert records.manifest["rejected_count"] == 1
    assert records_bytes(tmp_path / "beam") == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == ["beam", "raw"]


def test_a_stopped_job_goes_on_with_the_parts_in_the_storage(raw, tmp_path, expected, monkeypatch):
    options = {"make": beam_maker(storage=str(tmp_path / "storage")), **QUIET}
    fetched = beam_pipeline._fetched

    def stop(folder, task):
        raise KeyboardInterrupt

    monkeypatch.setattr(beam_pipeline, "_fetched", stop)
    with pytest.raises(KeyboardInterrupt):
        prepare(LandmarkFiles(raw), tmp_path / "beam", **options)
    monkeypatch.setattr(beam_pipeline, "_fetched", fetched)
    (folder,) = (tmp_path / "storage").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "entries.jsonl",
        "part-00000000",
        "part-00000001",
        "part-00000002",
    ]
    (folder / "part-00000001").unlink()
    made = []
    monkeypatch.setattr(beam_pipeline, "make_parts", counted(made, beam_pipeline.make_parts))
    prepare(LandmarkFiles(raw), tmp_path / "beam", **options)
    assert made == [1]
    assert records_bytes(tmp_path / "beam") == expected


def counted(made, make_parts):
    def make(source, tasks, settings, workers):
        made.extend(task.index for task in tasks)
        return make_parts(source, tasks, settings, workers)

    return make


def test_packs_are_read_from_elsewhere_too(tmp_path):
    write_pack(tmp_path / "pack", [(i, packed(float(i % 2), i, b"image %d" % i)) for i in range(1, 6)])
    source = InsightFacePack(tmp_path / "pack")
    entries = source.entries()
    (tmp_path / "pack").rename(tmp_path / "there")
    there = moved(source, str(tmp_path / "there"))
    numbers = [int(entry.name.split("/")[1].removesuffix(".jpg")) for entry in entries]
    assert [there.read(entry).data for entry in entries] == [b"image %d" % number for number in numbers]


def test_the_command_line_reaches_workers_that_find_photos_and_storage_elsewhere(raw, tmp_path, expected, capsys):
    (tmp_path / "link").symlink_to(raw)
    out, storage = str(tmp_path / "beam"), str(tmp_path / "storage")
    options = ["--beam=--runner=DirectRunner", "--beam-storage", storage, "--beam-raw", f"{tmp_path}/link/", "--quiet"]
    assert main(["prepare", "landmark-files", str(raw), "--out", out, *options]) == 0
    assert "9 photos, 1 rejected" in capsys.readouterr().out
    sample = "sirjax_records-samples.array_record-00000-of-00001"
    assert records_bytes(tmp_path / "beam")[sample] == expected[sample]
    assert not [path for path in (tmp_path / "storage").rglob("*") if path.is_file()]


@pytest.mark.slow
def test_detected_faces_are_the_same_too(tmp_path):
    from skimage.data import astronaut

    image = astronaut()
    for person, flipped in (("ada", image), ("bob", image[:, ::-1])):
        (tmp_path / "raw" / person).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "raw" / person / f"{i}.jpg").write_bytes(jpeg(flipped[10 * i :, : 500 - 20 * i]))
    for name, options in (("local", {}), ("beam", {"make": beam_maker()})):
        records = prepare(IdentityFolders(tmp_path / "raw"), tmp_path / name, **QUIET, **options)
        assert (len(records), records.num_identities) == (4, 2)
    assert records_bytes(tmp_path / "beam") == records_bytes(tmp_path / "local")


def test_a_worker_with_other_libraries_is_refused(raw, monkeypatch):
    work = PartsWorker(LandmarkFiles(raw), Settings(), "unused")
    work.setup()
    monkeypatch.setattr(beam_pipeline, "library_versions", lambda: work._versions | {"numpy": "1.0"})
    with pytest.raises(
        RuntimeError, match=r"this worker has \{'numpy': '1.0'\}: the same records need numpy==.* on every worker"
    ):
        work.setup()


def test_a_job_that_lost_a_part_is_refused(raw, tmp_path, monkeypatch):
    monkeypatch.setattr(PartsWorker, "process", lambda self, element: iter(()))
    with pytest.raises(PartsError, match="the job ended without .*part-00000000: see the runner's log; the same"):
        prepare(LandmarkFiles(raw), tmp_path / "beam", make=beam_maker(), **QUIET)
    assert not (tmp_path / "beam").exists()


def test_sources_that_are_no_folder_need_a_mounted_path():
    class Elsewhere:
        parameters: dict = {}  # noqa: RUF012

    assert moved(Elsewhere(), None).parameters == {}
    with pytest.raises(ValueError, match="Elsewhere cannot be read from gs://bucket: put the data on a path"):
        moved(Elsewhere(), "gs://bucket")
