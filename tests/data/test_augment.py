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
def test_a_move_is_bilinear_interpolation_at_the_inverse(seed):
    random = np.random.default_rng(seed)
    matrix = augment.jitter_matrix((112, 96), Augmentation(shift=3.0, rotation=8.0, scale=0.1), random)
    image, _ = augment.move(picture(), None, matrix)
    # Oracle: where each pixel comes from, in float64; what lies outside repeats the edge.
    v, u = np.mgrid[:112, :96].astype(np.float64)
    source = alignment.transform_points(alignment.invert(matrix), np.stack([u, v], axis=-1))
    x, y = np.clip(source[..., 0], 0, 95), np.clip(source[..., 1], 0, 111)
    left, top = np.minimum(x.astype(int), 94), np.minimum(y.astype(int), 110)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    old = picture().astype(np.float64)
    upper = old[top, left] * (1 - fx) + old[top, left + 1] * fx
    lower = old[top + 1, left] * (1 - fx) + old[top + 1, left + 1] * fx
    expected = upper * (1 - fy) + lower * fy
    # OpenCV rounds positions to 1/32 px: half of that along both axes, times the steepest change between two pixels.
    steepest = max(np.abs(np.diff(old, axis=0)).max(), np.abs(np.diff(old, axis=1)).max())
    assert np.abs(image - expected).max() <= steepest / 32 + 1


@given(seed=st.integers(0, 10**6))
def test_a_moved_spot_stays_under_its_landmark(seed):
    random = np.random.default_rng(seed)
    point = random.uniform((35, 40), (60, 70))
    v, u = np.mgrid[:112, :96]
    spot = 250 * np.exp(-((u - point[0]) ** 2 + (v - point[1]) ** 2) / (2 * 3.0**2))
    image = np.repeat(np.rint(spot).astype(np.uint8)[..., None], 3, axis=2)
    matrix = augment.jitter_matrix((112, 96), Augmentation(shift=2.0, rotation=8.0, scale=0.1), random)
    moved, landmarks = augment.move(image, np.tile(point, (68, 1)), matrix)
    weight = moved[..., 0].astype(np.float64)
    center = np.array([(weight * u).sum(), (weight * v).sum()]) / weight.sum()
    np.testing.assert_allclose(center, landmarks[30], atol=0.1)


def test_jitter_has_the_spread_it_is_asked_for():
    settings = Augmentation(shift=2.0, rotation=5.0, scale=0.1)
    random = np.random.default_rng(0)
    matrices = np.stack([augment.jitter_matrix((112, 96), settings, random) for _ in range(4000)])
    center = np.einsum("nij,j->ni", matrices[:, :, :2], [47.5, 55.5]) + matrices[:, :, 2] - (47.5, 55.5)
    angle = np.rad2deg(np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0]))
    scale = 0.5 * np.log(np.linalg.det(matrices[:, :, :2]))
    for values, spread in ((center[:, 0], 2.0), (center[:, 1], 2.0), (angle, 5.0), (scale, 0.1)):
        assert abs(values.mean()) < 4 * spread / np.sqrt(4000)
        assert values.std() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 1.5, 3.0])
def test_blur_is_a_gaussian(sigma):
    radius = (round(sigma * 6 + 1) | 1) // 2  # OpenCV's kernel of 8-bit images
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-(offsets**2) / (2 * sigma**2))
    kernel /= kernel.sum()
    padded = np.pad(picture().astype(np.float64), ((radius, radius), (radius, radius), (0, 0)), mode="reflect")
    down = sum(weight * padded[i : i + 112] for i, weight in enumerate(kernel))
    expected = sum(weight * down[:, i : i + 96] for i, weight in enumerate(kernel))
    np.testing.assert_allclose(augment.blur(picture(), sigma), expected, atol=1.5)


@given(seed=st.integers(0, 10**6))
def test_color_changes_match_their_formula(seed):
    settings = Augmentation(brightness=0.2, contrast=0.5, saturation=0.6, hue=0.2)
    got = augment.change_color(picture(), settings, np.random.default_rng(seed))
    random = np.random.default_rng(seed)
    shift, contrast, saturation = random.uniform(-1, 1, 3)
    gains = 1 + 0.2 * random.uniform(-1, 1, 3)
    # Oracle: away from the mean of the pixel's channels, then from the picture's mean, then brighter.
    pixels = (picture().astype(np.float64) * gains).reshape(-1, 3)
    gray = pixels.mean(axis=1, keepdims=True)
    pixels = gray + (pixels - gray) * (1 + 0.6 * saturation)
    pixels = pixels.mean() + (pixels - pixels.mean()) * (1 + 0.5 * contrast) + 255 * 0.2 * shift
    np.testing.assert_allclose(got.reshape(-1, 3), np.clip(pixels, 0, 255), atol=0.51)


def test_an_occluder_is_one_ellipse(rng):
    for _ in range(50):
        gray = np.full((112, 96, 3), 128, np.uint8)
        covered = (augment.occlude(gray, rng) != gray).any(axis=-1)
        v, u = np.nonzero(covered)
        if len(u) < 50 or u.min() == 0 or v.min() == 0 or u.max() == 95 or v.max() == 111:
            continue  # cut by the edge
        # Oracle: within an ellipse of covariance C, (p - mean)^T C^-1 (p - mean) is at most 4.
        points = np.stack([u, v], axis=1) - (u.mean(), v.mean())
        distance = np.einsum("ni,ij,nj->n", points, np.linalg.inv(np.cov(points.T)), points)
        assert distance.max() < 4.6
        assert len(u) == pytest.approx(4 * np.pi * np.sqrt(np.linalg.det(np.cov(points.T))), rel=0.06)


@pytest.mark.parametrize(
    ("name", "value", "probability"), [("mirror", 0.3, 0.3), ("occlusion", 0.3, 0.3), ("blur", 9, 0.5)]
)
def test_probabilities_are_kept(name, value, probability):
    settings = Augmentation(**{name: value})
    changed = 0
    for number in range(400):
        image, _ = augment.augment(picture(), None, settings, np.random.default_rng(number))
        changed += bool((image != picture()).any())
    assert abs(changed - 400 * probability) < 4 * np.sqrt(400 * probability * (1 - probability)) + 12  # tiny blurs


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
