import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.data import alignment
from tests.data.samples import picture

angles = st.floats(-np.pi, np.pi)
scales = st.floats(0.02, 50)
shifts = st.floats(-5000, 5000)


def similarity(angle, scale, x, y):
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


@given(angle=angles, scale=scales, x=shifts, y=shifts)
def test_points_seen_through_any_similarity_go_back_to_the_template(angle, scale, x, y):
    photo_from_crop = similarity(angle, scale, x, y)
    points = alignment.transform_points(photo_from_crop, alignment.TEMPLATE)
    matrix = alignment.crop_from_photo(points)
    np.testing.assert_allclose(alignment.transform_points(matrix, points), alignment.TEMPLATE, atol=1e-6)


@given(angle=angles, scale=scales, x=shifts, y=shifts, u=st.floats(0, 96), v=st.floats(0, 112))
def test_there_and_back_is_within_a_ten_thousandth_of_a_pixel(angle, scale, x, y, u, v):
    matrix = similarity(angle, scale, x, y)
    point = np.array([[u, v]])
    back = alignment.transform_points(alignment.invert(matrix), alignment.transform_points(matrix, point))
    assert np.abs(back - point).max() < 1e-4


def test_noisy_points_get_the_least_squares_similarity(rng):
    points = alignment.TEMPLATE * 3 + 40 + rng.normal(0, 5, (5, 2))
    # Oracle: the linear system u = a x - b y + p, v = b x + a y + q, solved by numpy.
    rows, values = [], []
    for (x, y), (u, v) in zip(points, alignment.TEMPLATE, strict=True):
        rows += [(x, -y, 1, 0), (y, x, 0, 1)]
        values += [u, v]
    a, b, p, q = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    np.testing.assert_allclose(alignment.crop_from_photo(points), [[a, -b, p], [b, a, q]], atol=1e-9)


def test_mirrored_points_are_never_answered_by_a_reflection():
    mirrored = alignment.TEMPLATE * (-1, 1)
    assert np.linalg.det(alignment.crop_from_photo(mirrored)[:, :2]) > 0


def test_compose_applies_the_inner_transform_first(rng):
    outer, inner = similarity(0.3, 2, 5, 6), similarity(-1, 0.5, 7, 8)
    points = rng.normal(size=(4, 2))
    two_steps = alignment.transform_points(outer, alignment.transform_points(inner, points))
    np.testing.assert_allclose(alignment.transform_points(alignment.compose(outer, inner), points), two_steps)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.ones((5, 2)), "leave no similarity to fit"),
        (np.full((5, 2), np.nan), "needs 5 finite points"),
        (np.ones((4, 2)), "needs 5 finite points"),
    ],
)
def test_points_without_an_answer_are_refused(points, message):
    with pytest.raises(ValueError, match=message):
        alignment.crop_from_photo(points)


def test_a_transform_without_inverse_is_refused():
    with pytest.raises(ValueError, match="has no inverse"):
        alignment.invert(np.zeros((2, 3)))


def test_five_points_of_68_are_eye_centers_nose_and_mouth_corners():
    landmarks = np.arange(136.0).reshape(68, 2)
    # Means of points 36..41 and 42..47: rows 38.5 and 44.5, of which row i is (2i, 2i + 1).
    np.testing.assert_allclose(alignment.five_points(landmarks), [(77, 78), (89, 90), (60, 61), (96, 97), (108, 109)])


def test_a_box_lands_on_its_usual_place():
    left, top, right, bottom = 10 * np.array(alignment.DETECTOR_BOX) + 300
    corners = np.array([(left, top), (right, bottom)])
    moved = alignment.transform_points(alignment.crop_from_box((left, top, right, bottom)), corners)
    np.testing.assert_allclose(moved.ravel(), alignment.DETECTOR_BOX, atol=1e-9)


@pytest.mark.parametrize("box", [(5, 0, 5, 9), (0, 9, 5, 0), (0, 0, np.nan, 9)])
def test_an_empty_box_is_refused(box):
    with pytest.raises(ValueError, match="a face box needs left < right and top < bottom"):
        alignment.crop_from_box(box)


def landmarks_on_template():
    landmarks = np.zeros((68, 2))
    landmarks[:, 0] = np.linspace(7, 88, 68)
    landmarks[:, 1] = np.linspace(39, 118, 68)
    for rows, point in zip((slice(36, 42), slice(42, 48), 30, 48, 54), alignment.TEMPLATE, strict=True):
        landmarks[rows] = point
    return landmarks


def test_landmarks_that_fit_are_aligned_by_their_five_points():
    landmarks = landmarks_on_template()
    expected = similarity(0, 0.25, -1.75, -1.75)
    np.testing.assert_allclose(alignment.crop_from_landmarks(landmarks * 4 + 7), expected, atol=1e-12)


def test_a_profile_whose_points_do_not_fit_gets_the_upright_box_crop():
    profile = landmarks_on_template()
    profile[[30, 48, 54]] += [(60, -60)] * 3  # mouth and nose far off where the eyes want them
    matrix = alignment.crop_from_landmarks(profile)
    assert alignment.template_residual(alignment.five_points(profile), matrix) > alignment.MAX_TEMPLATE_RESIDUAL
    box = (*profile.min(axis=0), *profile.max(axis=0))
    np.testing.assert_allclose(matrix, alignment.crop_from_box(box, alignment.LANDMARK_BOX))


def test_landmarks_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="finite"):
        alignment.crop_from_landmarks(np.full((68, 2), np.nan))


def test_an_identity_warp_returns_the_image():
    image = picture()
    np.testing.assert_array_equal(alignment.warp(image, np.eye(2, 3)), image)


@pytest.mark.parametrize("scale", [0.11, 0.4, 1.0, 1.9])
def test_warp_and_transform_agree_where_a_point_lands(scale):
    matrix = similarity(0.4, scale, 20, -30)
    spot = alignment.transform_points(alignment.invert(matrix), np.array([[40.0, 60.0]]))[0]
    v, u = np.mgrid[0:900, 0:800]
    blob = np.exp(-((u - spot[0]) ** 2 + (v - spot[1]) ** 2) / (2 * (3 / scale) ** 2))
    photo = np.repeat(np.rint(255 * blob)[..., None], 3, axis=2).astype(np.uint8)
    crop = alignment.warp(photo, matrix).astype(float)[..., 0]
    v, u = np.mgrid[0:112, 0:96]
    center = np.array([(crop * u).sum(), (crop * v).sum()]) / crop.sum()
    np.testing.assert_allclose(center, (40, 60), atol=0.03)


def test_shrinking_averages_instead_of_picking_pixels():
    checkers = np.indices((1120, 960)).sum(axis=0) % 2 * 255
    photo = np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8)
    crop = alignment.warp(photo, similarity(0.0, 0.1, 0, 0))
    inside = crop[2:-2, 2:-2]
    assert np.abs(inside.astype(int) - 127).max() <= 1  # nearest or bilinear sampling leaves black and white


@pytest.mark.parametrize("matrix", [similarity(0.2, 0.1, 4000, 0), similarity(0, 3.0, -9000, 0)])
def test_a_crop_wholly_outside_the_photo_is_black(matrix):
    photo = np.full((60, 50, 3), 255, np.uint8)
    assert alignment.warp(photo, matrix).max() == 0


def test_warp_refuses_float_images():
    with pytest.raises(ValueError, match="uint8 image"):
        alignment.warp(np.zeros((4, 4, 3)), np.eye(2, 3))
