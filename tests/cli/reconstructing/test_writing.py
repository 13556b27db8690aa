import cv2
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


def test_the_photo_can_be_the_texture(tmp_path):
    photo = np.zeros((240, 260, 3), np.uint8)
    photo[..., 0] = 200
    writer(formats=("ply", "npz"), pictures=False, texture="photo").write(tmp_path / "a", "a.png", "a", photo, [FACE])
    mesh = trimesh.load(tmp_path / "a/face0_posed.ply", process=False)
    np.testing.assert_allclose(np.median(mesh.visual.vertex_colors, axis=0), [200, 0, 0, 255], atol=3)
    shares = cv2.imread(str(tmp_path / "a/face0_texture_shares.png"))
    np.testing.assert_allclose(shares.sum(axis=-1), 255, atol=2)
    with np.load(tmp_path / "a/face0.npz") as data:
        np.testing.assert_array_equal(data["albedo"], FACE.albedo)  # the numbers stay those of the networks


def test_maps_are_written_for_the_crop_and_the_photo(tmp_path):
    maps = {"maps": ("depth", "normals"), "formats": ("npz",), "pictures": False}
    writer(**maps).write(tmp_path / "a", "a.png", "a", IMAGE, [FACE])
    for image, size in (("crop", (112, 96)), ("photo", (240, 260))):
        depth = cv2.imread(str(tmp_path / f"a/face0_depth_{image}.png"), cv2.IMREAD_UNCHANGED)
        normals = cv2.imread(str(tmp_path / f"a/face0_normals_{image}.png"), cv2.IMREAD_UNCHANGED)
        assert (depth.shape, depth.dtype) == (size, np.uint16)
        assert normals.shape == (*size, 3)
        np.testing.assert_array_equal(depth == 0, (normals == 0).all(axis=-1))
    writer(**maps, map_files="npy").write(tmp_path / "b", "a.png", "a", IMAGE, [FACE])
    exact = np.load(tmp_path / "b/face0_depth_photo.npy")
    seen = np.isfinite(exact)
    np.testing.assert_array_equal(seen, depth > 0)
    np.testing.assert_allclose((depth[seen] - 32768.0) / 100, exact[seen], atol=0.006)
