"""Imprinted tables: the weighted mean of each person's codes, found by one pass over the identity set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax import decode as decoding
from sirjax.data.records import open_records
from sirjax.networks.model import make_networks
from sirjax.training.identity_table import CLASS_WEIGHTS, ShardedTables, place
from sirjax.training.imprint import imprint, is_imprinted, mean_codes
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.state import initial_state
from sirjax.training.terms import Frozen, Method
from tests.face_models import dome_face_model

FACE_MODEL = dome_face_model()
NETWORKS = make_networks("debug", num_shape=FACE_MODEL.num_shape, num_expression=FACE_MODEL.num_expression, uv_size=16)
OPTIMIZER = make_optimizer(make_schedule("constant", learning_rate=1e-3, total_steps=1))


def test_mean_codes_weigh_each_photo_and_leave_unseen_people_at_the_mean_face():
    codes = np.array([[1.0, 0.0], [4.0, 2.0], [10.0, 10.0]])
    # Person 0: (1 x 1 + 3 x 4) / 4 = 3.25 and (0 + 3 x 2) / 4 = 1.5; person 1 has no photo.
    got = mean_codes(codes, np.array([1.0, 3.0, 0.5]), np.array([0, 0, 2]), num_identities=3)
    np.testing.assert_allclose(got, [[3.25, 1.5], [0.0, 0.0], [10.0, 10.0]])


@pytest.fixture(scope="module")
def untrained():
    return initial_state(NETWORKS, OPTIMIZER, num_identities=4, num_shape=FACE_MODEL.num_shape, seed=0)


def with_random_shape_head(state):
    rng = np.random.default_rng(3)
    networks = dict(state.params["networks"])
    networks["shape_head"] = jax.tree.map(
        lambda leaf: jnp.asarray(0.02 * rng.normal(size=leaf.shape), jnp.float32), networks["shape_head"]
    )
    return state.replace(params={**state.params, "networks": networks})


def test_centers_are_the_plain_means_of_the_networks_codes_without_weights(dome_records, untrained):
    records = open_records(dome_records / "identity")
    state = with_random_shape_head(untrained)
    frozen = Frozen(FACE_MODEL, decoding.camera_template(FACE_MODEL), None)
    got = imprint(state, NETWORKS, frozen, Method(center="plain"), records)

    from sirjax.data.images import decode_image

    samples = [records[i] for i in range(len(records))]
    images = np.stack([decode_image(sample.image) for sample in samples]).astype(np.float32) / 255
    codes = jax.jit(lambda image: NETWORKS.apply({"params": state.params["networks"]}, image).shape)(images)
    codes = np.asarray(codes) * np.asarray(FACE_MODEL.shape_std)
    identity = np.array([sample.identity_class for sample in samples])
    expected = np.stack([codes[identity == person].mean(axis=0) for person in range(4)])
    np.testing.assert_allclose(got.centers, expected, rtol=1e-3, atol=1e-4)
    directions = expected / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(got.params["class_weights"], directions, rtol=1e-3, atol=1e-4)


def test_sharded_tables_receive_the_same_rows(dome_records, untrained):
    records = open_records(dome_records / "identity")
    frozen = Frozen(FACE_MODEL, decoding.camera_template(FACE_MODEL), None)
    expected = imprint(with_random_shape_head(untrained), NETWORKS, frozen, Method(), records)
    tables, devices = ShardedTables(4, 3), jax.devices()[:3]  # two rows each, the last device has none that counts
    rows = np.zeros((3, 2, FACE_MODEL.num_shape), np.float32)
    sharded = untrained.replace(params={**untrained.params, CLASS_WEIGHTS: rows}, centers=rows)
    sharded = place(with_random_shape_head(sharded), devices)
    assert tables.rows == 2
    got = imprint(sharded, NETWORKS, frozen, Method(), records)
    for ours, theirs, before in (
        (got.centers, expected.centers, sharded.centers),
        (got.params[CLASS_WEIGHTS], expected.params[CLASS_WEIGHTS], sharded.params[CLASS_WEIGHTS]),
    ):
        assert ours.sharding.is_equivalent_to(before.sharding, 3)
        np.testing.assert_allclose(ours.reshape(6, -1)[:4], theirs, rtol=1e-5, atol=1e-6)
        assert not np.asarray(ours).reshape(6, -1)[4:].any()


def test_networks_that_see_the_mean_face_in_everybody_keep_their_random_directions(dome_records, untrained):
    frozen = Frozen(FACE_MODEL, decoding.camera_template(FACE_MODEL), None)
    got = imprint(untrained, NETWORKS, frozen, Method(), open_records(dome_records / "identity"))
    np.testing.assert_array_equal(got.centers, np.zeros_like(got.centers))
    np.testing.assert_array_equal(got.params["class_weights"], untrained.params["class_weights"])


def test_other_starts_are_refused():
    assert (is_imprinted("imprinted"), is_imprinted("paper")) == (True, False)
    with pytest.raises(ValueError, match="unknown sir.start 'first'; known: paper, imprinted"):
        is_imprinted("first")
