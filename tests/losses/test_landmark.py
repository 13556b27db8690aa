import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.losses.landmark import NORMS, landmark_loss
from tests.references import losses as reference


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("contour_weight", [1.0, 0.25])
def test_loss_matches_the_equation(rng, norm, contour_weight):
    predicted, target = rng.normal(size=(2, 3, 68, 2))
    weights = np.where(np.arange(68) < 17, contour_weight, 1.0)
    weights = weights / weights.mean()
    got = landmark_loss(
        jnp.asarray(predicted, jnp.float32), jnp.asarray(target, jnp.float32), norm=norm, contour_weight=contour_weight
    )
    expected = [reference.landmark_loss(p, t, norm, weights) for p, t in zip(predicted, target, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize(("norm", "expected"), [("mse", 2.0), ("l2_mean", 2.0), ("frobenius_paper", 0.242536)])
def test_two_pixels_everywhere_give_worked_numbers(norm, expected):
    # Each point is off by (sqrt 2, sqrt 2), 2 px. mse: mean of 136 squares of sqrt 2. Frobenius: sqrt(68 * 4) / 68.
    predicted = jnp.full((1, 68, 2), np.sqrt(2.0))
    np.testing.assert_allclose(landmark_loss(predicted, jnp.zeros((1, 68, 2)), norm=norm), [expected], rtol=1e-5)


@pytest.mark.parametrize("norm", NORMS)
def test_perfect_landmarks_cost_nothing_and_have_a_finite_gradient(norm):
    exact = jnp.ones((1, 68, 2))
    value, gradient = jax.value_and_grad(lambda p: landmark_loss(p, exact, norm=norm).sum())(exact)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((1, 68, 2)))


def test_jaw_points_can_be_left_out():
    predicted = jnp.zeros((1, 68, 2)).at[:, :17].set(100.0)
    np.testing.assert_array_equal(landmark_loss(predicted, jnp.zeros((1, 68, 2)), contour_weight=0.0), [0.0])


def test_unknown_norm_is_refused():
    with pytest.raises(ValueError, match="unknown landmark norm 'l1'; choose one of mse, l2_mean, frobenius_paper"):
        landmark_loss(jnp.zeros((1, 68, 2)), jnp.zeros((1, 68, 2)), norm="l1")


def test_negative_contour_weight_is_refused():
    with pytest.raises(ValueError, match=r"contour_weight must not be negative, got -1\.0"):
        landmark_loss(jnp.zeros((1, 68, 2)), jnp.zeros((1, 68, 2)), contour_weight=-1.0)
