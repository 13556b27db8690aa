"""REALY's keypoint files, read and computed as the toolkit does, and the points carried over from another template."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sirjax.export.realy import (
    NUM_KEYPOINTS,
    carried_over,
    check_names,
    keypoint_positions,
    read_keypoints,
    triangle_rows,
    write_keypoints,
)
from sirjax.morphable.builtin import builtin_face_model
from sirjax.morphable.model import landmarks_of


@pytest.fixture(scope="module")
def face():
    model = builtin_face_model()
    mean = np.asarray(model.mean, np.float64)
    return mean, np.asarray(model.triangles), np.asarray(landmarks_of(model, model.mean[None])[0], np.float64)


def as_the_toolkit_computes_it(path, vertices, triangles):
    """utils/util.py: corners of each triangle with the weights w0, w1 and 1 - w0 - w1."""
    points = []
    for triangle, w0, w1 in json.loads(path.read_text()):
        a, b, c = (vertices[k] for k in triangles[int(triangle)])
        points.append(w0 * a + w1 * b + (1 - w0 - w1) * c)
    return np.array(points)


def test_a_keypoint_file_comes_back(tmp_path, rng, face):
    mean, triangles, _ = face
    rows, weights = rng.integers(len(triangles), size=NUM_KEYPOINTS), rng.dirichlet(np.ones(3), size=NUM_KEYPOINTS)
    path = tmp_path / "keypoints.txt"
    write_keypoints(path, rows, weights)
    got_rows, got_weights = read_keypoints(path)
    np.testing.assert_array_equal(got_rows, rows)
    np.testing.assert_allclose(got_weights, weights, atol=1e-12)
    want = as_the_toolkit_computes_it(path, mean, triangles)
    np.testing.assert_allclose(keypoint_positions(mean, triangles, rows, weights), want, atol=1e-9)


def test_landmarks_become_triangles_with_weights_in_the_order_of_their_corners(rng, face):
    mean, triangles, _ = face
    rows = rng.integers(len(triangles), size=20)
    weights = rng.dirichlet(np.ones(3), size=20)
    turned = np.roll(triangles[rows], 1, axis=1)
    turned[0] = triangles[rows[0], 0]  # a landmark on one vertex names it three times
    got_rows, got_weights = triangle_rows(turned, np.roll(weights, 1, axis=1), triangles)
    want = np.einsum("kcd,kc->kd", mean[turned], np.roll(weights, 1, axis=1))
    np.testing.assert_allclose(keypoint_positions(mean, triangles, got_rows, got_weights), want, atol=1e-9)
    with pytest.raises(ValueError, match="which are no triangle of the mesh"):
        triangle_rows(np.array([[0, 1, len(mean) - 1]]), np.full((1, 3), 1 / 3), triangles)


def test_points_of_the_same_face_elsewhere_and_larger_come_back(rng, face):
    mean, _, landmarks = face
    own = np.concatenate([landmarks, mean[rng.integers(len(mean), size=17)]])
    turn = Rotation.from_rotvec([0.2, -0.4, 0.1]).as_matrix()
    further, residual = carried_over(0.1 * own @ turn.T + [3.0, 150.0, -2.0], landmarks)
    np.testing.assert_allclose(further, own[68:], atol=1e-3)
    assert residual < 1e-3


def test_points_of_a_stretched_face_follow_the_stretch(rng, face):
    mean, _, landmarks = face
    own = np.concatenate([landmarks, mean[rng.integers(len(mean), size=17)]])
    further, residual = carried_over(own / [1.1, 1.0, 0.95], landmarks)  # an affine map is a smooth warp
    np.testing.assert_allclose(further, own[68:], atol=1e-3)
    assert 0.005 < residual < 0.12


def test_points_in_another_order_do_not_fit(rng, face):
    _, _, landmarks = face
    _, residual = carried_over(np.concatenate([landmarks[::-1], landmarks[:17]]), landmarks)
    assert residual > 0.12


def test_keypoints_of_another_template_are_refused(face):
    mean, triangles, _ = face
    with pytest.raises(
        ValueError, match=rf"triangles 0 to {len(triangles)}, the mesh has {len(triangles)}: the keypoint"
    ):
        keypoint_positions(mean, triangles, np.array([0, len(triangles)]), np.full((2, 3), 1 / 3))


@pytest.mark.parametrize("text", ["no json", "[[1, 2, 3]]", '{"a": 1}', "[[1, 2], [3]]"])
def test_other_files_are_no_keypoint_files(tmp_path, text):
    path = tmp_path / "k.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"k\.txt is no keypoint file: expected"):
        read_keypoints(path)


def test_a_missing_file_is_told_from_the_toolkit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"HIFI3D\.txt is missing: REALY/data of the toolkit holds"):
        read_keypoints(tmp_path / "HIFI3D.txt")


def test_names_are_numbers_of_known_subjects():
    assert check_names(["1", "100_3", "7_0_2"]) == []
    found = [str(problem) for problem in check_names(["ada", "101_1", "5", "5"])]
    assert found[0].startswith("1 photos, such as 'ada', are not named by numbers: ")
    assert found[1] == "'101_1' is not of subject 1 to 100: metrical_scale.txt has no row for it"
    assert found[2] == "two photos share a name up to the suffix: keep one of each"
