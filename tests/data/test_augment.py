import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.data import alignment, augment
from sirjax.data.augment import Augmentation
from tests.data.samples import picture
from tests.face_models import landmark_layout

ALL = Augmentation(
    mirror=0.5, shift=2.0, rotation=5.0, scale=0.05, brightness=0.2, contrast=0.3, saturation=0.4, hue=0.1, blur=1.5,
    occlusion=0.5,
)  # fmt: skip


def frontal_landmarks():
    return (landmark_layout() * (40, -40) + (47.5, 60)).astype(np.float32)


def test_the_default_changes_nothing(rng):
    image, landmarks = augment.augment(picture(), frontal_landmarks(), Augmentation(), rng)
    np.testing.assert_array_equal(image, picture())
    np.testing.assert_array_equal(landmarks, frontal_landmarks())
    assert not Augmentation().enabled
    assert ALL.enabled


def test_a_symmetric_face_is_its_own_mirror_image():
    # 47.5 is the middle of 96 columns counted from 0.
    _, mirrored = augment.mirror(picture(), frontal_landmarks())
    np.testing.assert_allclose(mirrored, frontal_landmarks(), atol=1e-4)


def test_mirrored_landmarks_follow_the_pixels(rng):
    landmarks = rng.integers(0, 96, (68, 2)).astype(np.float32)
    image, moved = augment.mirror(picture(), landmarks)
    for row in range(68):
        u, v = moved[row].astype(int)
        old_u, old_v = landmarks[augment.MIRROR_LANDMARKS[row]].astype(int)
        np.testing.assert_array_equal(image[v, u], picture()[old_v, old_u])


def test_mirroring_twice_is_nothing():
    once = augment.mirror(picture(), frontal_landmarks() + np.float32(3))
    image, landmarks = augment.mirror(*once)
    np.testing.assert_array_equal(image, picture())
    np.testing.assert_allclose(landmarks, frontal_landmarks() + 3, atol=1e-4)


def test_a_move_takes_pixels_and_landmarks_along():
    shift = np.array([[1.0, 0, 5], [0, 1, -3]])
    image, landmarks = augment.move(picture(), frontal_landmarks(), shift)
    np.testing.assert_array_equal(image[:-3, 5:], picture()[3:, :-5])
    np.testing.assert_allclose(landmarks, frontal_landmarks() + np.array([5, -3]))


@given(seed=st.integers(0, 10**6))
def test_jitter_turns_about_the_center(seed):
    settings = Augmentation(rotation=10.0, scale=0.1)
    matrix = augment.jitter_matrix((112, 96), settings, np.random.default_rng(seed))
    center = np.array([[47.5, 55.5]])
    np.testing.assert_allclose(alignment.transform_points(matrix, center), center, atol=1e-9)
    linear = matrix[:, :2]
    np.testing.assert_allclose(linear @ linear.T, np.eye(2) * np.linalg.det(linear), atol=1e-9)


@given(seed=st.integers(0, 10**6))
def test_the_same_generator_gives_the_same_picture_and_inputs_stay_untouched(seed):
    image, landmarks = picture(), frontal_landmarks()
    first = augment.augment(image, landmarks, ALL, np.random.default_rng(seed))
    second = augment.augment(image, landmarks, ALL, np.random.default_rng(seed))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    np.testing.assert_array_equal(image, picture())
    np.testing.assert_array_equal(landmarks, frontal_landmarks())
    assert first[0].dtype == np.uint8
    assert first[0].shape == image.shape
    assert first[1].dtype == np.float32


def test_samples_without_landmarks_stay_without(rng):
    for _ in range(10):
        assert augment.augment(picture(), None, ALL, rng)[1] is None


def test_occlusion_covers_2_to_15_percent_at_most(rng):
    shares = [(augment.occlude(picture(), rng) != picture()).any(axis=-1).mean() for _ in range(100)]
    assert max(shares) <= 0.18  # ellipses are rounded up to whole pixels
    assert np.median(shares) >= 0.02


def test_brightness_moves_the_mean(rng):
    gray = np.full((112, 96, 3), 128, np.uint8)
    means = [augment.change_color(gray, Augmentation(brightness=0.2), rng).mean() for _ in range(200)]
    assert 128 - 51.5 <= min(means) < 90
    assert 166 < max(means) <= 128 + 51.5


def test_gray_pictures_have_no_saturation_to_change(rng):
    gray = np.repeat(picture()[..., :1], 3, axis=2)
    np.testing.assert_array_equal(augment.change_color(gray, Augmentation(saturation=0.9), rng), gray)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"mirror": 1.5}, r"augmentation mirror must be in \[0, 1\], got 1.5"),
        ({"blur": -1.0}, r"augmentation blur must be in \[0, 30\], got -1"),
    ],
)
def test_settings_outside_their_range_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**values)
