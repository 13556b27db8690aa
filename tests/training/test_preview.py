"""Previews show both kinds of samples and something on each tile."""

import jax
import jax.numpy as jnp
import numpy as np

from sirjax import decode as decoding
from sirjax.constants import NO_IDENTITY
from sirjax.networks.model import make_networks
from sirjax.training.preview import MAX_FACES, Preview
from sirjax.training.terms import Frozen, Method
from sirjax.types import Batch
from tests.face_models import dome_face_model


def make_batch(rng, has_landmarks):
    size = len(has_landmarks)
    return Batch(
        image=rng.uniform(size=(size, 112, 96, 3)).astype(np.float32),
        landmarks=np.zeros((size, 68, 2), np.float32),
        has_landmarks=np.asarray(has_landmarks),
        identity=np.full(size, NO_IDENTITY, np.int32),
    )


def test_both_kinds_are_chosen_when_the_batch_has_both():
    chosen = Preview._choose(np.array([True] * 10 + [False] * 10))
    np.testing.assert_array_equal(chosen, [0, 1, 2, 3, 10, 11, 12, 13])


def test_small_or_uniform_batches_are_shown_from_the_start():
    np.testing.assert_array_equal(Preview._choose(np.array([True] * 20)), np.arange(MAX_FACES))
    np.testing.assert_array_equal(Preview._choose(np.array([True, False])), [0, 1])


def test_the_picture_holds_the_input_and_a_face(rng):
    model = dome_face_model()
    networks = make_networks("debug", num_shape=model.num_shape, num_expression=model.num_expression, uv_size=16)
    params = networks.init(jax.random.key(0, impl="rbg"), jnp.zeros((1, 112, 96, 3)))["params"]
    preview = Preview(networks, Method(), Frozen(model, decoding.camera_template(model), None))
    picture = preview.draw(params, make_batch(rng, [True, False]))
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[0] > 2 * 112
    assert picture.shape[1] > 5 * 96
    assert picture.std() > 20
