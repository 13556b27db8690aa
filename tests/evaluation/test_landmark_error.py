import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sirjax.evaluation.landmark_error import (
    NORMALIZATIONS,
    REGIONS,
    area_under_curve,
    by_region,
    by_yaw,
    cumulative,
    nme,
    point_errors,
    yaw_bin,
)

ERRORS = arrays.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 0.3))


def test_error_is_relative_to_the_box_of_the_labels():
    # Labels fill a box of 40 x 90 pixels, sqrt(3600) = 60; every point is off by (3, 4), 5 px.
    target = np.zeros((1, 68, 2))
    target[0, 1] = 40, 90
    np.testing.assert_allclose(nme(target + np.array([3, 4]), target), [5 / 60])


def test_error_matches_a_loop(rng):
    predicted, target = rng.uniform(0, 100, size=(2, 3, 68, 2))
    for i, got in enumerate(nme(predicted, target, "eyes")):
        distance = sum(math.dist(p, t) for p, t in zip(predicted[i], target[i], strict=True)) / 68
        assert got == pytest.approx(distance / math.dist(target[i, 36], target[i, 45]))


def test_size_of_the_image_does_not_matter(rng):
    predicted, target = rng.uniform(0, 100, size=(2, 3, 68, 2))
    for normalization in NORMALIZATIONS:
        np.testing.assert_allclose(
            nme(3 * predicted + 7, 3 * target + 7, normalization), nme(predicted, target, normalization)
        )


def test_labels_without_extent_are_refused():
    target = np.random.default_rng(0).uniform(size=(3, 68, 2))
    target[1] = 5.0
    with pytest.raises(ValueError, match="labels of 1 samples span no area, first sample 1; leave them out"):
        nme(target, target)


def test_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match="unknown normalization 'iod'; choose one of box, eyes, pupils"):
        nme(np.ones((1, 68, 2)), np.ones((1, 68, 2)), "iod")


def test_bins_go_by_the_absolute_yaw_and_count_equally():
    yaw = np.deg2rad([0, -29, 31, -60, 61, -90, 10])
    errors = np.array([1.0, 2.0, 10.0, 20.0, 100.0, 300.0, 3.0])
    bins, mean = by_yaw(errors, yaw)
    assert [(b.low, b.high, b.count, b.mean) for b in bins] == [(0, 30, 3, 2), (30, 60, 2, 15), (60, 90, 2, 200)]
    assert mean == pytest.approx((2 + 15 + 200) / 3)


def test_empty_bins_are_left_out_of_the_mean():
    bins, mean = by_yaw(np.array([2.0, 4.0]), np.zeros(2))
    assert [b.count for b in bins] == [2, 0, 0]
    assert mean == 3


def test_pupils_are_the_means_of_six_points(rng):
    predicted, target = rng.uniform(0, 100, size=(2, 3, 68, 2))
    for i, got in enumerate(nme(predicted, target, "pupils")):
        right, left = (sum(target[i, k] for k in eye) / 6 for eye in (range(36, 42), range(42, 48)))
        assert got == pytest.approx(np.hypot(*(predicted[i] - target[i]).T).mean() / math.dist(right, left))


@pytest.mark.parametrize("normalization", ["eyes", "pupils"])
@settings(max_examples=20)
@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.05, 20), shift=st.floats(-500, 500))
def test_a_crop_that_is_turned_scaled_and_shifted_has_the_same_error(normalization, angle, scale, shift):
    predicted, target = np.random.default_rng(1).uniform(0, 100, size=(2, 4, 68, 2))
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    moved = [points @ turn + shift for points in (predicted, target)]
    np.testing.assert_allclose(nme(*moved, normalization), nme(predicted, target, normalization), rtol=1e-9)


def test_the_box_is_that_of_the_axes_it_is_measured_along():
    # A face of 30 x 30 standing on its corner fills a box of 30 sqrt(2) x 30 sqrt(2).
    upright = np.zeros((1, 68, 2))
    upright[0, 1:4] = [[30, 0], [0, 30], [30, 30]]
    turned = upright @ (np.array([[1, 1], [-1, 1]]) / np.sqrt(2))
    step = np.array([3, 4])
    error = nme(upright + step, upright) / nme(turned + step, turned)
    np.testing.assert_allclose(error, np.sqrt(2))


def test_regions_share_out_all_points(rng):
    errors = rng.uniform(size=(3, 68))
    regions = by_region(errors)
    assert sum(len(range(68)[points]) for points in REGIONS.values()) == 68
    total = sum(regions[name] * len(range(68)[points]) for name, points in REGIONS.items())
    np.testing.assert_allclose(total / 68, errors.mean(axis=1))
    assert regions["mouth"][1] == pytest.approx(np.mean([errors[1, k] for k in range(48, 68)]))


@settings(max_examples=20)
@given(errors=ERRORS)
def test_area_is_that_under_the_fine_cumulative_curve(errors):
    x, y = cumulative(errors, 0.08, steps=4001)
    assert y[-1] == np.mean(errors <= 0.08)
    assert area_under_curve(errors, 0.08).mean() == pytest.approx(np.trapezoid(y, x) / 0.08, abs=5e-4)


def test_area_of_perfect_and_hopeless_predictions():
    np.testing.assert_array_equal(area_under_curve(np.array([0.0, 0.04, 0.08, 1.0])), [1, 0.5, 0, 0])


def test_borders_of_the_bins_belong_to_the_lower_one_whatever_the_rounding():
    degrees = np.array([30.0, -30.0, 30.001, 60.0, 60.001, 90.0, 93.0])
    np.testing.assert_array_equal(yaw_bin(np.deg2rad(degrees)), [0, 0, 1, 1, 2, 2, 2])


def test_points_that_were_not_found_are_refused(rng):
    predicted, target = rng.uniform(0, 100, size=(2, 3, 68, 2))
    predicted[2, 5] = np.nan
    with pytest.raises(ValueError, match="1 samples have predicted points that are not finite, first sample 2"):
        point_errors(predicted, target)
