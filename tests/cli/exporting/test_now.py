"""`sirjax export now` from photos to the files that the toolkit opens."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from sirjax import decode
from sirjax.cli.exporting import benchmark
from sirjax.cli.main import main
from sirjax.losses.sir import neutral_frontal_confidence
from sirjax.morphable.model import landmarks_of, neutral_vertices
from tests.cli.photos_with_faces import MarkedFaces, make_photo
from tests.oracles import MODEL, Oracle, answers

ANSWERS = answers(np.random.default_rng(0))


@pytest.fixture
def export(monkeypatch, tmp_path):
    trained = SimpleNamespace(
        networks=Oracle(),
        params=ANSWERS,
        face_model=MODEL,
        gains=decode.CameraGains(),
        metadata={},
        confidence=neutral_frontal_confidence,
    )
    monkeypatch.setattr(benchmark, "load_run", lambda workdir: trained)
    monkeypatch.setattr("sirjax.predictor.MTCNN", MarkedFaces)
    (tmp_path / "list.txt").write_text("S1/multiview_neutral/A.png\nS1/selfie/B.png\n")
    make_photo(tmp_path / "photos" / "S1" / "multiview_neutral" / "A.png", 1)
    make_photo(tmp_path / "photos" / "S1" / "selfie" / "B.png", 1)
    out = tmp_path / "out"
    return lambda *words: main(["export", "now", "run", str(tmp_path / "photos"), *map(str, words), "--out", str(out)])


def test_meshes_and_landmarks_of_the_list_are_written(export, tmp_path, capsys):
    assert export("--list", tmp_path / "list.txt") == 0
    folder = tmp_path / "out" / "meshes" / "S1"
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    assert files == ["multiview_neutral/A.npy", "multiview_neutral/A.obj", "selfie/B.npy", "selfie/B.obj"]
    want = np.asarray(neutral_vertices(MODEL, ANSWERS["shape"][None]))
    mesh = trimesh.load(folder / "selfie" / "B.obj", process=False)
    np.testing.assert_allclose(mesh.vertices, want[0], atol=1e-4)
    points = np.asarray(landmarks_of(MODEL, want))[0, [36, 39, 42, 45, 33, 48, 54]]
    np.testing.assert_allclose(np.load(folder / "selfie" / "B.npy"), points, atol=1e-3)
    with (tmp_path / "out" / "status.csv").open(newline="") as file:
        status = [(row["status"], row["folder"]) for row in csv.DictReader(file)]
    assert status == [("ok", "S1/multiview_neutral/A"), ("ok", "S1/selfie/B")]
    assert (tmp_path / "out" / "landmarks.png").is_file()
    assert "0 right eye, outer corner" in capsys.readouterr().out


def test_a_missing_photo_stops_everything_before_a_file_is_written(export, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("S1/multiview_neutral/A.png\nS1/selfie/Z.png\n")
    assert export("--list", tmp_path / "list.txt") == 2
    error = capsys.readouterr().err
    assert "problem: 1 of 2 photos gave no mesh, the first is " in error
    assert "Z.png (missing: " in error
    assert not (tmp_path / "out").exists()
    assert export("--list", tmp_path / "list.txt", "--allow-failures") == 2
    assert (tmp_path / "out" / "meshes" / "S1" / "multiview_neutral" / "A.obj").is_file()


def test_without_a_list_all_photos_must_lie_where_the_toolkit_looks(export, tmp_path, capsys):
    make_photo(tmp_path / "photos" / "stray.png", 1)
    assert export() == 1
    assert "is not SUBJECT/CHALLENGE/PHOTO: the toolkit needs the last three parts" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_list_is_named(export, tmp_path, capsys):
    assert export("--list", tmp_path / "nolist.txt") == 1
    assert "nolist.txt is missing: --list takes imagepathsvalidation.txt of the NoW data set" in capsys.readouterr().err
