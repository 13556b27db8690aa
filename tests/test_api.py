"""`sirjax.load` and what it gives: faces with their frames and units, distances, errors that say what to do."""

import subprocess
import sys
import zipfile

import numpy as np
import pytest
import skimage.data
import trimesh

import sirjax
from sirjax.api import Face, Reconstructor
from sirjax.data.alignment import five_points
from sirjax.export.parameters import Provenance
from sirjax.predictor import Predictor
from tests.oracles import MODEL, TEMPLATE, GivenFaces, Oracle, answers
from tests.reconstructions import known_face, similarity

FACE_MODEL = {"face_model": "f00d" * 16, "face_model_licence": "CC0-1.0", "step": 7}
PHOTO = np.full((180, 160, 3), 90, np.uint8)


def model(*faces, **options):
    predictor = Predictor(
        Oracle(), answers(np.random.default_rng(0)), MODEL, FACE_MODEL, detector=GivenFaces(list(faces)), **options
    )
    return Reconstructor(predictor, "runs/sir")


def face_of(code_seed, fingerprint=FACE_MODEL["face_model"]):
    record = known_face(similarity(1.0, 0.0, (0.0, 0.0)), MODEL, seed=code_seed)
    return Face(record, MODEL, Provenance(fingerprint, licence="CC0-1.0"))


def test_importing_sirjax_imports_nothing_else():
    script = "import sys, sirjax; print(any(name in sys.modules for name in ('jax', 'numpy', 'sirjax.api')))"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout == "False\n"


def test_all_promised_names_are_there():
    assert set(sirjax.__all__) <= set(dir(sirjax))
    assert all(getattr(sirjax, name) is not None for name in sirjax.__all__)
    with pytest.raises(AttributeError, match="module 'sirjax' has no attribute 'reconstruct'; it has Face, NoFaceErr"):
        _ = sirjax.reconstruct


def test_a_face_has_its_shapes_units_and_frames():
    face = model(TEMPLATE + 20).reconstruct(PHOTO)
    known = answers(np.random.default_rng(0))
    np.testing.assert_allclose(face.shape_whitened, known["shape"])
    np.testing.assert_allclose(face.shape_mm, known["shape"] * np.asarray(MODEL.shape_std))
    np.testing.assert_allclose(face.expression, known["expression"])
    np.testing.assert_allclose(face.landmarks, face.reconstruction.landmarks_in_photo)
    assert face.vertices.shape == face.neutral_vertices.shape == (MODEL.num_vertices, 3)
    assert face.triangles.max() == MODEL.num_vertices - 1
    assert face.landmarks_3d.shape == (68, 3)
    assert face.albedo.shape == (64, 64, 3)
    assert repr(face).startswith("Face(|shape|=")


def test_the_pose_is_that_of_the_photo():
    # R = Rz(roll) Ry(yaw) Rx(pitch) of known_face: (5, -12, 4) degrees, and the photo is not turned against the crop.
    np.testing.assert_allclose(face_of(0).pose, (5.0, -12.0, 4.0), atol=1e-3)


def test_the_largest_face_or_all_of_them():
    two = model(TEMPLATE * 1.5, TEMPLATE)
    assert len(two.reconstruct(PHOTO, faces="all")) == 2
    np.testing.assert_allclose(two.reconstruct(PHOTO).reconstruction.points, TEMPLATE * 1.5, rtol=1e-5)


def test_a_photo_without_a_face_is_an_error_only_if_one_is_wanted():
    assert model().reconstruct(PHOTO, faces="all") == []
    with pytest.raises(sirjax.NoFaceError, match=r"no face found in the array of shape \[180, 160, 3\]: take a photo"):
        model().reconstruct(PHOTO)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((9, 9, 3), np.float32), r"got float32 \[9, 9, 3\]: multiply images in \[0, 1\] by 255"),
        (np.zeros((9, 9), np.uint8), r"got uint8 \[9, 9\]"),
        (np.zeros((9, 9, 4), np.uint8), "drop the alpha channel"),
    ],
)
def test_other_arrays_are_refused_with_the_remedy(image, message):
    with pytest.raises(ValueError, match=message):
        model().reconstruct(image)


def test_a_missing_photo_is_named(tmp_path):
    with pytest.raises(sirjax.PhotoError, match="x.jpg"):
        model().reconstruct(tmp_path / "x.jpg")


def test_many_photos_come_back_in_order_with_a_batch_smaller_than_their_faces():
    two = model(TEMPLATE * 1.5, TEMPLATE, batch_size=3)
    results = list(two.reconstruct_many([PHOTO, PHOTO[:, :150], PHOTO, PHOTO]))
    assert [len(faces) for faces in results] == [2, 2, 2, 2]
    assert list(model().reconstruct_many([PHOTO])) == [[]]
    assert list(two.reconstruct_many([])) == []


def test_identity_distance_is_the_distance_of_codes_in_millimeters():
    a, b = face_of(1), face_of(2)
    expected = np.linalg.norm(a.shape_mm.astype(np.float64) - b.shape_mm)
    assert model().identity_distance(a, b) == pytest.approx(expected)
    assert model().identity_distance(a.shape_mm, b) == pytest.approx(expected)
    assert model(TEMPLATE).identity_distance(PHOTO, PHOTO) == 0.0
    # On an orthonormal basis it is sqrt(V) times the RMS distance of the vertices.
    rms = np.sqrt(np.mean(np.sum((a.neutral_vertices - b.neutral_vertices) ** 2, axis=-1)))
    assert expected == pytest.approx(rms * np.sqrt(MODEL.num_vertices), rel=1e-4)


def test_codes_of_another_face_model_are_refused():
    with pytest.raises(ValueError, match="the face was made with face model 'dome', beefbeefbeef, these networks with"):
        model().identity_distance(face_of(1), face_of(2, fingerprint="beef" * 16))
    with pytest.raises(ValueError, match="got 3 coefficients, this face model has 6"):
        model().identity_distance(np.zeros(3), face_of(1))


def test_files_hold_the_face(tmp_path):
    face = face_of(3)
    assert face.save(tmp_path / "a.ply") == [tmp_path / "a.ply"]
    neutral = trimesh.load(tmp_path / "a.ply", process=False).vertices
    np.testing.assert_allclose(neutral, face.neutral_vertices, atol=1e-4)
    face.save(tmp_path / "b.ply", pose="posed")
    posed = trimesh.load(tmp_path / "b.ply", process=False).vertices
    np.testing.assert_allclose(posed, face.reconstruction.posed_vertices, atol=1e-4)
    assert {path.name for path in face.save(tmp_path / "c.obj")} == {"c.obj", "c.mtl", "c.png"}
    assert b"glTF" in face.save(str(tmp_path / "d.glb"))[0].read_bytes()[:4]
    assert zipfile.is_zipfile(face.save(tmp_path / "e.npz")[0])


def test_other_endings_and_poses_are_refused(tmp_path):
    with pytest.raises(ValueError, match="x.stl must end in .glb, .obj, .ply or .npz: the ending chooses the format"):
        face_of(0).save(tmp_path / "x.stl")
    with pytest.raises(ValueError, match="pose must be one of neutral, posed, got 'smiling'"):
        face_of(0).save(tmp_path / "x.ply", pose="smiling")


def test_a_wrong_path_names_what_is_there(tmp_path):
    (tmp_path / "sir").mkdir()
    with pytest.raises(FileNotFoundError, match=r"there is nothing at .*/srr: did you mean .*/sir\? Name a run's"):
        sirjax.load(tmp_path / "srr")
    with pytest.raises(FileNotFoundError, match="name a run's --workdir or a .safetensors file"):
        sirjax.load(tmp_path / "elsewhere" / "x")


def test_without_a_name_the_shipped_weights_are_loaded_and_fit_a_photo():
    photo = np.ascontiguousarray(skimage.data.astronaut()[:240, 80:360])
    face = sirjax.load(batch_size=1).reconstruct(photo)
    found = face.reconstruction.points  # of the detector: eyes, nose tip, corners of the mouth
    eye_distance = np.linalg.norm(found[1] - found[0])
    errors = np.linalg.norm(five_points(face.landmarks.astype(np.float64)) - found, axis=1) / eye_distance
    assert errors.mean() < 0.12
    assert face.provenance.run.startswith("builtin, step ")
