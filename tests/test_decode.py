"""Codes of zeros draw the frontal mean face in the middle of the crop; codes move it as they should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax import decode as decoding
from sirjax.constants import IMAGE_SIZE, TEMPLATE_POINTS
from sirjax.morphable import model as morphable
from sirjax.render.shading import NEUTRAL_LIGHT
from sirjax.types import NetworkOutput
from tests.face_models import dome_face_model

FACE_MODEL = dome_face_model()
UV = 32


def blank_output(batch=1, **changes) -> NetworkOutput:
    height, width = IMAGE_SIZE
    fields = {
        "shape": jnp.zeros((batch, FACE_MODEL.num_shape)),
        "expression": jnp.zeros((batch, FACE_MODEL.num_expression)),
        "camera": jnp.zeros((batch, 7)),
        "light": jnp.broadcast_to(jnp.asarray(NEUTRAL_LIGHT)[None], (batch, 9, 3)),
        "albedo_code": jnp.zeros((batch, 8)),
        "albedo_residual": jnp.zeros((batch, UV, UV, 3)),
        "pixel_confidence": jnp.ones((batch, height, width, 2)),
        "feature_confidence": jnp.ones((batch, height // 4, width // 4, 2)),
    }
    return NetworkOutput(**(fields | changes))


def decode(output, **options):
    return decoding.decode(FACE_MODEL, output, decoding.camera_template(FACE_MODEL), **options)


def test_zero_codes_put_the_mean_face_on_the_template():
    face = decode(blank_output())
    points = morphable.five_points(face.landmarks)[0]
    assert np.abs(np.asarray(points) - np.asarray(TEMPLATE_POINTS)).max() < 12  # the dome is only roughly a face
    np.testing.assert_allclose(points.mean(axis=0), np.mean(TEMPLATE_POINTS, axis=0), atol=1e-3)
    assert float(face.rendering.mask[0, 60, 48]) == 1.0


def test_the_frontal_face_is_upright_with_the_subjects_left_eye_on_the_image_right():
    landmarks = np.asarray(decode(blank_output()).landmarks[0])
    right_eye, left_eye, mouth = (
        landmarks[36:42].mean(axis=0),
        landmarks[42:48].mean(axis=0),
        landmarks[48:].mean(axis=0),
    )
    assert left_eye[0] > right_eye[0]
    assert mouth[1] > right_eye[1]


def test_landmarks_alone_agree_with_those_of_the_whole_face(rng):
    output = blank_output(
        2,
        shape=jnp.asarray(rng.normal(size=(2, FACE_MODEL.num_shape)), jnp.float32),
        expression=jnp.asarray(rng.normal(size=(2, FACE_MODEL.num_expression)), jnp.float32),
        camera=jnp.asarray(0.2 * rng.normal(size=(2, 7)), jnp.float32),
    )
    face = decode(output)
    alone = decoding.project_landmarks(FACE_MODEL, face.coefficients, face.camera)
    np.testing.assert_allclose(face.landmarks, alone, atol=1e-3)


def test_neutral_light_shows_the_albedo():
    face = decode(blank_output())
    mask = np.asarray(face.rendering.mask)[..., None]
    np.testing.assert_allclose(face.rendering.image, face.rendering.albedo * mask, atol=1e-5)


def test_yaw_turns_the_nose_sideways():
    frontal = decode(blank_output())
    turned = decode(blank_output(camera=jnp.zeros((1, 7)).at[0, 1].set(0.3)))  # quaternion y: the face turns to +x
    nose_shift = turned.landmarks[0, 30, 0] - frontal.landmarks[0, 30, 0]
    assert float(nose_shift) > 3


def test_mirrored_faces_are_drawn_with_mirrored_albedo_only(rng):
    residual = jnp.asarray(0.1 * rng.normal(size=(1, UV, UV, 3)), jnp.float32)
    plain = decode(blank_output(albedo_residual=residual), mirrored=jnp.array([False]))
    mirrored = decode(blank_output(albedo_residual=residual), mirrored=jnp.array([True]))
    by_hand = decode(blank_output(albedo_residual=residual[:, :, ::-1]))
    np.testing.assert_array_equal(plain.landmarks, mirrored.landmarks)
    np.testing.assert_allclose(mirrored.rendering.image, by_hand.rendering.image, atol=1e-6)
    assert float(jnp.abs(mirrored.rendering.image - plain.rendering.image).max()) > 0.01


def test_mirroring_twice_is_the_identity_inside_the_uv_mask(rng):
    residual = jnp.asarray(rng.normal(size=(1, UV, UV, 3)), jnp.float32)
    once = decoding.albedo_map(FACE_MODEL, residual, jnp.array([True]))
    twice = decoding.albedo_map(FACE_MODEL, residual[:, :, ::-1], jnp.array([True]))
    np.testing.assert_allclose(twice, decoding.albedo_map(FACE_MODEL, residual), atol=1e-6)
    assert float(jnp.abs(once - twice).max()) > 0.1


@pytest.mark.parametrize("part", ["shape", "expression", "camera", "light", "albedo_residual"])
def test_the_image_has_a_gradient_in_every_part_of_the_codes(part, rng):
    target = jnp.asarray(rng.uniform(size=(1, *IMAGE_SIZE, 3)), jnp.float32)
    output = blank_output()

    def loss(value):
        rendering = decode(output.replace(**{part: value})).rendering
        return jnp.sum(jnp.square(rendering.image - target) * rendering.mask[..., None])

    gradient = np.asarray(jax.grad(loss)(getattr(output, part)))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 1e-4
