import re

import numpy as np
import pytest

from data_prep.face_models.landmarks import complete, on_triangles, read_landmark_list, reference_points
from data_prep.face_models.raw import Landmarks
from sirjax.morphable.builtin import builtin_face_model
from tests.data_prep.face_models import published

TRUE = Landmarks(
    np.asarray(published.MODEL.landmark_vertices), np.asarray(published.MODEL.landmark_weights, np.float64)
)


def without(landmarks, *unknown):
    vertices = landmarks.vertices.copy()
    vertices[list(unknown)] = -1
    return Landmarks(vertices, landmarks.weights)


def test_known_landmarks_stay_as_they_are():
    assert complete(TRUE, published.MEAN, published.TRIANGLES) is TRUE


def test_unknown_landmarks_of_the_built_in_model_are_found_again():
    model = builtin_face_model()
    mean, triangles = np.asarray(model.mean, np.float64), np.asarray(model.triangles)
    true = Landmarks(np.asarray(model.landmark_vertices), np.asarray(model.landmark_weights, np.float64))
    completed = complete(without(true, 0, 5, 11, 16, 60, 64), mean * 1.1, triangles)
    np.testing.assert_allclose(completed.points(mean), reference_points(), atol=0.5)


def test_too_few_known_landmarks_are_refused():
    with pytest.raises(ValueError, match="only 7 of 68 landmarks are known, at least 8 are needed .* --landmarks FILE"):
        complete(without(TRUE, *range(7, 68)), published.MEAN, published.TRIANGLES)


def test_corners_are_put_into_the_order_of_a_triangle():
    shuffled = Landmarks(TRUE.vertices[:, [2, 0, 1]], TRUE.weights[:, [2, 0, 1]])
    ordered = on_triangles(shuffled, published.MEAN, published.TRIANGLES)
    rows = {tuple(corners) for corners in published.TRIANGLES.tolist()}
    assert all(tuple(corners) in rows for corners in ordered.vertices.tolist())
    np.testing.assert_allclose(ordered.points(published.MEAN), TRUE.points(published.MEAN), atol=1e-9)


def test_points_between_vertices_of_no_triangle_move_to_the_surface():
    vertices, weights = TRUE.vertices.copy(), TRUE.weights.copy()
    vertices[30], weights[30] = [0, 288, 16], [0.4, 0.3, 0.3]
    vertices[31], weights[31] = [5, 5, 5], [1.0, 0.0, 0.0]
    placed = on_triangles(Landmarks(vertices, weights), published.MEAN, published.TRIANGLES)
    rows = {tuple(corners) for corners in published.TRIANGLES.tolist()}
    assert all(tuple(corners) in rows for corners in placed.vertices.tolist())
    np.testing.assert_allclose(placed.points(published.MEAN)[31], published.MEAN[5], atol=1e-9)
    np.testing.assert_allclose(placed.weights.sum(axis=1), 1, atol=1e-9)


def test_landmarks_on_vertices_stay_indices():
    on_vertices = Landmarks.on_vertices(published.LANDMARKS)
    assert on_triangles(on_vertices, published.MEAN, published.TRIANGLES) is on_vertices


def test_lists_count_landmarks_from_1_and_vertices_from_0(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# eos\n[landmark_mappings]\n 1 = 7 # right ear\n68=0\n# 3 = 4\n")
    landmarks = read_landmark_list(path)
    np.testing.assert_array_equal(np.flatnonzero(landmarks.known), [0, 67])
    assert landmarks.vertices[0].tolist() == [7, 7, 7]


def test_a_list_of_68_vertices_is_enough(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("\n".join(map(str, range(100, 168))))
    np.testing.assert_array_equal(read_landmark_list(path).vertices[:, 0], np.arange(100, 168))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("69 = 1", "names the landmark 69, but iBUG's points are numbered 1 to 68"),
        ("1 2 3", "is no landmark list: expected lines `iBUG number from 1 = vertex number from 0`, or 68 vertex num"),
        ("a " * 68, "is no landmark list"),
    ],
)  # fmt: skip
def test_other_texts_are_refused(tmp_path, text, message):
    path = tmp_path / "list.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_landmark_list(path)


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent.txt does not exist: --landmarks takes a text file"):
        read_landmark_list(tmp_path / "absent.txt")
