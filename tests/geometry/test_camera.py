import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.geometry import camera as cameras
from sirjax.geometry.camera import CameraTemplate
from sirjax.geometry.rotation import rotation_from_euler
from sirjax.types import Camera

project, fit_camera_template = jax.jit(cameras.project), jax.jit(cameras.fit_camera_template)
clip_positions = jax.jit(cameras.clip_positions, static_argnums=1)
decode_camera = jax.jit(cameras.decode_camera, static_argnames=("image_width", "quaternion_gain"))
UPRIGHT = jnp.eye(3)[None]
FACE = np.array(  # mm, model frame: y up; image right is the subject's left
    [[-30.0, 35.0, 0.0], [30.0, 35.0, 0.0], [0.0, 0.0, 25.0], [-25.0, -35.0, 5.0], [25.0, -35.0, 5.0]]
)
TEMPLATE = np.array([[30.3, 51.7], [65.5, 51.5], [48.0, 71.7], [33.5, 92.4], [62.7, 92.2]])


def test_projection_of_a_turned_face_matches_worked_numbers():
    # A quarter turn of yaw takes (x, y, z) = (1, 2, 3) to (3, 2, -1); u = 2*3 + 50, v = -2*2 + 60, depth = 2*(-1).
    turned = rotation_from_euler(jnp.zeros(1), jnp.full(1, np.pi / 2), jnp.zeros(1))
    camera = Camera(rotation=turned, scale=jnp.array([2.0]), translation=jnp.array([[50.0, 60.0]]))
    np.testing.assert_allclose(project(camera, jnp.array([[[1.0, 2.0, 3.0]]])), [[[56, 56, -2]]], atol=1e-5)


def test_upright_camera_shows_eyes_above_mouth_and_left_eye_on_the_right():
    camera = Camera(rotation=UPRIGHT, scale=jnp.ones(1), translation=jnp.full((1, 2), 50.0))
    right_eye, left_eye, nose, mouth, _ = project(camera, jnp.asarray(FACE[None], jnp.float32))[0]
    assert right_eye[1] < mouth[1]  # v runs down
    assert right_eye[0] < left_eye[0]  # the subject's left eye is on the image's right
    assert nose[2] > right_eye[2]  # larger depth is closer


def test_corner_pixels_touch_the_borders_of_clip_space():
    # Pixel centers are integers, so the left border of column 0 is u = -0.5 and the right one of column 95 is 95.5.
    borders = jnp.array([[[-0.5, -0.5, 0.0], [95.5, 111.5, 0.0], [47.5, 55.5, 44.8]]])
    got = clip_positions(borders, (112, 96))
    # z = -44.8 / (4 * 112) = -0.1: closer than the origin.
    np.testing.assert_allclose(got, [[[-1, -1, 0, 1], [1, 1, 0, 1], [0, 0, -0.1, 1]]], atol=1e-6)


def test_template_fit_recovers_a_known_scale_and_shift():
    pixels = 0.6 * FACE[:, :2] * [1, -1] + [48.0, 70.0]
    got = fit_camera_template(jnp.asarray(FACE, jnp.float32), jnp.asarray(pixels, jnp.float32))
    assert got.scale == pytest.approx(0.6, rel=1e-5)
    np.testing.assert_allclose(got.translation, [48, 70], rtol=1e-5)


def test_template_fit_is_the_least_squares_solution():
    # Unknowns (scale, t_u, t_v); one row per coordinate of each point.
    rows = [[x, 1, 0] for x in FACE[:, 0]] + [[-y, 0, 1] for y in FACE[:, 1]]
    expected = np.linalg.lstsq(np.array(rows), TEMPLATE.T.reshape(-1), rcond=None)[0]
    got = fit_camera_template(jnp.asarray(FACE, jnp.float32), jnp.asarray(TEMPLATE, jnp.float32))
    np.testing.assert_allclose([got.scale, *got.translation], expected, rtol=1e-5)


def test_zeros_decode_to_the_upright_template_camera():
    template = CameraTemplate(scale=jnp.float32(0.6), translation=jnp.array([48.0, 70.0]))
    camera = decode_camera(jnp.zeros((2, 7)), template, image_width=96)
    np.testing.assert_array_equal(camera.rotation, np.broadcast_to(np.eye(3), (2, 3, 3)))
    np.testing.assert_allclose(camera.scale, [0.6, 0.6], rtol=1e-6)
    np.testing.assert_allclose(camera.translation, [[48, 70]] * 2)


def test_raw_numbers_decode_to_worked_numbers():
    template = CameraTemplate(scale=jnp.float32(0.5), translation=jnp.array([48.0, 70.0]))
    # Quaternion 0.5 * (0, 2, 0, 0) + (0, 0, 0, 1) = (0, 1, 0, 1): yaw of 90 degrees. Scale 0.5 * exp(0.1 * 10) = e / 2.
    # Translation (48, 70) + 0.1 * 96 * (1, -2).
    raw = jnp.array([[0.0, 2.0, 0.0, 0.0, 10.0, 1.0, -2.0]])
    camera = decode_camera(raw, template, image_width=96, quaternion_gain=0.5)
    np.testing.assert_allclose(camera.rotation[0], [[0, 0, 1], [0, 1, 0], [-1, 0, 0]], atol=1e-6)
    np.testing.assert_allclose(camera.scale, [np.e / 2], rtol=1e-6)
    np.testing.assert_allclose(camera.translation, [[57.6, 50.8]], rtol=1e-6)


def test_scale_stays_positive_and_every_raw_number_has_a_gradient_at_zero():
    template = CameraTemplate(scale=jnp.float32(0.6), translation=jnp.array([48.0, 70.0]))
    points = jnp.asarray(FACE[None], jnp.float32)

    def projected(raw):
        return project(decode_camera(raw[None], template, image_width=96), points).reshape(-1)

    jacobian = np.asarray(jax.jit(jax.jacrev(projected))(jnp.zeros(7)))
    assert np.isfinite(jacobian).all()
    # All but w, which only lengthens the quaternion of an upright face.
    np.testing.assert_array_equal(np.abs(jacobian).max(axis=0) > 0, [True, True, True, False, True, True, True])
    assert decode_camera(jnp.full((1, 7), -50.0), template, image_width=96).scale[0] > 0
