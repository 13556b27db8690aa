"""Relational distillation against pairs one at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.losses.teacher import relational_loss
from tests.references import losses as reference


def values(shape, descriptor, member, **options):
    arrays = jnp.asarray(shape, jnp.float32), jnp.asarray(descriptor, jnp.float32), jnp.asarray(member)
    return np.asarray(relational_loss(*arrays, **options))


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.1, 1.0]))
def test_loss_matches_the_equation(seed, delta):
    rng = np.random.default_rng(seed)
    shape, descriptor, member = 300 + rng.normal(size=(7, 5)), rng.normal(size=(7, 3)), rng.uniform(size=7) < 0.7
    expected = reference.relational_loss(shape, descriptor, member, delta)
    np.testing.assert_allclose(values(shape, descriptor, member, delta=delta), expected, rtol=1e-3, atol=1e-5)


def test_three_samples_give_worked_numbers():
    # Distances 1, 1, 2, of mean 4/3, against 1, 1, 1: off by 1/4, 1/4, 1/2. Huber halves the squares; two per sample.
    shape, descriptor = [[0.0], [1.0], [2.0]], np.eye(3)
    first, middle = (1 / 32 + 1 / 8) / 2, (1 / 32 + 1 / 32) / 2
    np.testing.assert_allclose(values(shape, descriptor, [True] * 3), [first, middle, first], rtol=1e-5)


def test_distances_in_proportion_to_the_teachers_cost_nothing(rng):
    descriptor = rng.normal(size=(6, 4))
    np.testing.assert_allclose(values(17 * descriptor, descriptor, np.ones(6, bool)), 0, atol=1e-9)


def test_samples_without_a_teacher_enter_nothing(rng):
    shape, descriptor, member = rng.normal(size=(6, 4)), rng.normal(size=(6, 3)), np.arange(6) != 2
    elsewhere = shape.copy()
    elsewhere[2] = 1e4
    whole = values(shape, descriptor, member)
    np.testing.assert_array_equal(whole, values(elsewhere, descriptor, member))
    np.testing.assert_allclose(whole[member], values(shape[member], descriptor[member], [True] * 5), rtol=1e-5)
    assert whole[2] == 0


@pytest.mark.parametrize("count", [0, 1])
def test_a_single_member_costs_nothing_and_has_a_finite_gradient(rng, count):
    member = jnp.arange(4) < count
    shape, descriptor = jnp.asarray(rng.normal(size=(4, 3))), jnp.asarray(rng.normal(size=(4, 2)))
    value, gradient = jax.value_and_grad(lambda s: relational_loss(s, descriptor, member).sum())(shape)
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros((4, 3)))


def test_equal_shapes_have_a_finite_gradient(rng):
    descriptor = jnp.asarray(rng.normal(size=(4, 2)))
    gradient = jax.grad(lambda s: relational_loss(s, descriptor, jnp.ones(4, bool)).sum())(jnp.ones((4, 3)))
    assert np.isfinite(gradient).all()


def test_gradient_is_that_of_finite_differences(rng):
    shape, descriptor, member = rng.normal(size=(5, 2)), rng.normal(size=(5, 3)), np.arange(5) != 4
    gradient = jax.grad(lambda s: relational_loss(s, jnp.asarray(descriptor), jnp.asarray(member)).sum())(
        jnp.asarray(shape)
    )
    step, expected = 1e-5, np.zeros_like(shape)
    for place in np.ndindex(shape.shape):
        there, back = shape.copy(), shape.copy()
        there[place], back[place] = shape[place] + step, shape[place] - step
        up, down = (sum(reference.relational_loss(s, descriptor, member, 1.0)) for s in (there, back))
        expected[place] = (up - down) / (2 * step)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-5)


def test_a_delta_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="delta must be positive, got 0"):
        relational_loss(jnp.ones((2, 1)), jnp.ones((2, 1)), jnp.ones(2, bool), delta=0)
