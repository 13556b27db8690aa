import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.video.smoothing import FaceSmoother, OneEuroFilter
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, rotation, similarity

MODEL = dome_face_model(grid=9)
CROP = similarity(0.5, 10.0, (3.0, -4.0))


def one_euro_by_hand(values, times, min_cutoff, beta, derivative_cutoff):
    """Algorithm 1 and Eqs. 1 to 5 of the paper, a number at a time."""

    def alpha(rate, cutoff):
        tau = 1.0 / (2 * math.pi * cutoff)
        te = 1.0 / rate
        return 1.0 / (1.0 + tau / te)

    filtered, previous, slope, last = [], None, 0.0, None
    for value, now in zip(values, times, strict=True):
        if previous is None:
            previous = value
        else:
            rate = 1.0 / (now - last)
            dx = (value - previous) * rate
            a = alpha(rate, derivative_cutoff)
            slope = a * dx + (1 - a) * slope
            a = alpha(rate, min_cutoff + beta * abs(slope))
            previous = a * value + (1 - a) * previous
        last = now
        filtered.append(previous)
    return filtered


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.floats(-10, 10), st.floats(0.005, 0.2)), min_size=1, max_size=20),
    st.floats(0.1, 5),
    st.floats(0, 3),
    st.floats(0.2, 3),
)
def test_the_filter_is_the_published_one(steps, min_cutoff, beta, derivative_cutoff):
    values, times = [value for value, _ in steps], np.cumsum([period for _, period in steps])
    smooth = OneEuroFilter(min_cutoff, beta, derivative_cutoff)
    got = [float(smooth(np.array(value), float(now))) for value, now in zip(values, times, strict=True)]
    np.testing.assert_allclose(got, one_euro_by_hand(values, times, min_cutoff, beta, derivative_cutoff), rtol=1e-9)


def test_elements_are_filtered_each_by_itself(rng):
    values = rng.normal(size=(10, 2, 3))
    together, alone = OneEuroFilter(1.0, 0.5), OneEuroFilter(1.0, 0.5)
    for i, value in enumerate(values):
        np.testing.assert_allclose(together(value, i / 25)[1, 2], alone(value[1, 2], i / 25))


def test_jitter_is_smoothed_and_motion_followed(rng):
    times = np.arange(200) / 25
    truth = np.where(times < 4, 0.0, 20.0 * (times - 4))  # still, then fast
    noisy = truth + rng.normal(size=200) * 0.3
    smooth = OneEuroFilter(1.0, 1.0)
    got = np.array([float(smooth(np.array(value), now)) for value, now in zip(noisy, times, strict=True)])
    still, moving = slice(20, 100), slice(130, 200)
    assert np.std(np.diff(got[still])) < 0.4 * np.std(np.diff(noisy[still]))
    assert np.abs(got[moving] - truth[moving]).mean() < 0.6  # less than a frame's motion, 0.8


@pytest.mark.parametrize("wrong", [(0.0, 1.0), (1.0, -1.0), (1.0, 1.0, 0.0)])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="cutoffs must be positive and beta not negative"):
        OneEuroFilter(*wrong)


def test_time_that_stands_still_is_refused():
    smooth = OneEuroFilter(1.0, 1.0)
    smooth(np.zeros(1), 0.5)
    with pytest.raises(ValueError, match=r"time must go on: 0\.5 s came after 0\.5 s"):
        smooth(np.zeros(1), 0.5)


def test_a_face_that_does_not_move_stays_as_it_is():
    smooth, face = FaceSmoother(), known_face(CROP, MODEL)
    for i in range(3):
        got = smooth(face, i / 25, MODEL)
    np.testing.assert_allclose(got.projected_in_photo, face.projected_in_photo, rtol=1e-4, atol=1e-2)
    np.testing.assert_allclose(got.light, face.light, atol=1e-6)


def test_the_place_in_the_video_is_smoothed_not_the_one_in_the_crop():
    # The detector's box jumps from frame to frame, so the crops differ, but the face stays where it is: so must we.
    smooth, boxes = FaceSmoother(), [CROP, similarity(0.55, 4.0, (1.0, 2.0))]
    still = known_face(CROP, MODEL)
    for i in range(6):
        crop = boxes[i % 2]
        turn = np.arctan2(crop[1, 0], crop[0, 0]) - np.arctan2(CROP[1, 0], CROP[0, 0])
        spot = np.linalg.inv(CROP[:, :2]) @ (still.translation - CROP[:, 2])
        face = known_face(
            crop,
            MODEL,
            scale=0.6 * np.hypot(*crop[:, 0]) / np.hypot(*CROP[:, 0]),
            translation=tuple(crop[:, :2] @ spot + crop[:, 2]),
        )
        pose = rotation(0, 0, -np.degrees(turn)) @ still.rotation
        face = type(face)(**{**vars(face), "rotation": pose.astype(np.float32)})
        got = smooth(face, i / 25, MODEL)
        np.testing.assert_allclose(got.projected_in_photo, still.projected_in_photo, rtol=1e-3, atol=0.05)


def test_jitter_of_pose_and_expression_gets_less(rng):
    def jitter(strength):
        smooth, noise = FaceSmoother(strength), np.random.default_rng(1)
        seen = []
        for i in range(30):
            angles = tuple(noise.normal(size=3) * 2)
            face = known_face(CROP, MODEL, angles=angles, translation=tuple(47 + noise.normal(size=2)))
            face = type(face)(**{**vars(face), "expression": noise.normal(size=3).astype(np.float32)})
            got = smooth(face, i / 25, MODEL)
            seen.append([*got.euler_degrees, *got.photo_camera.translation[0].tolist(), *got.expression.tolist()])
        return np.std(np.diff(np.array(seen)[10:], axis=0), axis=0)

    off, usual, strong = jitter(0), jitter(1), jitter(4)
    assert (usual < 0.6 * off).all()
    assert (strong < 0.6 * usual).all()


def test_a_shape_given_replaces_the_face_s_own():
    face, other = known_face(CROP, MODEL), known_face(CROP, MODEL, seed=1)
    for strength in (0, 1):
        got = FaceSmoother(strength)(face, 0.0, MODEL, other.shape)
        np.testing.assert_allclose(got.neutral_vertices, other.neutral_vertices, atol=2e-3)
    assert FaceSmoother(0)(face, 0.0, MODEL) is face


def test_a_rotation_that_changes_its_quaternion_s_sign_does_not_jump():
    smooth = FaceSmoother()
    for i, roll in enumerate(np.linspace(170, 190, 9)):  # w passes zero: q becomes -q
        got = smooth(known_face(similarity(0.5, 0.0, (0.0, 0.0)), MODEL, angles=(0.0, 0.0, roll)), i / 25, MODEL)
        assert abs((got.euler_degrees[2] - roll + 180) % 360 - 180) < 15


def test_negative_smoothing_is_refused():
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        FaceSmoother(-1.0)
