import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.losses import margin, sir
from sirjax.losses.total import TERMS, LossWeights, masked_mean, weighted_total
from tests.references import losses as reference

LABELS = (np.array([True, True, False, False, True, False]), np.array([False, True, True, True, False, False]))


def random_terms(rng, samples=6):
    return {name: rng.uniform(size=samples) for name in TERMS}


def as_jax(terms):
    return {name: jnp.asarray(values, jnp.float32) for name, values in terms.items()}


@pytest.mark.parametrize("shape_prior_on_identity", [False, True])
def test_total_matches_the_equation(rng, shape_prior_on_identity):
    terms, kl = random_terms(rng), 1.7
    values = rng.uniform(0.1, 3, size=11)
    weights = LossWeights(*values, shape_prior_on_identity=shape_prior_on_identity)
    weights = dataclasses.replace(weights, sir=0.7, regularization=1.3)
    got, metrics = weighted_total(as_jax(terms), jnp.float32(kl), *map(jnp.asarray, LABELS), weights)
    assert float(got) == pytest.approx(reference.total(terms, kl, *LABELS, weights), rel=1e-5)
    assert metrics["total"] == got


def test_default_weights_are_those_of_the_method_page():
    # The bookkeeping line: L_SIR = 20 L_sm + 4e-3 L_c + 5 L_kl.
    weights = LossWeights()
    assert [weights.factor(name) for name in ("softmax", "center", "kl")] == [20, 4e-3, 5]
    assert [weights.factor(name) for name in ("landmark", "pixel", "perceptual")] == [1, 1, 0.25]
    assert [weights.factor(name) for name in ("shape_prior", "expression_prior", "albedo")] == [0.01, 1e-3, 1]


def test_common_multipliers_reach_their_terms_only():
    weights = LossWeights(sir=2.0, regularization=3.0)
    factors = {name: weights.factor(name) / LossWeights().factor(name) for name in (*TERMS, "kl")}
    assert {name for name, factor in factors.items() if factor == 2} == {"softmax", "center", "kl"}
    assert {name for name, factor in factors.items() if factor == 3} == {"shape_prior", "expression_prior", "albedo"}


def test_metrics_are_unweighted_means_over_the_samples_a_term_is_for(rng):
    terms = random_terms(rng)
    has_landmarks, has_identity = LABELS
    _, metrics = weighted_total(as_jax(terms), jnp.float32(2.0), *map(jnp.asarray, LABELS), LossWeights())
    assert set(metrics) == {*TERMS, "kl", "total"}
    assert metrics["landmark"] == pytest.approx(terms["landmark"][has_landmarks].mean())
    assert metrics["center"] == pytest.approx(terms["center"][has_identity].mean())
    assert metrics["shape_prior"] == pytest.approx(terms["shape_prior"][~has_identity].mean())
    assert metrics["pixel"] == pytest.approx(terms["pixel"].mean())
    assert metrics["kl"] == 2


@pytest.mark.parametrize("name", ["perceptual", "center", "kl"])
def test_weight_zero_equals_leaving_the_term_out(rng, name):
    terms, kl = as_jax(random_terms(rng)), jnp.float32(1.5)
    labels = [jnp.asarray(flags) for flags in LABELS]
    off, metrics = weighted_total(terms, kl, *labels, dataclasses.replace(LossWeights(), **{name: 0.0}))
    kept = {other: values for other, values in terms.items() if other != name}
    left_out, _ = weighted_total(kept, None if name == "kl" else kl, *labels, LossWeights())
    assert off == left_out
    assert name in metrics  # still worth watching


def test_broken_term_of_weight_zero_does_not_break_the_total(rng):
    terms = as_jax(random_terms(rng)) | {"perceptual": jnp.full(6, jnp.nan)}
    got, _ = weighted_total(terms, None, *map(jnp.asarray, LABELS), LossWeights(perceptual=0.0))
    assert np.isfinite(got)


def test_masked_mean_of_nobody_is_zero_and_has_a_zero_gradient():
    value, gradient = jax.value_and_grad(lambda v: masked_mean(v, jnp.zeros(3, bool)))(jnp.ones(3))
    assert value == 0
    np.testing.assert_array_equal(gradient, [0, 0, 0])


def test_unknown_term_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="unknown loss term 'gan'; known terms: landmark, pixel, perceptual"):
        weighted_total({"gan": jnp.ones(2)}, None, jnp.ones(2, bool), jnp.ones(2, bool), LossWeights())


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_weight_that_is_no_weight_is_refused(value):
    with pytest.raises(ValueError, match=f"loss weight kl must be finite and not negative, got {value}"):
        LossWeights(kl=value)


# A miniature of the training loss: linear "networks", with every kind of term, to check gradients across devices.


def miniature_loss(params, batch, axis_name=None):
    shape = batch["image"] @ params["encoder"]
    has_identity = batch["identity"] != NO_IDENTITY
    terms = {
        "landmark": jnp.sum(jnp.square(batch["image"] @ params["landmarks"] - batch["landmarks"]), axis=-1),
        "pixel": jnp.sum(jnp.abs(shape - 1.0), axis=-1),
        "shape_prior": jnp.sum(jnp.square(shape), axis=-1),
        "softmax": margin.cosface_loss(shape, params["classes"], batch["identity"], scale=8.0, margin=0.2),
        "center": sir.center_loss(shape, batch["centers"], batch["identity"]),
    }
    kl = sir.kl_to_standard_normal(shape, has_identity, axis_name=axis_name)
    weights = LossWeights(softmax=2.0, center=0.5, kl=1.0)
    return weighted_total(terms, kl, batch["has_landmarks"], has_identity, weights, axis_name=axis_name)


def miniature(rng, samples=8):
    params = {
        "encoder": rng.normal(size=(5, 3)),
        "landmarks": rng.normal(size=(5, 2)),
        "classes": rng.normal(size=(4, 3)),
    }
    batch = {
        "image": rng.normal(size=(samples, 5)),
        "landmarks": rng.normal(size=(samples, 2)),
        "centers": np.broadcast_to(rng.normal(size=(4, 3)), (samples, 4, 3)),  # repeated for an easy split
        "has_landmarks": rng.uniform(size=samples) < 0.6,
        "identity": rng.integers(4, size=samples).astype(np.int32),
    }
    floats = functools.partial(jax.tree.map, lambda a: jnp.asarray(a, jnp.float32 if a.dtype == float else a.dtype))
    return floats(params), floats(batch)


def whole(batch):
    return batch | {"centers": batch["centers"][0]}


@functools.cache
def step_on(devices):
    """Metrics and gradient of the batch spread over the devices; compiled once for all cases."""

    def on_each(params, part):
        (_, metrics), gradient = jax.value_and_grad(miniature_loss, has_aux=True)(params, whole(part), "devices")
        return metrics, jax.lax.pmean(gradient, "devices")

    return jax.pmap(on_each, axis_name="devices", in_axes=(None, 0), devices=jax.devices()[:devices])


@jax.jit
def step_on_one(params, batch):
    (_, metrics), gradient = jax.value_and_grad(miniature_loss, has_aux=True)(params, whole(batch))
    return metrics, gradient


@pytest.mark.parametrize("devices", [2, 4])
@pytest.mark.parametrize("case", ["mixed", "first device without identities", "no identities", "one identity sample"])
def test_devices_together_have_the_loss_and_gradient_of_one(rng, devices, case):
    params, batch = miniature(rng)
    own = 8 // devices
    if case == "first device without identities":
        batch["identity"] = batch["identity"].at[:own].set(NO_IDENTITY)
        batch["has_landmarks"] = batch["has_landmarks"].at[own:].set(False)  # and the others without landmarks
    elif case == "no identities":
        batch["identity"] = jnp.full(8, NO_IDENTITY, jnp.int32)
    elif case == "one identity sample":
        batch["identity"] = jnp.full(8, NO_IDENTITY, jnp.int32).at[5].set(2)

    parts = jax.tree.map(lambda a: a.reshape(devices, own, *a.shape[1:]), batch)
    got_metrics, got_gradient = step_on(devices)(params, parts)
    metrics, gradient = step_on_one(params, batch)

    for name, value in metrics.items():
        np.testing.assert_allclose(got_metrics[name], np.full(devices, value), rtol=1e-5, atol=1e-6, err_msg=name)
    for name, value in gradient.items():
        assert np.isfinite(value).all()
        expected = np.broadcast_to(value, (devices, *value.shape))
        np.testing.assert_allclose(got_gradient[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)


def test_landmark_only_batch_leaves_class_weights_alone_and_identity_only_batch_landmarks(rng):
    params, batch = miniature(rng)

    def gradient(params, batch):
        return step_on_one(params, batch)[1]

    nobody, nothing = jnp.full(8, NO_IDENTITY, jnp.int32), jnp.zeros(8, bool)
    landmarks_only = gradient(params, batch | {"identity": nobody})
    np.testing.assert_array_equal(landmarks_only["classes"], np.zeros((4, 3)))
    assert (landmarks_only["landmarks"] != 0).any()
    identity_only = gradient(params, batch | {"has_landmarks": nothing})
    np.testing.assert_array_equal(identity_only["landmarks"], np.zeros((5, 2)))
    assert (identity_only["classes"] != 0).any()
    no_labels = gradient(params, batch | {"identity": nobody, "has_landmarks": nothing})
    assert all(np.isfinite(g).all() for g in no_labels.values())


def test_sample_with_both_labels_gets_both_terms():
    terms = {"landmark": jnp.array([3.0]), "softmax": jnp.array([5.0])}
    got, _ = weighted_total(terms, None, jnp.ones(1, bool), jnp.ones(1, bool), LossWeights())
    assert got == 3 + 20 * 5


def test_a_teacher_counts_by_its_weight_over_all_samples(rng):
    terms = random_terms(rng)
    without, _ = weighted_total(as_jax(terms), None, *map(jnp.asarray, LABELS), LossWeights())
    told = as_jax(terms | {"teacher": np.arange(6.0)})
    silent, metrics = weighted_total(told, None, *map(jnp.asarray, LABELS), LossWeights())
    heard, _ = weighted_total(told, None, *map(jnp.asarray, LABELS), LossWeights(teacher=0.3))
    assert silent == without
    assert metrics["teacher"] == 2.5
    assert float(heard - without) == pytest.approx(0.3 * 2.5, rel=1e-4)
