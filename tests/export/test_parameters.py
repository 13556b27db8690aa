import numpy as np
import pytest

from sirjax.export.parameters import Provenance, write_parameters
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, rotation, similarity

MODEL = dome_face_model(grid=9)


@pytest.fixture
def stored(tmp_path):
    face = known_face(similarity(0.31, 21.0, (-80.0, -35.0)), MODEL, angles=(5.0, -12.0, 4.0))
    provenance = Provenance("f00d", photo="a/b.jpg", run="runs/sir, step 7", licence="CC0-1.0")
    path = write_parameters(tmp_path / "face.npz", face, MODEL, provenance)
    with np.load(path, allow_pickle=False) as file:
        return face, dict(file)


def test_landmarks_and_vertices_follow_from_the_stored_numbers_alone(stored):
    # What somebody without sirjax would do after reading `conventions`.
    _, data = stored
    basis = np.concatenate([MODEL.shape_basis, MODEL.expression_basis])
    mm = np.concatenate([data["shape_mm"], data["expression_mm"]])
    vertices = np.asarray(MODEL.mean) + (mm @ basis).reshape(-1, 3)
    turned = vertices @ data["rotation_photo"].T * data["scale_photo"]
    u, v = turned[:, 0] + data["translation_photo"][0], -turned[:, 1] + data["translation_photo"][1]
    np.testing.assert_allclose(np.stack([u, v, turned[:, 2]], axis=1), data["vertices_photo"], atol=2e-2)
    corners = data["vertices_photo"][np.asarray(MODEL.landmark_vertices), :2]
    landmarks = (corners * np.asarray(MODEL.landmark_weights)[..., None]).sum(axis=1)
    np.testing.assert_allclose(landmarks, data["landmarks_photo"], atol=1e-2)


def test_angles_and_quaternion_are_those_of_the_rotation(stored):
    _, data = stored
    np.testing.assert_allclose(data["euler_degrees_crop"], [5.0, -12.0, 4.0], atol=1e-3)
    np.testing.assert_allclose(rotation(*data["euler_degrees_photo"]), data["rotation_photo"], atol=1e-5)
    x, y, z, w = data["quaternion_photo"].astype(float)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    expected = np.eye(3) + 2 * w * cross + 2 * cross @ cross
    np.testing.assert_allclose(expected, data["rotation_photo"], atol=1e-5)


def test_the_crop_transform_carries_landmarks_over(stored):
    _, data = stored
    matrix = data["crop_from_photo"]
    assert matrix.dtype == np.float64
    moved = data["landmarks_photo"] @ matrix[:, :2].T + matrix[:, 2]
    np.testing.assert_allclose(moved, data["landmarks_crop"], atol=1e-3)
    assert data["crop_size"].tolist() == [112, 96]


def test_whitened_and_millimeter_coefficients_differ_by_the_deviations(stored):
    face, data = stored
    np.testing.assert_allclose(data["shape_whitened"], face.shape)
    np.testing.assert_allclose(data["shape_mm"], face.shape * np.asarray(MODEL.shape_std), rtol=1e-6)
    np.testing.assert_allclose(data["expression_mm"], face.expression * np.asarray(MODEL.expression_std), rtol=1e-6)


def test_it_describes_itself(stored):
    _, data = stored
    assert str(data["face_model_fingerprint"]) == "f00d"
    assert str(data["licence"]) == "CC0-1.0"
    assert str(data["photo"]) == "a/b.jpg"
    assert str(data["run"]) == "runs/sir, step 7"
    assert str(data["software"]).startswith("sirjax ")
    for word in ("(x, y, z, w)", "crop_from_photo", "millimeters", "iBUG"):
        assert word in str(data["conventions"])


def test_it_says_that_it_is_not_metric(stored):
    _, data = stored
    assert not data["metric"]
    assert np.isnan(data["metric_scale"])
