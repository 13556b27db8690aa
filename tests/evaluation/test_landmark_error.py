import math

import numpy as np
import pytest

from sirjax.evaluation.landmark_error import by_yaw, nme


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
    for normalization in ("box", "eyes"):
        np.testing.assert_allclose(
            nme(3 * predicted + 7, 3 * target + 7, normalization), nme(predicted, target, normalization)
        )


def test_labels_without_extent_are_refused():
    target = np.random.default_rng(0).uniform(size=(3, 68, 2))
    target[1] = 5.0
    with pytest.raises(ValueError, match="labels of 1 samples span no area, first sample 1; leave them out"):
        nme(target, target)


def test_unknown_normalization_is_refused():
    with pytest.raises(ValueError, match="unknown normalization 'iod'; choose one of box, eyes"):
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
