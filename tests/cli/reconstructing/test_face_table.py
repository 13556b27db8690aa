import csv
import json

import numpy as np

from sirjax.cli.reconstructing.face_table import FaceTable
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, rotation, similarity

MODEL = dome_face_model(grid=9)
FACE = known_face(similarity(0.5, 10.0, (3.0, -4.0)), MODEL, angles=(5.0, -12.0, 4.0))
OK = {"photo": "a.png", "status": "ok", "face": 0, "width": 10}
FAILED = {"photo": "b.png", "status": "no_face", "message": "none, at all"}


def written(tmp_path, kinds=("csv", "jsonl")):
    with FaceTable(tmp_path, MODEL, kinds) as table:
        table.add(OK, FACE)
        table.add(FAILED)
    return tmp_path


def test_json_lines_hold_pose_landmarks_and_coefficients(tmp_path):
    first, second = map(json.loads, (written(tmp_path) / "faces.jsonl").read_text().splitlines())
    np.testing.assert_allclose(first["shape"], FACE.shape, rtol=1e-6)
    np.testing.assert_allclose(first["expression"], FACE.expression, rtol=1e-6)
    np.testing.assert_allclose(first["landmarks"], FACE.landmarks_in_photo, atol=0.0051)
    camera = FACE.photo_camera
    np.testing.assert_allclose(first["scale"], camera.scale[0], rtol=1e-6)
    np.testing.assert_allclose(first["translation"], camera.translation[0], atol=1e-3)
    # 10 degrees clockwise in the photo were taken out by the crop: the photo's roll is 10 more.
    np.testing.assert_allclose([first["pitch"], first["yaw"], first["roll"]], [5.0, -12.0, 14.0], atol=2e-3)
    pose = rotation(first["pitch"], first["yaw"], first["roll"])
    np.testing.assert_allclose(pose, FACE.photo_rotation, atol=1e-4)
    cosines = np.cos(np.radians([5.0, -12.0, 4.0]))
    expected = np.prod((cosines + 1) / 2) * np.exp(-np.linalg.norm(FACE.expression) / 3)  # Eq. 19
    np.testing.assert_allclose(first["confidence"], expected, atol=1e-5)
    assert second["status"] == "no_face"
    assert "shape" not in second


def test_csv_holds_the_same_numbers_one_a_column(tmp_path):
    line = json.loads((written(tmp_path) / "faces.jsonl").read_text().splitlines()[0])
    with (tmp_path / "faces.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert [float(first[f"shape{i}"]) for i in range(MODEL.num_shape)] == line["shape"]
    assert [float(first[f"expression{i}"]) for i in range(MODEL.num_expression)] == line["expression"]
    assert [[float(first[f"landmark{i}_u"]), float(first[f"landmark{i}_v"])] for i in range(68)] == line["landmarks"]
    assert [float(first[f"translation_{axis}"]) for axis in "uv"] == line["translation"]
    assert (first["status"], first["width"], first["metric_scale"]) == ("ok", "10", "")
    assert (second["photo"], second["message"], second["shape0"]) == ("b.png", "none, at all", "")


def test_only_what_is_asked_for_is_written(tmp_path):
    (tmp_path / "none").mkdir()
    assert [path.name for path in written(tmp_path / "none", ()).iterdir()] == []
    assert sorted(path.name for path in written(tmp_path, ("csv",)).iterdir()) == ["faces.csv", "none"]


def test_an_interrupted_run_leaves_the_earlier_table(tmp_path):
    before = (written(tmp_path) / "faces.csv").read_text()
    table = FaceTable(tmp_path, MODEL, ("csv",))  # never closed
    table.add(FAILED)
    assert (tmp_path / "faces.csv").read_text() == before
    table.close()
    assert (tmp_path / "faces.csv").read_text() != before
