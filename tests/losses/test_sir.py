import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.constants import NO_IDENTITY
from sirjax.geometry.rotation import rotation_from_euler
from sirjax.losses import sir
from tests.references import losses as reference

kl = jax.jit(sir.kl_to_standard_normal)
update_centers = jax.jit(sir.update_centers, static_argnames="rate")


def turned(yaw_degrees):
    angle = jnp.deg2rad(jnp.array([float(yaw_degrees)]))
    return rotation_from_euler(jnp.zeros(1), angle, jnp.zeros(1))


# Centers


def test_center_loss_is_half_the_squared_distance():
    # (3, 4) is 5 from the origin: 25 / 2.
    got = sir.center_loss(jnp.array([[4.0, 6.0]]), jnp.array([[9.0, 9.0], [1.0, 2.0]]), jnp.array([1]))
    np.testing.assert_allclose(got, [12.5])


def test_samples_without_identity_cost_nothing():
    loss = sir.center_loss(jnp.ones((2, 3)), jnp.zeros((1, 3)), jnp.array([0, NO_IDENTITY]))
    np.testing.assert_allclose(loss, [1.5, 0.0])


def test_center_loss_pulls_labelled_shapes_only_and_never_the_centers():
    shape, centers, identity = jnp.ones((2, 3)), jnp.zeros((1, 3)), jnp.array([0, NO_IDENTITY])
    to_shape, to_centers = jax.grad(lambda s, c: sir.center_loss(s, c, identity).sum(), argnums=(0, 1))(shape, centers)
    np.testing.assert_array_equal(to_shape, [[1, 1, 1], [0, 0, 0]])
    np.testing.assert_array_equal(to_centers, [[0, 0, 0]])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_update_matches_the_equation(seed):
    rng = np.random.default_rng(seed)
    centers, shape = rng.normal(size=(5, 3)), rng.normal(size=(16, 3))
    identity, weight = rng.integers(-1, 4, size=16), rng.uniform(size=16)  # identity 4 is never seen
    arrays = (jnp.asarray(a, jnp.float32) for a in (centers, shape))
    got = update_centers(*arrays, jnp.asarray(identity), jnp.asarray(weight, jnp.float32), rate=0.5)
    np.testing.assert_allclose(got, reference.update_centers(centers, shape, identity, weight, 0.5), atol=2e-6)


def test_samples_of_one_identity_add_up():
    # pull = 1 * (1 - 0) + 0.5 * (3 - 0) = 2.5 and two samples count, so the center lands on 2.5 / (1 + 2).
    shape, identity = jnp.array([[1.0], [3.0]]), jnp.array([0, 0])
    got = sir.update_centers(jnp.zeros((1, 1)), shape, identity, jnp.array([1.0, 0.5]), rate=1.0)
    np.testing.assert_allclose(got, [[0.833333]], rtol=1e-5)


def test_samples_without_identity_and_identities_without_samples_change_no_center(rng):
    centers = jnp.asarray(rng.normal(size=(3, 4)), jnp.float32)
    identity = jnp.array([1, NO_IDENTITY, NO_IDENTITY])
    got = sir.update_centers(centers, jnp.ones((3, 4)), identity, jnp.ones(3), rate=1.0)
    np.testing.assert_array_equal(got[0], centers[0])
    np.testing.assert_array_equal(got[2], centers[2])
    assert (got[1] != centers[1]).all()


def test_fully_trusted_samples_give_the_update_of_wen_et_al(rng):
    centers, shape = rng.normal(size=(2, 3)), rng.normal(size=(4, 3))
    identity = np.array([0, 0, 1, 0])
    expected = centers.copy()
    for j in range(2):  # Wen et al. 2016, Eq. 4: delta = sum (c - x) / (1 + n)
        expected[j] -= 0.5 * (centers[j] - shape[identity == j]).sum(axis=0) / (1 + np.sum(identity == j))
    arrays = (jnp.asarray(a, jnp.float32) for a in (centers, shape))
    np.testing.assert_allclose(
        update_centers(*arrays, jnp.asarray(identity), jnp.ones(4), rate=0.5), expected, atol=1e-6
    )


def test_no_gradient_passes_through_the_update():
    gradient = jax.grad(lambda s: sir.update_centers(jnp.zeros((1, 1)), s, jnp.array([0]), jnp.ones(1), rate=1.0).sum())
    np.testing.assert_array_equal(gradient(jnp.ones((1, 1))), [[0]])


def test_devices_agree_on_the_centers_of_the_whole_batch(rng):
    centers, shape = rng.normal(size=(4, 3)), rng.normal(size=(12, 3))
    identity, weight = rng.integers(-1, 4, size=12), rng.uniform(size=12)
    identity[:3] = NO_IDENTITY  # the first device has no identity at all
    update = jax.pmap(
        functools.partial(sir.update_centers, rate=0.5, axis_name="devices"),
        axis_name="devices",
        in_axes=(None, 0, 0, 0),
        devices=jax.devices()[:4],
    )
    split = (jnp.asarray(a.reshape(4, 3, *a.shape[1:])) for a in (shape.astype(np.float32), identity))
    got = update(jnp.asarray(centers, jnp.float32), *split, jnp.asarray(weight.reshape(4, 3), jnp.float32))
    expected = reference.update_centers(centers, shape, identity, weight, 0.5)
    np.testing.assert_allclose(got, np.broadcast_to(expected, (4, 4, 3)), atol=2e-6)
    np.testing.assert_array_equal(got, np.broadcast_to(got[0], (4, 4, 3)))


@pytest.mark.parametrize("rate", [0.0, 2.0])
def test_rate_outside_unit_interval_is_refused(rate):
    with pytest.raises(ValueError, match=rf"rate must be in \(0, 1\], got {rate}"):
        sir.update_centers(jnp.zeros((1, 1)), jnp.zeros((0, 1)), jnp.zeros(0, int), jnp.zeros(0), rate=rate)


# Confidence


@pytest.mark.parametrize(
    ("yaw", "expression", "form", "expected"),
    [
        (0, 0.0, "paper", 1.0),
        (60, 0.0, "paper", 0.75),  # (cos 60 + 1) / 2
        (90, 0.0, "paper", 0.5),
        (60, 1.5, "paper", 0.454898),  # 0.75 e^-0.5
        (0, 0.0, "relu_cos", 1.0),
        (60, 0.0, "relu_cos", 0.5),
        (90, 0.0, "relu_cos", 0.0),
    ],
)
def test_confidence_gives_worked_numbers(yaw, expression, form, expected):
    got = sir.neutral_frontal_confidence(turned(yaw), jnp.array([[expression, 0.0]]), form=form)
    np.testing.assert_allclose(got, [expected], atol=1e-6)


def test_all_three_angles_count():
    pitch, yaw, roll = 0.3, -0.7, 0.5
    r = rotation_from_euler(*(jnp.array([a]) for a in (pitch, yaw, roll)))
    expected = np.prod([(np.cos(a) + 1) / 2 for a in (pitch, yaw, roll)])
    np.testing.assert_allclose(sir.neutral_frontal_confidence(r, jnp.zeros((1, 3))), [expected], rtol=1e-5)


def test_face_seen_from_behind_is_not_trusted():
    np.testing.assert_allclose(sir.neutral_frontal_confidence(turned(180), jnp.zeros((1, 3))), [0.0], atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(*[st.floats(-3.1, 3.1)] * 3, st.floats(0, 100))
def test_confidence_is_a_share(pitch, yaw, roll, expression):
    r = rotation_from_euler(*(jnp.array([a], jnp.float32) for a in (pitch, yaw, roll)))
    for form in sir.CONFIDENCE_FORMS:
        got = sir.neutral_frontal_confidence(r, jnp.full((1, 2), expression, jnp.float32), form=form)
        assert 0 <= got[0] <= 1 + 1e-6


def test_confidence_is_a_constant_for_gradients():
    gradients = jax.grad(lambda r, e: sir.neutral_frontal_confidence(r, e).sum(), argnums=(0, 1))(
        turned(30), jnp.zeros((1, 2))
    )
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


def test_unknown_confidence_form_is_refused():
    with pytest.raises(ValueError, match="unknown confidence form 'cos'; choose one of paper, relu_cos"):
        sir.neutral_frontal_confidence(turned(0), jnp.zeros((1, 2)), form="cos")


def test_negative_decay_is_refused():
    with pytest.raises(ValueError, match=r"decay must not be negative, got -0\.5"):
        sir.neutral_frontal_confidence(turned(0), jnp.zeros((1, 2)), decay=-0.5)


# KL


def with_moments(mean, std, size=199):
    """Two members per dimension whose mean and biased standard deviation are exactly these."""
    return jnp.broadcast_to(jnp.array([[mean - std], [mean + std]]), (2, size)), jnp.ones(2, bool)


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [(0.0, 1.0, 0.0), (0.0, 0.5, 63.3113), (1.0, 1.0, 199 * 0.5)],
)
def test_kl_of_known_moments(mean, std, expected):
    np.testing.assert_allclose(kl(*with_moments(mean, std)), expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(-3, 3), st.floats(0.01, 5))
def test_kl_matches_the_equation_is_never_negative_and_ignores_the_order(seed, mean, std):
    rng = np.random.default_rng(seed)
    whitened, member = rng.normal(mean, std, size=(12, 4)), rng.uniform(size=12) < 0.7
    member[:2] = True
    got = kl(jnp.asarray(whitened, jnp.float32), jnp.asarray(member))
    np.testing.assert_allclose(got, reference.kl_to_standard_normal(whitened[member]), rtol=1e-4, atol=1e-4)
    assert got >= 0
    order = rng.permutation(12)
    shuffled = kl(jnp.asarray(whitened[order], jnp.float32), jnp.asarray(member[order]))
    np.testing.assert_allclose(shuffled, got, rtol=1e-4, atol=1e-5)


def test_samples_of_the_prior_cost_about_modes_over_members(rng):
    values = [float(kl(jnp.asarray(rng.normal(size=(80, 199)), jnp.float32), jnp.ones(80, bool))) for _ in range(5)]
    assert np.mean(values) == pytest.approx(199 / 80, rel=0.1)


@pytest.mark.parametrize("members", [0, 1])
def test_fewer_than_two_members_cost_nothing_and_have_a_zero_gradient(members):
    member = jnp.arange(4) < members
    value, gradient = jax.value_and_grad(kl)(jnp.ones((4, 3)), member)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((4, 3)))


def test_collapsed_batch_has_a_finite_gradient_and_non_members_have_none():
    value, gradient = jax.value_and_grad(kl)(jnp.zeros((4, 3)), jnp.array([True, True, True, False]))
    # Per mode (0 + 0 - 1 - ln 1e-8) / 2.
    np.testing.assert_allclose(value, 3 * 0.5 * (np.log(1e8) - 1), rtol=1e-5)
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(gradient[3], [0, 0, 0])


def test_shrinking_shapes_are_pushed_apart(rng):
    whitened = jnp.asarray(0.3 * rng.normal(size=(64, 5)), jnp.float32)
    gradient = jax.grad(kl)(whitened, jnp.ones(64, bool))
    assert kl(whitened - gradient, jnp.ones(64, bool)) < kl(whitened, jnp.ones(64, bool))
    assert jnp.sum(gradient * whitened) < 0  # descending makes the shapes longer
