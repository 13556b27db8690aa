import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.geometry.camera import project
from sirjax.reconstruction import remodeled, with_photo_camera
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, rotation, similarity

MODEL = dome_face_model(grid=9)
WIDE = similarity(0.31, 21.0, (-80.0, -35.0))


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 4.0), st.floats(-180, 180), st.tuples(st.floats(-3000, 3000), st.floats(-3000, 3000)))
def test_photo_pixels_lead_back_to_crop_pixels(scale, degrees, shift):
    face = known_face(similarity(scale, degrees, shift), MODEL)
    forward = face.crop_from_photo
    back = face.landmarks.astype(np.float64) @ face.photo_from_crop[:, :2].T + face.photo_from_crop[:, 2]
    np.testing.assert_allclose(back @ forward[:, :2].T + forward[:, 2], face.landmarks, atol=1e-4)


def test_the_photo_camera_projects_to_the_photo_pixels():
    # The similarity turns (u, v), the camera turns (X, Y, Z): both ways must end on the same pixel and the same depth.
    face = known_face(WIDE, MODEL)
    by_camera = project(face.photo_camera, jnp.asarray(face.vertices)[None])[0]
    np.testing.assert_allclose(by_camera, face.projected_in_photo, rtol=1e-4, atol=1e-2)


def test_the_crop_camera_projects_to_the_crop_pixels():
    face = known_face(WIDE, MODEL)
    np.testing.assert_allclose(
        project(face.camera, jnp.asarray(face.vertices)[None])[0], face.projected, rtol=1e-4, atol=1e-3
    )


def test_depth_grows_with_the_photo():
    # The photo's face is 1 / 0.31 times as large as the crop's, so its depth in pixels is as well.
    face = known_face(WIDE, MODEL)
    np.testing.assert_allclose(face.photo_pixels_per_crop_pixel, 1 / 0.31, rtol=1e-9)
    np.testing.assert_allclose(face.projected_in_photo[:, 2], face.projected[:, 2] / 0.31, rtol=1e-5)


def test_an_upright_crop_of_a_head_turned_by_alignment_is_turned_back():
    # The alignment turned the photo by 21 degrees clockwise to make the face upright: in the photo it leans the other
    # way, counterclockwise, which is a positive roll about the axis toward the viewer.
    face = known_face(WIDE, MODEL, angles=(0.0, 0.0, 0.0))
    np.testing.assert_allclose(face.photo_rotation, rotation(0.0, 0.0, 21.0), atol=1e-6)


def test_posed_vertices_are_photo_pixels_up_to_scale_and_shift():
    face = known_face(WIDE, MODEL)
    camera = face.photo_camera
    pixels = face.posed_vertices[:, :2] * [1, -1] * float(camera.scale[0]) + np.asarray(camera.translation)
    np.testing.assert_allclose(pixels, face.projected_in_photo[:, :2], rtol=1e-4, atol=1e-2)


def test_a_known_eye_distance_makes_it_metric():
    face = known_face(WIDE, MODEL)
    assert not face.metric
    eyes = face.neutral_landmarks[36:42].mean(axis=0) - face.neutral_landmarks[42:48].mean(axis=0)
    np.testing.assert_allclose(face.eye_distance, np.linalg.norm(eyes), rtol=1e-5)
    scaled = face.with_eye_distance(63.0)
    assert scaled.metric
    np.testing.assert_allclose(scaled.metric_scale * np.linalg.norm(eyes), 63.0, rtol=1e-5)


@pytest.mark.parametrize("millimeters", [0.063, -63.0, float("nan"), 630.0])
def test_an_impossible_eye_distance_is_refused(millimeters):
    with pytest.raises(ValueError, match=r"must be between 20 and 120 millimeters, got .*most adults: 54 to 74"):
        known_face(WIDE, MODEL).with_eye_distance(millimeters)


def test_coefficients_are_a_batch_of_one():
    face = known_face(WIDE, MODEL)
    assert face.coefficients.shape.shape == (1, MODEL.num_shape)
    assert face.coefficients.expression.shape == (1, MODEL.num_expression)


def test_a_face_with_other_coefficients_is_the_face_made_of_them():
    face, other = (known_face(WIDE, MODEL, seed=seed) for seed in (0, 1))
    got = remodeled(face, MODEL, shape=other.shape, expression=other.expression)
    for name in ("vertices", "neutral_vertices", "neutral_landmarks", "projected", "landmarks", "shape", "expression"):
        np.testing.assert_allclose(getattr(got, name), getattr(other, name), rtol=1e-4, atol=2e-3, err_msg=name)
    same = remodeled(face, MODEL)
    np.testing.assert_allclose(same.projected, face.projected, rtol=1e-4, atol=2e-3)
    np.testing.assert_array_equal(same.crop, face.crop)


def test_a_face_takes_another_camera_of_the_photo():
    face = known_face(WIDE, MODEL)
    pose = rotation(3.0, 20.0, -7.0)
    moved = remodeled(with_photo_camera(face, rotation=pose, scale=1.7, translation=np.array([310.0, 90.0])), MODEL)
    np.testing.assert_allclose(moved.photo_rotation, pose, atol=1e-5)
    np.testing.assert_allclose(moved.photo_camera.scale, 1.7, rtol=1e-6)
    turned = face.vertices @ pose.T * 1.7
    np.testing.assert_allclose(moved.projected_in_photo[:, 0], turned[:, 0] + 310, atol=5e-3)
    np.testing.assert_allclose(moved.projected_in_photo[:, 1], -turned[:, 1] + 90, atol=5e-3)
    own = face.photo_camera
    same = with_photo_camera(
        face, rotation=face.photo_rotation, scale=float(own.scale[0]), translation=np.asarray(own.translation[0])
    )
    np.testing.assert_allclose(same.rotation, face.rotation, atol=1e-6)
    np.testing.assert_allclose(same.scale, face.scale, rtol=1e-6)
    np.testing.assert_allclose(same.translation, face.translation, atol=1e-3)


def test_euler_angles_are_those_of_the_photo():
    face = known_face(WIDE, MODEL, angles=(5.0, -12.0, 4.0))
    np.testing.assert_allclose(face.euler_degrees, (5.0, -12.0, 25.0), atol=1e-3)  # 21 degrees are the crop's turn
