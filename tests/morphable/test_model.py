import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.morphable.model import five_points, landmarks, landmarks_of, neutral_vertices, vertices
from sirjax.types import Coefficients
from tests.face_models import dome_face_model


def faces_by_loop(model, shape, expression):
    """Equation 1, one face and one mode at a time, in float64."""
    faces = []
    for a, e in zip(np.asarray(shape, np.float64), np.asarray(expression, np.float64), strict=True):
        face = np.asarray(model.mean, np.float64).copy()
        for amount, std, mode in zip(a, model.shape_std, model.shape_basis, strict=True):
            face += amount * float(std) * np.asarray(mode, np.float64).reshape(-1, 3)
        for amount, std, mode in zip(e, model.expression_std, model.expression_basis, strict=True):
            face += amount * float(std) * np.asarray(mode, np.float64).reshape(-1, 3)
        faces.append(face)
    return np.array(faces)


@pytest.fixture
def coefficients(rng):
    return Coefficients(jnp.asarray(rng.normal(size=(4, 6))), jnp.asarray(rng.normal(size=(4, 3))))


def test_vertices_are_the_mean_plus_the_modes(coefficients):
    model = dome_face_model()
    expected = faces_by_loop(model, coefficients.shape, coefficients.expression)
    np.testing.assert_allclose(vertices(model, coefficients), expected, atol=1e-4)


def test_neutral_vertices_leave_the_expression_out(coefficients):
    model = dome_face_model()
    expected = vertices(model, coefficients.replace(expression=jnp.zeros((4, 3))))
    np.testing.assert_allclose(neutral_vertices(model, coefficients.shape), expected, atol=1e-5)


def test_landmarks_are_those_of_the_vertices(coefficients):
    model = dome_face_model()
    on_mesh = landmarks_of(model, vertices(model, coefficients))
    np.testing.assert_allclose(landmarks(model, coefficients), on_mesh, atol=1e-4)


def test_landmarks_are_weighted_corners(rng):
    model = dome_face_model()
    points = rng.normal(size=(2, model.num_vertices, 2))
    expected = [
        [
            sum(w * points[b, v] for v, w in zip(row, weights, strict=True))
            for row, weights in zip(
                np.asarray(model.landmark_vertices), np.asarray(model.landmark_weights, np.float64), strict=True
            )
        ]
        for b in range(2)
    ]
    np.testing.assert_allclose(landmarks_of(model, jnp.asarray(points)), expected, atol=1e-5)


def test_gradient_of_landmarks_reaches_the_coefficients(coefficients):
    model = dome_face_model()

    def height(c):
        return landmarks(model, c)[:, 30, 1].sum()

    gradient = jax.grad(height)(coefficients)
    step = coefficients.replace(shape=coefficients.shape.at[0, 0].add(1.0))
    np.testing.assert_allclose(gradient.shape[0, 0], height(step) - height(coefficients), atol=1e-3)


def test_five_points_worked_out_by_hand():
    points = np.zeros((68, 2))
    points[36:42] = [[0, 0], [1, 2], [2, 2], [3, 0], [2, -2], [1, -2]]  # mean (1.5, 0)
    points[42:48] = points[36:42] + np.array([10, 1])  # mean (11.5, 1)
    points[30], points[48], points[54] = (6, -5), (2, -9), (10, -8)
    expected = [[1.5, 0], [11.5, 1], [6, -5], [2, -9], [10, -8]]
    np.testing.assert_allclose(five_points(jnp.asarray(points)), expected)
    np.testing.assert_allclose(five_points(jnp.asarray(points)[None, None])[0, 0], expected)


@settings(max_examples=20, deadline=None)
@given(num_vertices=st.integers(10, 60), modes=st.integers(1, 12), seed=st.integers(0, 2**31))
def test_distance_of_codes_is_distance_of_shapes_times_vertices_over_modes(num_vertices, modes, seed):
    # Equation 6: E = (m / n) e with e = |x - y|^2 / m over coefficients in mm and E = |X - Y|^2 / n over vertices.
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(3 * num_vertices, modes)))[0].T
    x, y = rng.normal(size=(2, modes)) * 30
    e = ((x - y) ** 2).sum() / modes
    distance = ((x @ basis - y @ basis) ** 2).sum() / num_vertices
    np.testing.assert_allclose(distance, modes / num_vertices * e, rtol=1e-6)


def test_distance_of_codes_is_distance_of_shapes_for_the_model(rng):
    model = dome_face_model()
    a, b = rng.normal(size=(2, 1, 6))
    moved = neutral_vertices(model, jnp.asarray(a)) - neutral_vertices(model, jnp.asarray(b))
    codes = (a - b) * np.asarray(model.shape_std)
    np.testing.assert_allclose((np.asarray(moved) ** 2).sum(), (codes**2).sum(), rtol=1e-4)
