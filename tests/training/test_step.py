"""The train step: equal on 1, 2 and 4 devices (T9), labels switch losses (T11), a bad step changes nothing."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax import decode as decoding
from sirjax.constants import NO_IDENTITY
from sirjax.losses.photometric import pixel_loss
from sirjax.losses.total import LossWeights
from sirjax.networks.model import make_networks
from sirjax.training.identity_table import ShardedTables, is_sharded
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.parallel import DEVICES, parallel_step, replicate, split_batch
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step
from sirjax.training.terms import (
    Frozen,
    Method,
    center_weight_of,
    drawn_mirrored,
    read_batch,
    reconstruction_terms,
)
from sirjax.types import Batch
from tests.face_models import dome_face_model
from tests.training import stand_ins

FACE_MODEL = dome_face_model()
NUM_IDENTITIES = 9
NETWORKS = make_networks("debug", num_shape=FACE_MODEL.num_shape, num_expression=FACE_MODEL.num_expression, uv_size=16)
OPTIMIZER = make_optimizer(make_schedule("constant", learning_rate=1e-3, total_steps=1))
METHOD = Method(compares_features=False)


@pytest.fixture(scope="module")
def frozen():
    return Frozen(FACE_MODEL, decoding.camera_template(FACE_MODEL), None)


@pytest.fixture(scope="module")
def state():
    fresh = initial_state(NETWORKS, OPTIMIZER, num_identities=NUM_IDENTITIES, num_shape=FACE_MODEL.num_shape, seed=0)
    # Heads start at zero; random ones give every term a gradient.
    rng = np.random.default_rng(1)
    networks = jax.tree.map(
        lambda leaf: leaf + 0.02 * rng.normal(size=leaf.shape).astype(np.float32), fresh.params["networks"]
    )
    return fresh.replace(params={**fresh.params, "networks": networks})


def make_batch(has_landmarks, identity, seed=0) -> Batch:
    rng = np.random.default_rng(seed)
    size = len(has_landmarks)
    return Batch(
        image=rng.uniform(size=(size, 112, 96, 3)).astype(np.float32),
        landmarks=rng.uniform(10, 90, size=(size, 68, 2)).astype(np.float32),
        has_landmarks=np.asarray(has_landmarks, bool),
        identity=np.asarray(identity, np.int32),
    )


N = NO_IDENTITY
MIXED = make_batch([1, 0, 1, 0, 1, 0, 1, 0], [N, 0, N, 1, N, 1, N, 3])
ONE_SIDED = make_batch([1, 1, 1, 1, 0, 0, 0, 0], [N, N, N, N, 2, 2, 5, 8])  # the first devices see no identity at all


def read(method, params, frozen, image, mirrored):
    return jax.jit(lambda *args: read_batch(NETWORKS, method, *args))(params, frozen, image, mirrored)


def gradients_of_one_step(state, batch, frozen, num_devices, method=METHOD):
    """(metrics, first Adam moments = 0.1 x gradient, centers) after one step."""
    devices = jax.devices()[:num_devices]
    step = parallel_step(make_train_step(NETWORKS, OPTIMIZER, method, axis_name=DEVICES), devices)
    own = replicate(jax.tree.map(jnp.array, state), devices)  # the step consumes the state it is given
    new_state, metrics = step(own, split_batch(batch, num_devices), replicate(frozen, devices))
    return jax.device_get(metrics), jax.device_get(new_state)


@pytest.fixture(scope="module")
def single(state, frozen):
    return {name: gradients_of_one_step(state, batch, frozen, 1) for name, batch in BATCHES.items()}


BATCHES = {"mixed": MIXED, "one_sided": ONE_SIDED}


@pytest.mark.parametrize("num_devices", stand_ins.counts(2, 4, 8))
@pytest.mark.parametrize("name", BATCHES)
def test_devices_agree_with_one_device_on_the_same_global_batch(state, frozen, single, name, num_devices):
    metrics, after = gradients_of_one_step(state, BATCHES[name], frozen, num_devices)
    expected_metrics, expected = single[name]
    for term, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[term], value, rtol=1e-4, atol=1e-5, err_msg=term)
    np.testing.assert_allclose(after.centers, expected.centers, rtol=1e-4, atol=1e-6)
    got, want = adam_moments(after), adam_moments(expected)
    scale = max(np.abs(leaf).max() for leaf in jax.tree.leaves(want))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * scale), got, want)


@pytest.mark.slow
@pytest.mark.parametrize("num_devices", stand_ins.counts(2, 8))
def test_no_image_and_no_vertex_is_sent_between_devices(frozen, num_devices):
    tables, devices = ShardedTables(NUM_IDENTITIES, num_devices), jax.devices()[:num_devices]
    optimizer = stand_ins.optimizer("adam", tables)
    fresh = initial_state(
        NETWORKS,
        optimizer,
        num_identities=NUM_IDENTITIES,
        num_shape=FACE_MODEL.num_shape,
        seed=0,
        tables=tables,
        devices=devices,
    )
    method = dataclasses.replace(METHOD, tables=tables)
    one = make_train_step(NETWORKS, optimizer, method, axis_name=DEVICES)
    step = parallel_step(one, devices, is_split=is_sharded)
    program = step.lower(fresh, split_batch(MIXED, num_devices), replicate(frozen, devices)).compile()
    num_samples = len(MIXED.identity)
    parameters = {leaf.size for leaf in jax.tree.leaves(fresh.params["networks"])}  # XLA may reorder axes
    for name, shapes in stand_ins.collectives(program.as_text()):
        if name == "all-gather":  # shape codes, identities, trust
            assert set(shapes) <= {(num_samples, FACE_MODEL.num_shape), (num_samples,)}
        for shape in shapes:  # the rest are gradients of the networks, sums per sample, moments of the KL term, scalars
            small = np.prod(shape) <= num_samples * FACE_MODEL.num_shape
            assert small or np.prod(shape) in parameters, shape


@pytest.mark.slow
def test_eight_devices_agree_with_one():
    assert "3 passed" in stand_ins.run_on_eight(__file__)


def adam_moments(state):
    return next(
        part.mu for part in jax.tree.leaves(state.opt_state, is_leaf=lambda x: hasattr(x, "mu")) if hasattr(part, "mu")
    )


def test_without_a_device_axis_the_step_is_the_same(state, frozen, single):
    step = jax.jit(make_train_step(NETWORKS, OPTIMIZER, METHOD))
    after, metrics = step(state, MIXED, frozen)
    expected_metrics, expected = single["mixed"]
    for term, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[term], value, rtol=1e-4, atol=1e-5, err_msg=term)
    np.testing.assert_allclose(after.centers, expected.centers, rtol=1e-4, atol=1e-6)


def test_landmark_images_leave_class_weights_and_centers_alone(state, frozen):
    batch = make_batch([1, 1, 1, 1], [N, N, N, N])
    no_decay = make_optimizer(make_schedule("constant", learning_rate=1e-3, total_steps=1), weight_decay=0.0)
    fresh = state.replace(opt_state=no_decay.init(state.params))
    after, metrics = jax.jit(make_train_step(NETWORKS, no_decay, METHOD))(fresh, batch, frozen)
    np.testing.assert_array_equal(after.params["class_weights"], state.params["class_weights"])
    np.testing.assert_array_equal(after.centers, state.centers)
    assert all(np.isfinite(float(value)) for value in metrics.values())
    assert float(metrics["softmax"]) == 0.0


def test_identity_images_give_no_landmark_gradient(state, frozen):
    batch = make_batch([0, 0, 0, 0], [0, 1, 1, 2])
    only_landmarks = LossWeights(landmark=1.0, pixel=0.0, perceptual=0.0, regularization=0.0, sir=0.0)
    method = dataclasses.replace(METHOD, weights=only_landmarks, renders=False)
    _, metrics = jax.jit(make_train_step(NETWORKS, OPTIMIZER, method))(state, batch, frozen)
    assert float(metrics["gradient_norm"]) == 0.0
    assert float(metrics["landmark"]) == 0.0


def test_every_sir_term_moves_the_shape_branch(state, frozen):
    batch = make_batch([0, 0, 0, 0], [0, 1, 1, 2])
    nothing = {
        "landmark": 0.0,
        "pixel": 0.0,
        "perceptual": 0.0,
        "regularization": 0.0,
        "softmax": 0.0,
        "center": 0.0,
        "kl": 0.0,
    }
    for term in ("softmax", "center", "kl"):
        weights = LossWeights(**(nothing | {term: 1.0}))
        method = dataclasses.replace(METHOD, weights=weights, renders=False)
        _, metrics = jax.jit(make_train_step(NETWORKS, OPTIMIZER, method))(state, batch, frozen)
        assert float(metrics["gradient_norm"]) > 1e-3, term


def test_a_step_that_is_not_finite_changes_only_the_counters(state, frozen):
    poisoned = make_batch([1, 1, 0, 0], [N, N, 0, 1])
    poisoned.image[0, 3, 3, 0] = np.nan
    after, metrics = jax.jit(make_train_step(NETWORKS, OPTIMIZER, METHOD))(state, poisoned, frozen)
    assert not np.isfinite(float(metrics["total"]))
    jax.tree.map(np.testing.assert_array_equal, after.params, state.params)
    jax.tree.map(np.testing.assert_array_equal, after.opt_state, state.opt_state)
    np.testing.assert_array_equal(after.centers, state.centers)
    assert (int(after.step), int(after.skipped)) == (1, 1)


def test_warm_up_without_identities_needs_no_tables(frozen):
    fresh = initial_state(NETWORKS, OPTIMIZER, num_identities=0, num_shape=FACE_MODEL.num_shape, seed=0)
    method = dataclasses.replace(METHOD, weights=LossWeights(sir=0.0), renders=False)
    _, metrics = jax.jit(make_train_step(NETWORKS, OPTIMIZER, method))(fresh, make_batch([1, 1], [N, N]), frozen)
    assert "pixel" not in metrics
    assert "softmax" not in metrics
    assert float(metrics["landmark_error_px"]) > 0


def test_mirrored_samples_depend_on_the_place_in_the_global_batch_only():
    method = Method(albedo_mirror_probability=0.5, seed=3)
    whole = drawn_mirrored(method, jnp.asarray(5), 8, None)
    parts = jax.pmap(lambda _: drawn_mirrored(method, jnp.asarray(5), 4, DEVICES), axis_name=DEVICES)(jnp.zeros(2))
    np.testing.assert_array_equal(parts.reshape(-1), whole)
    other = drawn_mirrored(method, jnp.asarray(6), 64, None)
    assert 10 < int(other.sum()) < 54


def test_mirrored_samples_use_the_second_confidence_channel(frozen):
    batch = make_batch([1, 1], [N, N])
    fresh = initial_state(NETWORKS, OPTIMIZER, num_identities=0, num_shape=FACE_MODEL.num_shape, seed=0)
    plain, mirrored = (
        read(METHOD, fresh.params["networks"], frozen, batch.image, jnp.full(2, flag)) for flag in (False, True)
    )
    confidence = jnp.stack([jnp.full((2, 112, 96), 0.1), jnp.full((2, 112, 96), 0.4)], axis=-1)
    values = {}
    for name, reading in (("plain", plain), ("mirrored", mirrored)):
        reading = reading.replace(output=reading.output.replace(pixel_confidence=confidence))
        values[name] = reconstruction_terms(METHOD, frozen, batch, reading)["pixel"]
    # Untrained residuals are zero, so both draw the same face and only sigma differs.
    for name, sigma in (("plain", 0.1), ("mirrored", 0.4)):
        rendering = plain.rendering
        expected = pixel_loss(rendering.image, batch.image, rendering.mask, jnp.full((2, 112, 96), sigma))
        np.testing.assert_allclose(values[name], expected, rtol=1e-5)


def test_a_share_is_drawn_of_the_first_samples_and_the_rest_keeps_its_landmarks(state, frozen):
    mirrored = jnp.asarray([True, False, False, True])
    batch = make_batch([1, 1, 1, 1], [N, N, N, N])
    half = dataclasses.replace(METHOD, drawn_share=0.5)
    params = state.params["networks"]
    whole, part = (read_batch(NETWORKS, method, params, frozen, batch.image, mirrored) for method in (METHOD, half))
    assert len(part.rendering.image) == 2
    np.testing.assert_allclose(part.landmarks, whole.landmarks, atol=1e-4)
    of_whole, of_part = (
        reconstruction_terms(method, frozen, batch, reading) for method, reading in ((METHOD, whole), (half, part))
    )
    for name in ("landmark", "shape_prior"):
        np.testing.assert_allclose(of_part[name], of_whole[name], rtol=1e-4)
    for name in ("pixel", "albedo"):
        np.testing.assert_allclose(of_part[name], of_whole[name][:2], rtol=1e-3)


@pytest.mark.parametrize("share", [0.0, 1.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=rf"losses.drawn_share must be in \(0, 1\], got {share}; to draw nothing"):
        Method(drawn_share=share)


def test_center_weight_scales_with_the_models_variance():
    total_variance = float(jnp.sum(jnp.square(FACE_MODEL.shape_std)))
    assert center_weight_of(FACE_MODEL, 4e-3) == pytest.approx(4e-3 * 490_000 / total_variance, rel=1e-5)


def test_bfloat16_stays_inside_the_networks(state, frozen):
    networks = make_networks(
        "debug",
        num_shape=FACE_MODEL.num_shape,
        num_expression=FACE_MODEL.num_expression,
        uv_size=16,
        dtype=jnp.bfloat16,
        remat=True,
    )
    step = make_train_step(networks, OPTIMIZER, METHOD)
    after, metrics = jax.eval_shape(step, state, MIXED, frozen)
    assert {value.dtype for value in metrics.values()} == {jnp.dtype(jnp.float32)}
    assert jax.tree.map(lambda leaf: leaf.dtype, after) == jax.tree.map(lambda leaf: leaf.dtype, state)


def test_the_moving_average_follows_the_networks_faster_while_it_is_young():
    optimizer = stand_ins.optimizer()
    fresh = initial_state(
        stand_ins.FewPixels(),
        optimizer,
        num_identities=0,
        num_shape=6,
        seed=0,
        image_size=stand_ins.SIZE,
        averages=True,
    )
    method = dataclasses.replace(stand_ins.METHOD, weights=LossWeights(sir=0.0))
    step = jax.jit(make_train_step(stand_ins.FewPixels(), optimizer, method, ema_decay=0.15))
    batch = stand_ins.batch_of([N, N])
    first, _ = step(fresh, batch, stand_ins.frozen())
    second, _ = step(first, batch, stand_ins.frozen())
    # Decays min(0.15, 1 / 10), min(0.15, 2 / 11).
    start, one, two = (np.asarray(s.params["networks"]["Conv_0"]["kernel"]) for s in (fresh, first, second))
    expected = 0.15 * (0.1 * start + 0.9 * one) + 0.85 * two
    np.testing.assert_allclose(second.networks["Conv_0"]["kernel"], expected, rtol=1e-5, atol=1e-7)
    assert first.networks is first.averaged
