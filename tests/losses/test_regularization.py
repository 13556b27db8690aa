import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.losses import regularization
from tests.references import losses as reference

albedo_regularization = jax.jit(regularization.albedo_regularization, static_argnames=("eps_uv", "squared"))


def test_coefficient_prior_is_the_squared_length():
    np.testing.assert_allclose(regularization.coefficient_prior(jnp.array([[1.0, 2.0, 2.0], [0, 0, 0]])), [9, 0])


@pytest.mark.parametrize("squared", [False, True])
def test_albedo_regularization_matches_a_loop_over_texels(rng, squared):
    residual, mask = rng.normal(size=(2, 7, 7, 3)), rng.uniform(size=(7, 7)) < 0.7
    got = albedo_regularization(jnp.asarray(residual, jnp.float32), jnp.asarray(mask), eps_uv=0.3, squared=squared)
    expected = [reference.albedo_regularization(r, mask, 0.3, squared) for r in residual]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_constant_residual_is_smooth_up_to_the_border_of_the_face():
    mask = jnp.zeros((5, 5), bool).at[1:4, 1:4].set(True)
    residual = jnp.where(mask[None, :, :, None], 0.2, 77.0) * jnp.ones((1, 1, 1, 3))
    # Size 0.5 * 3 * 0.2^2 = 0.06. Texels outside the face, whatever they hold, are nobody's neighbors.
    got = albedo_regularization(residual, mask, eps_uv=0.5, squared=True)
    np.testing.assert_allclose(got, [0.06], rtol=1e-5)


def test_one_bright_texel_gives_worked_numbers():
    # Plus-shaped face of 5 texels, 1 in red at the center. Center: |1 - 0| = 1. Each arm has the center as its only
    # neighbor: |0 - 1| = 1. Smoothness (1 + 4) / 5 = 1, size 1 / 5.
    mask = jnp.array([[False, True, False], [True, True, True], [False, True, False]])
    residual = jnp.zeros((1, 3, 3, 3)).at[0, 1, 1, 0].set(1.0)
    np.testing.assert_allclose(albedo_regularization(residual, mask, eps_uv=0.1), [1.02], rtol=1e-5)


def test_mean_albedo_has_a_finite_gradient():
    mask = jnp.eye(4, dtype=bool)  # no texel has a neighbor
    loss = functools.partial(albedo_regularization, uv_mask=mask, eps_uv=0.1)
    gradient = jax.grad(lambda r: loss(r).sum())(jnp.zeros((1, 4, 4, 3)))
    np.testing.assert_array_equal(gradient, np.zeros((1, 4, 4, 3)))


def test_empty_mask_costs_nothing():
    got = albedo_regularization(jnp.ones((2, 4, 4, 3)), jnp.zeros((4, 4), bool), eps_uv=0.1)
    np.testing.assert_array_equal(got, [0, 0])
