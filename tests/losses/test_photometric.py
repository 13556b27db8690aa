import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.losses import photometric
from tests.references import losses as reference

pixel_loss = jax.jit(photometric.pixel_loss, static_argnames=("sigma_min", "include_constants"))


def uniform(difference, sigma):
    """Arguments for one 2 x 2 image with the same error and scale everywhere."""
    return jnp.full((1, 2, 2, 3), difference), jnp.zeros((1, 2, 2, 3)), jnp.ones((1, 2, 2)), jnp.full((1, 2, 2), sigma)


def test_loss_matches_the_equation(rng):
    rendered, image = rng.uniform(size=(2, 3, 5, 4, 3))
    mask, sigma = rng.uniform(size=(3, 5, 4)) < 0.6, rng.uniform(0.05, 1, size=(3, 5, 4))
    got = pixel_loss(*(jnp.asarray(a, jnp.float32) for a in (rendered, image, mask, sigma)))
    expected = [reference.pixel_loss(*sample) for sample in zip(rendered, image, mask, sigma + 1 / 255, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


@pytest.mark.parametrize(("difference", "sigma", "expected"), [(0.0, 1.0, 0.346574), (0.1, 0.1, -0.541798)])
def test_worked_numbers(difference, sigma, expected):
    # sqrt(2) d / s + ln(sqrt(2) s): 0 + ln 2 / 2, and 1.414214 - 1.956012.
    np.testing.assert_allclose(pixel_loss(*uniform(difference, sigma), sigma_min=0.0), [expected], atol=1e-6)


def test_without_constants_a_perfect_rendering_costs_nothing():
    got = pixel_loss(*uniform(0.0, 1.0), sigma_min=0.0, include_constants=False)
    np.testing.assert_allclose(got, [0.0], atol=1e-7)


def test_best_sigma_is_root_two_times_the_difference():
    rendered, image, mask, sigma = uniform(0.1, np.sqrt(2) * 0.1 - 1 / 255)
    slope = jax.grad(lambda s: pixel_loss(rendered, image, mask, s).sum())
    np.testing.assert_allclose(slope(sigma), np.zeros((1, 2, 2)), atol=1e-5)
    assert (slope(1.1 * sigma) > 0).all()
    assert (slope(0.9 * sigma) < 0).all()


def test_vanishing_sigma_is_bounded_and_can_grow_again():
    rendered, image, mask, sigma = uniform(0.2, 0.0)
    value, slope = jax.value_and_grad(lambda s: pixel_loss(rendered, image, mask, s).sum())(sigma)
    # sqrt(2) * 0.2 * 255 + ln(sqrt(2) / 255)
    np.testing.assert_allclose(value, 72.124892 - 5.194690, rtol=1e-5)
    assert (slope < 0).all()


def test_pixels_outside_the_mask_do_not_count(rng):
    rendered, image, _, sigma = uniform(0.1, 0.5)
    mask = jnp.array([[[1.0, 0.0], [0.0, 0.0]]])
    expected = pixel_loss(rendered, image, jnp.ones((1, 2, 2)), sigma)
    np.testing.assert_allclose(pixel_loss(rendered.at[0, 1].set(9.0), image, mask, sigma), expected, rtol=1e-6)


def test_face_out_of_view_costs_nothing_and_has_a_zero_gradient():
    rendered, image, mask, sigma = uniform(0.1, 0.5)
    value, gradients = jax.value_and_grad(lambda r, s: pixel_loss(r, image, 0 * mask, s).sum(), argnums=(0, 1))(
        rendered, sigma
    )
    assert value == 0
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))
