"""`sirjax export realy` from photos to a folder that the toolkit evaluates."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from sirjax import decode
from sirjax.cli.evaluating.shape_sets import read_obj_triangles, read_obj_vertices
from sirjax.cli.exporting import benchmark, realy
from sirjax.cli.main import main
from sirjax.export.realy import keypoint_positions, read_keypoints, triangle_rows, write_keypoints
from sirjax.export.toolkit_mesh import topology_of, write_plain_obj
from sirjax.losses.sir import neutral_frontal_confidence
from sirjax.morphable.model import landmarks_of
from tests.cli.photos_with_faces import MarkedFaces, make_photo
from tests.oracles import MODEL, Oracle, answers

TRIANGLES = np.asarray(MODEL.triangles)
MEAN = np.asarray(MODEL.mean, np.float64)


@pytest.fixture
def toolkit(tmp_path, rng):
    """A template in the toolkit's form: the dome in other units, elsewhere, with 17 points more on its vertices."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_plain_obj(folder / "HIFI3D.obj", 0.01 * MEAN + [0.0, 1.5, 0.2], TRIANGLES)
    further = rng.choice(TRIANGLES.max() + 1, 17, replace=False)
    corners = np.concatenate([np.asarray(MODEL.landmark_vertices), np.repeat(further[:, None], 3, axis=1)])
    weights = np.concatenate([np.asarray(MODEL.landmark_weights), np.tile([1.0, 0.0, 0.0], (17, 1))])
    write_keypoints(folder / "HIFI3D.txt", *triangle_rows(corners, weights, TRIANGLES))
    return folder, MEAN[further]


@pytest.fixture
def export(monkeypatch, tmp_path):
    trained = SimpleNamespace(
        networks=Oracle(),
        params=answers(np.random.default_rng(0)),
        face_model=MODEL,
        gains=decode.CameraGains(),
        metadata={},
        confidence=neutral_frontal_confidence,
    )
    for module in (benchmark, realy):
        monkeypatch.setattr(module, "load_run", lambda workdir: trained)
    monkeypatch.setattr("sirjax.predictor.MTCNN", MarkedFaces)
    for name in ("1", "12_3"):
        make_photo(tmp_path / "photos" / f"{name}.png", 1)
    out = tmp_path / "out"
    return lambda *words: main(
        ["export", "realy", "run", str(tmp_path / "photos"), *map(str, words), "--out", str(out)]
    )


def test_meshes_of_one_topology_and_all_85_keypoints(export, tmp_path, toolkit):
    folder, further = toolkit
    assert export("--toolkit", folder) == 0
    out = tmp_path / "out"
    assert sorted(path.name for path in (out / "meshes").iterdir()) == ["1.obj", "12_3.obj"]
    np.testing.assert_array_equal(read_obj_triangles(out / "meshes" / "1.obj"), TRIANGLES)
    template = read_obj_vertices(out / "template" / "sirjax.obj")
    np.testing.assert_allclose(template, MEAN, atol=1e-4)
    points = keypoint_positions(template, TRIANGLES, *read_keypoints(out / "template" / "sirjax.txt"))
    np.testing.assert_allclose(points[:68], landmarks_of(MODEL, MODEL.mean[None])[0], atol=1e-3)
    np.testing.assert_allclose(points[68:], further, atol=0.1)
    assert (out / "landmarks.png").is_file()
    assert (out / "status.csv").read_text().count("ok") == 2


def test_without_further_keypoints_nothing_is_made_up(export, tmp_path, capsys):
    assert export() == 1
    error = capsys.readouterr().err
    assert "REALY needs 85 keypoints, the face model marks the 68 of iBUG: give --toolkit REALY/data" in error
    assert not (tmp_path / "out").exists()


def test_keypoints_of_ones_own_are_taken_as_they_are(export, tmp_path, toolkit):
    assert export("--keypoints", toolkit[0] / "HIFI3D.txt", "--name", "mine") == 0
    got = json.loads((tmp_path / "out" / "template" / "mine.txt").read_text())
    np.testing.assert_allclose(got, json.loads((toolkit[0] / "HIFI3D.txt").read_text()), atol=1e-9)


def test_keypoints_in_another_order_are_a_problem(toolkit):
    rows, weights = read_keypoints(toolkit[0] / "HIFI3D.txt")
    write_keypoints(toolkit[0] / "HIFI3D.txt", rows[::-1], weights[::-1])
    _, (found,) = realy.keypoints_of(MODEL, topology_of(MODEL), toolkit[0], None)
    assert "of the eye distance from the face model's landmarks" in found.what
    assert found.remedy == "they follow another order or belong to another mesh; give the file of this one"


def test_names_that_the_toolkit_cannot_sort_stop_the_export(export, tmp_path, toolkit, capsys):
    make_photo(tmp_path / "photos" / "ada.png", 1)
    assert export("--toolkit", toolkit[0]) == 2
    assert "problem: 1 photos, such as 'ada', are not named by numbers" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
