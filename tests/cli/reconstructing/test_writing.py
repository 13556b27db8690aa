import numpy as np
import trimesh

from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.writing import FaceWriter, Outputs, face_row
from sirjax.photo import Photo, PhotoHeader
from sirjax.predictor import Predictor
from tests.oracles import MODEL, Oracle, answers
from tests.reconstructions import known_face, similarity

FACE = known_face(similarity(0.5, 10.0, (3.0, -4.0)), MODEL)
IMAGE = np.full((240, 260, 3), 90, np.uint8)
METADATA = {"step": 7, "face_model": "f00d", "face_model_licence": "CC0-1.0"}


def writer(**outputs):
    predictor = Predictor(Oracle(), answers(np.random.default_rng(0)), MODEL, METADATA)
    return FaceWriter(predictor, "runs/sir", Outputs(**outputs), Profile())


def test_files_of_an_earlier_run_are_replaced(tmp_path):
    folder = tmp_path / "a"
    plain = writer(formats=("ply",), pictures=False)
    plain.write(folder, "a.png", "a", IMAGE, [FACE, FACE])
    plain.write(folder, "a.png", "a", IMAGE, [FACE])
    assert sorted(path.name for path in folder.iterdir()) == ["face0_neutral.ply", "face0_posed.ply"]


def test_records_say_where_results_come_from(tmp_path):
    writer(formats=("npz",), pictures=False).write(tmp_path / "a", "photos/a.png", "a", IMAGE, [FACE])
    with np.load(tmp_path / "a/face0.npz") as data:
        assert (str(data["photo"]), str(data["run"])) == ("photos/a.png", "runs/sir, step 7")
        assert (str(data["licence"]), str(data["face_model_fingerprint"])) == ("CC0-1.0", "f00d")


def test_an_eye_distance_makes_faces_metric(tmp_path):
    metric = writer(eye_distance_mm=2 * FACE.eye_distance, formats=("ply",), pictures=False)
    metric.write(tmp_path / "a", "a.png", "a", IMAGE, [metric.metric(FACE)])
    mesh = trimesh.load(tmp_path / "a/face0_neutral.ply", process=False)
    np.testing.assert_allclose(mesh.vertices, 2 * FACE.neutral_vertices, rtol=1e-4, atol=1e-4)
    assert writer().metric(FACE) is FACE


def test_the_row_of_a_face_leaves_unknown_things_out():
    row = face_row(3, FACE, "a", Photo(IMAGE, PhotoHeader("PNG", 260, 240), ("grey",)))
    assert row == {"status": "ok", "face": 3, "folder": "a", "width": 260, "height": 240, "message": "grey"}
