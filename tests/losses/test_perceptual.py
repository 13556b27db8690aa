import jax
import jax.numpy as jnp
import numpy as np

from sirjax.losses import perceptual
from tests.references import losses as reference

perceptual_loss = jax.jit(perceptual.perceptual_loss, static_argnames="sigma_min")


def test_loss_matches_the_equation(rng):
    rendered, image = rng.normal(size=(2, 2, 3, 4, 5))
    sigma = rng.uniform(0.5, 2, size=(2, 3, 4))
    got = perceptual_loss(*(jnp.asarray(a, jnp.float32) for a in (rendered, image, sigma)), sigma_min=0.25)
    expected = [reference.perceptual_loss(*sample) for sample in zip(rendered, image, sigma + 0.25, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_equal_features_at_sigma_one_cost_the_gaussian_constant():
    features = jnp.ones((1, 2, 2, 4))
    # ln sqrt(2 pi)
    np.testing.assert_allclose(
        perceptual_loss(features, features, jnp.ones((1, 2, 2)), sigma_min=0.0), [0.918939], atol=1e-6
    )


def test_best_sigma_is_the_root_mean_square_difference():
    # The channels differ by 1 and 7: sqrt((1 + 49) / 2) = 5.
    rendered = jnp.broadcast_to(jnp.array([1.0, 7.0]), (1, 2, 2, 2))
    slope = jax.grad(lambda s: perceptual_loss(rendered, jnp.zeros_like(rendered), s, sigma_min=0.0).sum())
    np.testing.assert_allclose(slope(jnp.full((1, 2, 2), 5.0)), np.zeros((1, 2, 2)), atol=1e-7)
    assert (slope(jnp.full((1, 2, 2), 5.5)) > 0).all()
    assert (slope(jnp.full((1, 2, 2), 4.5)) < 0).all()


def test_face_is_drawn_over_the_photo(rng):
    rendered, image = (jnp.asarray(a, jnp.float32) for a in rng.uniform(size=(2, 1, 3, 3, 3)))
    mask = jnp.zeros((1, 3, 3)).at[0, 1, 2].set(1.0)
    got = perceptual.compose_over(rendered, image, mask)
    np.testing.assert_array_equal(got[0, 1, 2], rendered[0, 1, 2])
    np.testing.assert_array_equal(got[0, 0], image[0, 0])
