"""Table I's conditions on shapes that fulfil them by construction, and on shapes that do not."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sirjax.constants import NO_IDENTITY
from sirjax.evaluation.conditions import (
    basis_condition,
    center_condition,
    neutral_frontal_confidence,
    prior_condition,
)
from sirjax.losses import sir


def test_confidence_is_that_of_training(rng):
    rotation, expression = Rotation.random(50, random_state=1).as_matrix(), rng.normal(size=(50, 3))
    want = sir.neutral_frontal_confidence(jnp.asarray(rotation, jnp.float32), jnp.asarray(expression, jnp.float32))
    np.testing.assert_allclose(neutral_frontal_confidence(rotation, expression), want, atol=2e-5)


def test_confidence_of_worked_poses():
    yaw = Rotation.from_rotvec(np.deg2rad([[0, 0, 0], [0, 60, 0], [0, 90, 0]])).as_matrix()
    np.testing.assert_allclose(neutral_frontal_confidence(yaw, np.zeros((3, 2))), [1, 0.75, 0.5])
    smile = np.array([[1.5, 0.0]])
    np.testing.assert_allclose(neutral_frontal_confidence(yaw[1:2], smile), 0.45490, atol=1e-5)


def people(rng, count, drift):
    """Samples that leave their person's code the farther, the less confident they are, in directions of their own."""
    identity = np.repeat(np.arange(count), 12)
    confidence = rng.uniform(0.2, 1, size=len(identity))
    offset = rng.normal(size=(len(identity), 8))
    shape = rng.normal(size=(count, 8))[identity] * 5 + offset * (drift * (1 - confidence) + 0.05)[:, None]
    return shape, confidence, identity


def test_centers_are_neutral_frontal_where_turning_away_moves_the_shape(rng):
    got = center_condition(*people(rng, 20, drift=3.0), rng)
    assert got.people == 20
    assert got.correlation.high < -0.6
    assert got.frontal.high < 0.5
    assert got.weighted.high < 1.0


def test_centers_say_nothing_where_pose_does_not_matter(rng):
    shape, _, identity = people(rng, 60, drift=0.0)
    got = center_condition(shape, rng.uniform(size=len(identity)), identity, rng)
    assert abs(got.correlation.mean) < 0.15
    assert got.frontal.mean == pytest.approx(1, abs=0.1)


def test_center_of_the_others_is_worked_out_by_hand(rng):
    # Samples 0, 2, 4, 10 on a line; centers of the others 16/3, 14/3, 4, 2: distances 16/3, 8/3, 0, 8.
    shape, confidence = np.array([[0.0], [2.0], [4.0], [10.0]]), np.array([0.1, 0.9, 0.3, 0.2])
    got = center_condition(shape, confidence, np.zeros(4, int), rng)
    assert got.frontal.mean == pytest.approx((8 / 3) / 4)
    # Ranks of distance 3 2 1 4, of confidence 1 4 3 2.
    assert got.correlation.mean == pytest.approx(np.corrcoef([3, 2, 1, 4], [1, 4, 3, 2])[0, 1])
    weighted = (0.1 * 0 + 0.3 * 4 + 0.2 * 10) / 0.6
    assert got.weighted.mean == pytest.approx(abs(2 - weighted) / (8 / 3))


def test_people_with_too_few_samples_have_no_center(rng):
    shape = rng.normal(size=(7, 2))
    identity = np.array([0, 0, 0, NO_IDENTITY, NO_IDENTITY, NO_IDENTITY, NO_IDENTITY])
    assert center_condition(shape, rng.uniform(size=7), identity, rng) is None


def test_orthonormal_basis_keeps_distances(rng):
    basis = np.linalg.qr(rng.normal(size=(60, 5)))[0].T
    got = basis_condition(basis)
    assert got.error == pytest.approx(0, abs=1e-12)
    assert got.distortion == pytest.approx(0, abs=1e-12)


def test_distortion_bounds_every_distance_and_is_reached(rng):
    basis = np.linalg.qr(rng.normal(size=(60, 5)))[0].T * np.array([1.0, 1.3, 0.8, 1.0, 1.0])[:, None]
    got = basis_condition(basis)
    assert (got.error, got.shortest, got.longest) == (pytest.approx(0.69), pytest.approx(0.8), pytest.approx(1.3))
    assert got.distortion == pytest.approx(0.3)
    difference = rng.normal(size=(200, 5))
    ratio = np.linalg.norm(difference @ basis, axis=1) / np.linalg.norm(difference, axis=1)
    assert got.shortest <= ratio.min() < ratio.max() <= got.longest


def test_samples_of_the_prior_fulfil_the_fourth_condition(rng):
    got = prior_condition(rng.normal(size=(4000, 30)), None, rng)
    assert got.length.mean == pytest.approx(got.ideal_length, rel=0.02)
    assert got.divergence == pytest.approx(got.divergence_floor, rel=0.4)
    assert got.divergence_floor == 30 / 4000
    assert got.inside == pytest.approx(0.95, abs=0.015)
    assert got.calibration < 0.03
    assert got.correlation == pytest.approx(1 / np.sqrt(4000), rel=0.2)


def test_shrunken_samples_do_not(rng):
    got = prior_condition(0.3 * rng.normal(size=(1000, 30)), None, rng)
    assert got.length.mean < 0.4 * got.ideal_length
    # Per mode (v - 1 - ln v) / 2 with v = 0.09, mean 0.
    assert got.divergence == pytest.approx(30 * (0.09 - 1 - np.log(0.09)) / 2, rel=0.02)
    assert (got.inside, got.shorter, got.longer) == (0, 1, 0)
    assert got.calibration > 0.99


def test_divergence_is_the_training_loss(rng):
    whitened = rng.normal(size=(50, 4)) * [1.0, 0.5, 2.0, 1.0] + [0.0, 1.0, 0.0, 0.0]
    want = sir.kl_to_standard_normal(jnp.asarray(whitened, jnp.float32), jnp.ones(50, bool))
    assert prior_condition(whitened, None, rng).divergence == pytest.approx(float(want), rel=1e-5)


def test_modes_that_move_together_are_seen(rng):
    one = rng.normal(size=500)
    got = prior_condition(np.stack([one, one, -one], axis=1), None, rng)
    assert got.correlation == pytest.approx(1)
    still = prior_condition(np.zeros((5, 3)), None, rng)
    assert still.correlation == 0


def test_a_single_sample_is_no_distribution(rng):
    with pytest.raises(ValueError, match="needs at least two samples, got 1"):
        prior_condition(np.ones((1, 3)), None, rng)
