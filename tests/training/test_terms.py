"""Terms that a setting or a field of the batch switches on."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from sirjax import decode as decoding
from sirjax.losses.teacher import relational_loss
from sirjax.losses.total import LossWeights
from sirjax.training.terms import Frozen, Method, Reading, reconstruction_terms
from sirjax.types import Batch, NetworkOutput
from tests.face_models import dome_face_model

MODEL = dome_face_model()
TAUGHT = Method(weights=LossWeights(teacher=0.5), renders=False)


def terms_of(method, teacher):
    rng = np.random.default_rng(0)
    shape, expression = rng.normal(size=(4, MODEL.num_shape)), rng.normal(size=(4, MODEL.num_expression))
    output = NetworkOutput(jnp.asarray(shape), jnp.asarray(expression), *[None] * 6)  # type: ignore[arg-type]
    points = jnp.zeros((4, 68, 2))
    batch = Batch(jnp.zeros((4, 112, 96, 3)), points, jnp.ones(4, bool), jnp.zeros(4, int), teacher)
    reading = Reading(output, None, points, None, jnp.zeros(4, bool))  # type: ignore[arg-type]
    frozen = Frozen(MODEL, decoding.camera_template(MODEL), None)
    return shape, reconstruction_terms(method, frozen, batch, reading)


def test_a_teacher_is_heard_in_millimeters_where_it_saw_something():
    descriptors = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
    descriptors[2] = 0
    shape, terms = terms_of(TAUGHT, jnp.asarray(descriptors))
    expected = relational_loss(
        jnp.asarray(shape * np.asarray(MODEL.shape_std)), jnp.asarray(descriptors), jnp.arange(4) != 2
    )
    np.testing.assert_allclose(terms["teacher"], expected, rtol=1e-5)
    assert terms["teacher"][2] == 0


def test_a_teacher_that_is_switched_off_or_missing_costs_nothing():
    silent = dataclasses.replace(TAUGHT, weights=LossWeights())
    assert "teacher" not in terms_of(silent, jnp.ones((4, 3)))[1]
    assert "teacher" not in terms_of(TAUGHT, None)[1]
