import math

import numpy as np
import pytest

from sirjax.evaluation import shape_error


def orthonormal_model(rng, vertices=30, modes=4):
    basis, _ = np.linalg.qr(rng.normal(size=(3 * vertices, modes)))
    return 50 * rng.normal(size=(vertices, 3)), basis.T


def test_vertex_rmse_matches_a_loop(rng):
    predicted, truth = rng.normal(size=(2, 3, 7, 3))
    got = shape_error.vertex_rmse(predicted, truth)
    for i in range(3):
        squares = [math.dist(p, t) ** 2 for p, t in zip(predicted[i], truth[i], strict=True)]
        assert got[i] == pytest.approx(math.sqrt(sum(squares) / 7))


def test_coefficients_of_an_orthonormal_basis_give_the_vertex_error(rng):
    # Eq. 5-6: the distance of the coefficients is the distance of the shapes.
    mean, basis = orthonormal_model(rng)
    predicted, truth = rng.normal(0, 20, size=(2, 5, 4))
    on_vertices = shape_error.vertex_rmse(
        shape_error.shape_vertices(predicted, mean, basis), shape_error.shape_vertices(truth, mean, basis)
    )
    np.testing.assert_allclose(shape_error.coefficient_rmse(predicted, truth, 30), on_vertices)


def test_eight_hundred_millimeters_of_coefficients_on_bfm_give_a_worked_number():
    # 800 mm / sqrt(53,215 vertices)
    np.testing.assert_allclose(shape_error.mean_face_rmse(np.array([[0.0, 800.0]]), 53215), [3.468], atol=1e-3)


def test_mean_face_baseline_is_the_spread_of_the_prior(rng):
    std = np.array([30.0, 20.0, 10.0])
    got = shape_error.mean_face_rmse(rng.normal(size=(20000, 3)) * std, 100)
    assert np.sqrt(np.mean(got**2)) == pytest.approx(np.sqrt(np.sum(std**2) / 100), rel=0.02)


def test_modes_move_the_vertices_they_name():
    # Coordinates are flattened x0 y0 z0 x1 ...: the fifth is the y of vertex 1.
    basis = np.eye(6)[[4]]
    got = shape_error.shape_vertices(np.array([[2.0]]), np.ones((2, 3)), basis)
    np.testing.assert_array_equal(got, [[[1, 1, 1], [1, 3, 1]]])


def test_alignment_undoes_a_similarity(rng):
    truth = 50 * rng.normal(size=(2, 30, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    moved = 1.3 * truth @ turn + [10, -5, 3]
    assert (shape_error.vertex_rmse(moved, truth) > 10).all()
    np.testing.assert_allclose(shape_error.aligned_vertex_rmse(moved, truth), [0, 0], atol=1e-3)


def test_alignment_leaves_what_no_similarity_explains(rng):
    truth = 50 * rng.normal(size=(1, 500, 3))
    noise = 2 * rng.normal(size=(1, 500, 3))
    # 7 of the 1500 degrees of freedom can be explained.
    expected = shape_error.vertex_rmse(truth + noise, truth)
    np.testing.assert_allclose(shape_error.aligned_vertex_rmse(truth + noise, truth), expected, rtol=0.02)


def test_the_face_is_what_lies_within_95_mm_of_the_foremost_vertex():
    mean = np.array([[0.0, 10, 80], [0, -80, 70], [75, 10, -10], [0, 10, -15], [0, 10, -15.1]])
    # Distances from (0, 10, 80): 0, sqrt(90^2 + 10^2) = 90.6, sqrt(75^2 + 90^2) = 117.2, 95, 95.1.
    np.testing.assert_array_equal(shape_error.face_region(mean), [True, True, False, True, False])
