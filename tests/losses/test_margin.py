import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.constants import NO_IDENTITY
from sirjax.losses import margin
from tests.references import losses as reference

identity_loss = jax.jit(margin.identity_loss, static_argnames=("kind", "scale", "margin"))
softmax_loss = jax.jit(margin.softmax_loss)
cosface_loss = jax.jit(functools.partial(margin.cosface_loss, scale=8.0, margin=0.2))
arcface_loss = jax.jit(functools.partial(margin.arcface_loss, scale=8.0, margin=0.2))


def arguments(rng, samples=6, classes=5, size=4):
    embedding, class_weights = rng.normal(size=(samples, size)), rng.normal(size=(classes, size))
    return embedding, class_weights, rng.integers(classes, size=samples)


def as_jax(embedding, class_weights, identity):
    return jnp.asarray(embedding, jnp.float32), jnp.asarray(class_weights, jnp.float32), jnp.asarray(identity)


def test_softmax_matches_the_equation(rng):
    embedding, class_weights, identity = arguments(rng)
    expected = [reference.cross_entropy(x @ class_weights.T, y) for x, y in zip(embedding, identity, strict=True)]
    np.testing.assert_allclose(softmax_loss(*as_jax(embedding, class_weights, identity)), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "oracle"), [(cosface_loss, reference.cosface_loss), (arcface_loss, reference.arcface_loss)]
)
def test_margin_losses_match_their_equations(rng, loss, oracle):
    embedding, class_weights, identity = arguments(rng)
    class_weights[identity] += embedding  # keeps the angle to the own class below pi - margin
    expected = [oracle(x, class_weights, y, 8.0, 0.2) for x, y in zip(embedding, identity, strict=True)]
    np.testing.assert_allclose(loss(*as_jax(embedding, class_weights, identity)), expected, rtol=2e-4)


def test_equal_logits_cost_the_logarithm_of_the_number_of_classes():
    loss = softmax_loss(jnp.zeros((1, 2)), jnp.ones((8631, 2)), jnp.array([7]))
    np.testing.assert_allclose(loss, [9.063], atol=1e-3)


def test_cosface_gives_a_worked_number():
    # cos = 1 to the own class, 0 to the other; logits 2 * (1 - 0.5) = 1 and 0: ln(1 + e^-1).
    got = margin.cosface_loss(
        jnp.array([[3.0, 0.0]]), jnp.array([[2.0, 0.0], [0.0, 5.0]]), jnp.array([0]), scale=2.0, margin=0.5
    )
    np.testing.assert_allclose(got, [0.313262], rtol=1e-5)


def test_arcface_keeps_rising_behind_the_opposite_direction():
    # theta = pi: cos(theta + m) would be -cos m > -1; the logit continues as -1 - m sin m instead.
    opposite, behind = jnp.array([[-1.0, 0.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    got = margin.arcface_loss(opposite, behind, jnp.array([0]), scale=1.0, margin=0.5)
    logit = -1 - 0.5 * np.sin(0.5)
    np.testing.assert_allclose(got, [np.log(1 + np.exp(-logit))], rtol=1e-5)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_cosface_and_arcface_ignore_lengths(embedding_length, weight_length):
    embedding, class_weights, identity = as_jax(*arguments(np.random.default_rng(1)))
    for loss in (cosface_loss, arcface_loss):
        stretched = loss(
            jnp.float32(embedding_length) * embedding, jnp.float32(weight_length) * class_weights, identity
        )
        np.testing.assert_allclose(stretched, loss(embedding, class_weights, identity), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", margin.KINDS)
def test_samples_without_identity_cost_nothing_and_move_nothing(rng, kind):
    embedding, class_weights, _ = as_jax(*arguments(rng))
    nobody = jnp.full(6, NO_IDENTITY)
    loss = functools.partial(identity_loss, kind, identity=nobody, scale=8.0, margin=0.2)
    gradients = jax.jit(jax.grad(lambda x, w: loss(x, w).sum(), argnums=(0, 1)))(embedding, class_weights)
    np.testing.assert_array_equal(loss(embedding, class_weights), np.zeros(6))
    for gradient in gradients:
        np.testing.assert_array_equal(gradient, np.zeros_like(gradient))


@pytest.mark.parametrize("kind", margin.KINDS)
def test_all_zero_and_perfectly_aligned_embeddings_have_finite_gradients(kind):
    embedding, class_weights = jnp.array([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]), jnp.eye(2)

    def loss(x, w):
        return margin.identity_loss(kind, x, w, jnp.zeros(3, int), scale=32.0, margin=0.2).sum()

    for gradient in jax.jit(jax.grad(loss, argnums=(0, 1)))(embedding, class_weights):
        assert np.isfinite(gradient).all()


def test_dispatcher_calls_the_loss_it_names(rng):
    inputs = as_jax(*arguments(rng))
    for kind, loss in (("cosface", cosface_loss), ("arcface", arcface_loss), ("softmax", softmax_loss)):
        got = identity_loss(kind, *inputs, scale=8.0, margin=0.2)
        np.testing.assert_allclose(got, loss(*inputs), rtol=1e-5)


def test_unknown_kind_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="unknown identity loss 'triplet'; choose one of softmax, cosface, arcface"):
        margin.identity_loss("triplet", jnp.ones((1, 2)), jnp.ones((1, 2)), jnp.zeros(1, int), scale=1.0, margin=0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": 0.0, "margin": 0.2}, r"scale must be positive, got 0\.0"),
        ({"scale": 8.0, "margin": -0.1}, r"margin must not be negative, got -0\.1"),
    ],
)
def test_scale_and_margin_out_of_range_are_refused(settings, message):
    for kind in ("cosface", "arcface"):
        with pytest.raises(ValueError, match=message):
            margin.identity_loss(kind, jnp.ones((1, 2)), jnp.ones((1, 2)), jnp.zeros(1, int), **settings)
