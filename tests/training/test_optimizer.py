"""The optimizer against Adam written out, the schedules against their definition."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from sirjax.training.optimizer import make_optimizer, make_schedule


def adam_by_hand(start, gradients, *, rate, weight_decay, clip_norm):
    """torch.optim.Adam(weight_decay) on a gradient clipped together with the decay."""
    x, m, v = start.astype(np.float64), 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        g = g + weight_decay * x
        g = g * min(1.0, clip_norm / np.linalg.norm(g)) if clip_norm else g
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        x = x - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_weight_decay_is_coupled_and_clipped_with_the_gradient(rng, clip_norm):
    start, gradients = rng.normal(size=5), rng.normal(size=(4, 5))
    optimizer = make_optimizer(
        make_schedule("constant", learning_rate=0.1, total_steps=4), weight_decay=0.3, clip_norm=clip_norm
    )
    x = jnp.asarray(start, jnp.float32)
    state = optimizer.init(x)
    for gradient in gradients:
        updates, state = optimizer.update(jnp.asarray(gradient, jnp.float32), state, x)
        x = x + updates
    expected = adam_by_hand(start, gradients, rate=0.1, weight_decay=0.3, clip_norm=clip_norm)
    np.testing.assert_allclose(x, expected, rtol=1e-4)


def test_multistep_multiplies_at_each_milestone():
    schedule = make_schedule("multistep", learning_rate=1.0, total_steps=10, milestones=[2, 5], decay=0.1)
    rates = [float(schedule(step)) for step in range(7)]
    np.testing.assert_allclose(rates, [1, 1, 0.1, 0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def test_multistep_warmup_grows_linearly_and_does_not_shift_milestones():
    schedule = make_schedule("multistep", learning_rate=1.0, total_steps=10, milestones=[5], warmup_steps=4)
    rates = [float(schedule(step)) for step in range(6)]
    np.testing.assert_allclose(rates, [0.25, 0.5, 0.75, 1.0, 1.0, 0.1], rtol=1e-6)


def test_cosine_ends_at_zero_after_its_warmup():
    schedule = make_schedule("cosine", learning_rate=2.0, total_steps=20, warmup_steps=4)
    assert float(schedule(4)) == pytest.approx(2.0)
    assert float(schedule(12)) == pytest.approx(1.0)
    assert float(schedule(20)) == pytest.approx(0.0, abs=1e-7)


def test_unknown_schedule_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="unknown learning rate schedule 'linear'; known: multistep, cosine, constant"):
        make_schedule("linear", learning_rate=1.0, total_steps=1)


def test_clipping_bounds_the_global_norm_over_all_leaves():
    optimizer = make_optimizer(make_schedule("constant", learning_rate=1.0, total_steps=1), weight_decay=0.0)
    params = {"a": jnp.zeros(3), "b": jnp.zeros(4)}
    state = optimizer.init(params)
    large = jax.tree.map(lambda leaf: jnp.full_like(leaf, 100.0), params)
    _, after = optimizer.update(large, state, params)
    first_moment = after[2][0].mu  # 0.1 x the clipped gradient
    total = sum(float(jnp.sum(jnp.square(leaf))) for leaf in jax.tree.leaves(first_moment))
    assert np.sqrt(total) == pytest.approx(0.1, rel=1e-5)


def test_clipping_keeps_the_proportion_of_loss_and_decay():
    # One weight's loss gradient is 1000 times another's; the small one must still outweigh the decay after clipping.
    optimizer = make_optimizer(make_schedule("constant", learning_rate=0.1, total_steps=1), weight_decay=0.01)
    params = {"large": jnp.ones(1), "small": jnp.ones(1)}
    gradient = {"large": jnp.full(1, 1e3), "small": jnp.full(1, -1.0)}
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    assert float(updates["small"][0]) == pytest.approx(0.1, rel=1e-3)  # along the loss, against the decay


def test_muon_moves_kernels_along_orthogonal_matrices_and_the_rest_by_nesterov_adam(rng):
    schedule = make_schedule("constant", learning_rate=0.1, total_steps=1)
    params = {"kernel": jnp.asarray(rng.normal(size=(3, 3, 4, 5)), jnp.float32), "bias": jnp.ones(7)}
    gradient = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), params)
    optimizer = make_optimizer(schedule, kind="muon", muon_factor=2.0, weight_decay=0.0, clip_norm=0.0)
    updates, _ = optimizer.update(gradient, optimizer.init(params), params)
    by_adam, _ = optax.nadam(schedule).update(gradient, optax.nadam(schedule).init(params))
    np.testing.assert_allclose(updates["bias"], by_adam["bias"], rtol=1e-4)
    # The nearest orthogonal matrix U V^T has singular values 1; five Newton-Schulz steps come within some 30 %.
    u, _, vt = np.linalg.svd(np.asarray(gradient["kernel"]).reshape(36, 5), full_matrices=False)
    moved = -np.asarray(updates["kernel"]).reshape(36, 5) / (2.0 * 0.1)
    assert np.abs(np.linalg.svd(moved, compute_uv=False) - 1).max() < 0.35
    assert np.sum(moved * (u @ vt)) / (np.linalg.norm(moved) * np.linalg.norm(u @ vt)) > 0.97


def test_unknown_optimizer_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="unknown optimizer 'sgd'; known: adam, muon"):
        make_optimizer(optax.constant_schedule(0.1), kind="sgd")
