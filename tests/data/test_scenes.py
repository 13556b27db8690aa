import numpy as np
import pytest

from sirjax.data import alignment, scenes
from sirjax.geometry.rotation import rotation_from_euler
from sirjax.render.shading import NEUTRAL_LIGHT, shade, spherical_harmonics

MEDIUM = np.full(3, 0.6)


def draw(count=400, seed=0):
    views = [scenes.draw_view(scenes.view_generator(seed, "identity", i, 0), 6, MEDIUM) for i in range(count)]
    people = [scenes.draw_person(scenes.person_generator(seed, "identity", i), 5) for i in range(count)]
    return views, people


VIEWS, PEOPLE = draw()


def unit(rng, count):
    vectors = rng.normal(size=(count, 3))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_same_numbers_give_the_same_photo_and_others_another():
    again = scenes.draw_view(scenes.view_generator(0, "identity", 3, 0), 6, MEDIUM)
    np.testing.assert_array_equal(again.light, VIEWS[3].light)
    for other in ((1, "identity", 3, 0), (0, "benchmark", 3, 0), (0, "identity", 4, 0), (0, "identity", 3, 1)):
        assert (scenes.draw_view(scenes.view_generator(*other), 6, MEDIUM).light != again.light).any()


@pytest.mark.parametrize(("one", "other"), [("identity", "landmark"), ("identity", "benchmark")])
def test_sets_of_different_kinds_never_share_a_person(one, other):
    shapes = [
        scenes.draw_person(scenes.person_generator(0, kind, i), 5).shape for kind in (one, other) for i in range(50)
    ]
    assert len(np.unique(np.round(shapes, 9), axis=0)) == 100


def test_shapes_follow_the_prior():
    shapes = np.array([person.shape for person in PEOPLE])
    # 400 samples: the mean of 5 modes is within 4/sqrt(400), the deviation within 4/sqrt(800) of N(0, 1).
    assert np.abs(shapes.mean(axis=0)).max() < 0.2
    assert np.abs(shapes.std(axis=0) - 1).max() < 0.15


def test_three_in_ten_are_exactly_neutral_and_nobody_exaggerates():
    expressions = np.array([view.expression for view in VIEWS])
    neutral = (expressions == 0).all(axis=1)
    assert 0.22 < neutral.mean() < 0.38
    assert np.abs(expressions).max() <= 2
    assert 0.5 < expressions[~neutral].std() < 0.65  # 0.88, truncated at 2, times sqrt(mean u^2), u in [0.2, 1]: 0.57


def test_most_people_look_at_the_camera_and_some_poses_reach_the_profile():
    # R20 = -sin(yaw) for R = Rz Ry Rx.
    yaw = np.degrees(np.arcsin(np.clip([-view.rotation[2, 0] for view in VIEWS], -1, 1)))
    # A quarter is even over 180 degrees, the rest N(0, 20): 8.5 % beyond 60 degrees, 83 % within 40.
    assert 0.03 < (np.abs(yaw) > 60).mean() < 0.15
    assert 0.73 < (np.abs(yaw) < 40).mean() < 0.92
    assert np.abs(yaw).max() > 80
    assert abs(yaw.mean()) < 7


def test_rotations_agree_with_the_geometry_package():
    got = scenes.rotation_from_degrees(20, -50, 7)
    expected = rotation_from_euler(*np.radians([20.0, -50.0, 7.0]).astype(np.float32))
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_a_lamp_shines_like_the_clamped_cosine(rng):
    direction, normals = unit(rng, 1)[0], unit(rng, 4000)
    coefficients = np.repeat(scenes.lamp_coefficients(direction)[:, None], 3, axis=1)
    lit = shade(np.ones((1, 1, 4000, 3), np.float32), normals[None, None].astype(np.float32), coefficients[None])
    got = np.asarray(lit)[0, 0, :, 0]
    cosine = normals @ direction
    # The second-order expansion is furthest from max(0, cos) at cos = 0, where it is 1/4 - 5/32 = 0.09375.
    assert 0.08 < np.abs(got - np.maximum(cosine, 0)).max() < 0.0945
    expansion = 1 / 4 + cosine / 2 + 5 / 32 * (3 * cosine**2 - 1)
    np.testing.assert_allclose(got, expansion, atol=1e-5)


def test_faces_toward_the_viewer_are_neither_black_nor_burnt():
    toward = spherical_harmonics(np.array([[0.0, 0.0, 1.0]], np.float32))[0]
    levels = np.array([(np.asarray(toward) @ view.light).mean() for view in VIEWS])
    assert 0.54 < levels.min() < 0.65
    assert 1.05 < levels.max() < 1.16
    assert NEUTRAL_LIGHT.shape == VIEWS[0].light.shape


def test_dark_faces_are_exposed_longer_but_stay_darker():
    assert scenes.exposure(MEDIUM) == 1
    # (0.6 / 0.2)^0.4 = 1.5518: a third of the reflection gives half of the brightness.
    assert scenes.exposure(MEDIUM / 3) == pytest.approx(1.5518, abs=1e-4)


def test_skin_runs_from_very_dark_to_very_light():
    brightness = np.array([person.skin.mean() for person in PEOPLE])
    assert brightness.min() < 0.25
    assert brightness.max() > 0.8
    assert all((person.skin[0] >= person.skin[2]).all() for person in PEOPLE)  # never bluish


def cloud(rng):
    landmarks = rng.normal(0, 20, (68, 3))
    five = np.column_stack([alignment.TEMPLATE * (2, -2), rng.normal(0, 3, 5)])
    for rows, point in zip((slice(36, 42), slice(42, 48), 30, 48, 54), five, strict=True):
        landmarks[rows] = point
    return landmarks


def test_the_camera_puts_the_five_points_where_alignment_would(rng):
    landmarks, rotation = cloud(rng), scenes.rotation_from_degrees(5, 10, 30)
    turned, scale, translation = scenes.aligned_camera(landmarks, rotation, np.zeros((5, 2)))
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-9)
    pixels = (landmarks @ turned.T)[:, :2] * (scale, -scale) + translation
    # Oracle: photograph with any other weak-perspective camera, then align that photo.
    photo = (landmarks @ rotation.T)[:, :2] * (3.7, -3.7) + (900, 400)
    aligned = alignment.transform_points(alignment.crop_from_landmarks(photo), photo)
    np.testing.assert_allclose(pixels, aligned, atol=1e-6)


def test_detector_errors_move_the_face_in_the_crop(rng):
    landmarks, rotation = cloud(rng), np.eye(3)
    error = np.full((5, 2), (2.0, -1.0))  # all five points found 2 px to the right and 1 px up
    plain = scenes.aligned_camera(landmarks, rotation, np.zeros((5, 2)))
    moved = scenes.aligned_camera(landmarks, rotation, error)
    np.testing.assert_allclose(moved[2] - plain[2], (-2, 1), atol=1e-6)  # so the face sits 2 px to the left, 1 px down
