import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.geometry import similarity
from sirjax.geometry.similarity import Similarity

fit_similarity, apply_similarity = jax.jit(similarity.fit_similarity), jax.jit(similarity.apply_similarity)


def random_rotation(rng, dim):
    q, _ = np.linalg.qr(rng.normal(size=(dim, dim)))
    q[:, 0] *= np.sign(np.linalg.det(q))
    return q


def random_similarity(rng, dim, batch=3):
    rotation = np.stack([random_rotation(rng, dim) for _ in range(batch)])
    return Similarity(
        scale=jnp.asarray(rng.uniform(0.5, 2, batch), jnp.float32),
        rotation=jnp.asarray(rotation, jnp.float32),
        translation=jnp.asarray(rng.normal(size=(batch, dim)), jnp.float32),
    )


@pytest.mark.parametrize("dim", [2, 3])
def test_known_similarity_is_recovered(rng, dim):
    known = random_similarity(rng, dim)
    source = jnp.asarray(rng.normal(size=(3, 9, dim)), jnp.float32)
    got = fit_similarity(source, apply_similarity(known, source))
    np.testing.assert_allclose(got.scale, known.scale, rtol=1e-5)
    np.testing.assert_allclose(got.rotation, known.rotation, atol=1e-5)
    np.testing.assert_allclose(got.translation, known.translation, atol=1e-5)


def test_points_are_scaled_turned_and_shifted():
    quarter_turn = jnp.array([[[0.0, -1.0], [1.0, 0.0]]])
    transform = Similarity(scale=jnp.array([2.0]), rotation=quarter_turn, translation=jnp.array([[10.0, 20.0]]))
    # (3, 0) turns to (0, 3), doubles to (0, 6), lands on (10, 26).
    np.testing.assert_allclose(apply_similarity(transform, jnp.array([[[3.0, 0.0]]])), [[[10, 26]]])


@pytest.mark.parametrize("dim", [2, 3])
def test_no_nearby_similarity_fits_noisy_points_better(rng, dim):
    source, target = rng.normal(size=(2, 1, 12, dim))
    weights = rng.uniform(0.1, 1, size=(1, 12))

    def cost(transform):
        moved = np.asarray(apply_similarity(transform, jnp.asarray(source, jnp.float32)), np.float64)
        return (weights[..., None] * (moved - target) ** 2).sum()

    arrays = (jnp.asarray(a, jnp.float32) for a in (source, target, weights))
    best = fit_similarity(*arrays)
    assert np.linalg.det(np.asarray(best.rotation[0])) == pytest.approx(1, abs=1e-5)
    for _ in range(50):
        turn = np.linalg.qr(np.eye(dim) + 0.03 * rng.normal(size=(dim, dim)))[0]
        turn *= np.sign(np.diag(turn))  # near the identity, not near a reflection
        other = Similarity(
            scale=best.scale * (1 + 0.03 * rng.normal()),
            rotation=best.rotation @ jnp.asarray(turn, jnp.float32),
            translation=best.translation + jnp.asarray(0.03 * rng.normal(size=(1, dim)), jnp.float32),
        )
        assert cost(other) > cost(best)


def test_mirrored_points_are_turned_never_reflected(rng):
    source = rng.normal(size=(1, 10, 3))
    got = fit_similarity(jnp.asarray(source, jnp.float32), jnp.asarray(source * [-1, 1, 1], jnp.float32))
    assert np.linalg.det(np.asarray(got.rotation[0])) == pytest.approx(1, abs=1e-5)


def test_points_of_weight_zero_do_not_matter(rng):
    known = random_similarity(rng, 3, batch=1)
    source = jnp.asarray(rng.normal(size=(1, 8, 3)), jnp.float32)
    target = apply_similarity(known, source).at[0, 0].add(1000.0)
    got = fit_similarity(source, target, jnp.ones((1, 8)).at[0, 0].set(0.0))
    np.testing.assert_allclose(got.scale, known.scale, rtol=1e-5)
    np.testing.assert_allclose(got.translation, known.translation, atol=1e-4)


def test_coinciding_points_give_a_finite_similarity():
    got = fit_similarity(jnp.ones((1, 5, 3)), jnp.full((1, 5, 3), 4.0))
    np.testing.assert_allclose(apply_similarity(got, jnp.ones((1, 1, 3))), np.full((1, 1, 3), 4.0))
