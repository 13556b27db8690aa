"""Errors against true shapes: nothing where both agree, what was added where they do not."""

import numpy as np
import pytest

from sirjax.cli.viewing.faces import read_folder, viewed
from sirjax.cli.viewing.truth import errors, find_truths
from tests.cli.viewing.stored_faces import MODEL, write_face


@pytest.fixture
def stored(tmp_path):
    (tmp_path / "faces").mkdir()
    write_face(tmp_path / "faces", "anna", seed=1)
    return read_folder(tmp_path / "faces")[0]


def write_truth(folder, name, vertices):
    folder.mkdir(exist_ok=True)
    np.savez(folder / f"{name}.npz", vertices=vertices, triangles=np.asarray(MODEL.triangles))
    return folder / f"{name}.npz"


def test_a_moved_copy_of_the_face_has_no_error(stored, tmp_path):
    neutral = viewed(stored, MODEL).neutral
    truth = write_truth(tmp_path / "true", "anna", neutral * 1.05 + [3.0, -20, 5])
    error = errors(stored, MODEL, truth)
    assert np.nanmax(error) < 0.05
    tip = neutral[np.asarray(MODEL.landmark_vertices)[30]].T @ np.asarray(MODEL.landmark_weights)[30]
    np.testing.assert_array_equal(np.isnan(error), np.linalg.norm(neutral - tip, axis=1) > 95)


def test_a_bump_is_found_where_it_is(stored, tmp_path):
    neutral = viewed(stored, MODEL).neutral.astype(float)
    bump = neutral.copy()
    vertex = np.argmin(np.linalg.norm(neutral[:, :2] - [-35.0, 30], axis=1))
    bump[vertex, 2] += 8
    error = errors(stored, MODEL, write_truth(tmp_path / "true", "anna", bump))
    assert np.nanargmax(error) == vertex
    assert 3 < error[vertex] < 8


def test_truths_are_found_by_the_name_of_the_photo(stored, tmp_path):
    path = write_truth(tmp_path / "true", "anna", np.asarray(MODEL.mean))
    write_truth(tmp_path / "true", "somebody", np.asarray(MODEL.mean))
    assert find_truths(tmp_path / "true", [stored]) == {"anna": path}
    path.unlink()
    with pytest.raises(ValueError, match=r"true holds no mesh named as a photo, such as anna.ply"):
        find_truths(tmp_path / "true", [stored])


def test_a_truth_in_meters_is_refused(stored, tmp_path):
    truth = write_truth(tmp_path / "true", "anna", np.asarray(MODEL.mean) / 1000)
    with pytest.raises(ValueError, match="mm across, where a face has 100 to 400"):
        errors(stored, MODEL, truth)
