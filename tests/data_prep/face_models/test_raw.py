import numpy as np

from data_prep.face_models.raw import Landmarks, unit_modes


def test_modes_become_unit_vectors_with_their_length_as_deviation():
    displacements = np.array([[[3.0, 0, 0], [0, 4, 0]], [[0, 0, 0], [0, 0, 0]], [[0, 0, 0.5], [0, 0, 0]]])
    basis, std = unit_modes(displacements)
    np.testing.assert_allclose(std, [5, 0.5])
    np.testing.assert_allclose(basis, [[[0.6, 0, 0], [0, 0.8, 0]], [[0, 0, 1], [0, 0, 0]]])
    assert len(unit_modes(displacements, least=1.0)[1]) == 1


def test_landmarks_of_some_leave_the_others_unknown():
    landmarks = Landmarks.of_some({30: 2, 8: 1})
    assert np.flatnonzero(landmarks.known).tolist() == [8, 30]
    points = landmarks.points(np.array([[0.0, 0, 0], [1, 2, 3], [4, 5, 6]]))
    np.testing.assert_array_equal(points[[8, 30]], [[1, 2, 3], [4, 5, 6]])
