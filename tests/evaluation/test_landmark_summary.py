"""The summary against sums by hand, and its refusals."""

import numpy as np
import pytest

from sirjax.evaluation.landmark_error import nme
from sirjax.evaluation.landmark_summary import evaluate_landmarks


@pytest.fixture
def points(rng):
    target = rng.uniform(0, 100, size=(12, 68, 2))
    return target + rng.normal(size=target.shape) * np.arange(1, 13)[:, None, None] / 4, target


def test_figures_are_means_over_samples_and_bins(points):
    yaw = np.deg2rad([0, 10, -20, 30, 29, 5, 1, 2, 45, -50, 80, 85])
    result = evaluate_landmarks(*points, yaw=yaw, resamples=50)
    errors = nme(*points)
    assert result.error.mean == pytest.approx(errors.mean())
    assert [b.count for b in result.bins] == [8, 2, 2]
    means = [errors[:8].mean(), errors[8:10].mean(), errors[10:].mean()]
    assert [b.error.mean for b in result.bins] == pytest.approx(means)
    assert result.mean_of_bins.mean == pytest.approx(np.mean(means))
    assert result.mean_of_bins.low < result.mean_of_bins.mean < result.mean_of_bins.high
    assert result.failures.mean == pytest.approx(np.mean(errors > 0.08))
    assert list(result.order) == list(np.argsort(errors))
    assert result.metrics()["nme_by_eyes"] == pytest.approx(100 * nme(*points, "eyes").mean())


def test_interval_of_the_mean_over_bins_matches_a_loop(points):
    yaw, group = np.deg2rad(np.tile([0, 40, 70], 4)), np.arange(12) // 3
    result = evaluate_landmarks(*points, yaw=yaw, group=group, resamples=40, seed=3)
    errors, rng, means = nme(*points), np.random.default_rng(3), []
    for _ in range(40):
        drawn = rng.integers(4, size=4)
        rows = np.concatenate([np.flatnonzero(group == g) for g in drawn])
        means.append(np.mean([errors[rows[rows % 3 == k]].mean() for k in range(3)]))
    np.testing.assert_allclose((result.mean_of_bins.low, result.mean_of_bins.high), np.quantile(means, [0.025, 0.975]))


def test_bins_without_faces_are_named_and_left_out(points):
    result = evaluate_landmarks(*points, yaw=np.zeros(12), resamples=20)
    assert [(b.count, b.error is None) for b in result.bins] == [(12, False), (0, True), (0, True)]
    assert result.mean_of_bins.mean == pytest.approx(result.error.mean)


def test_photos_of_one_person_widen_the_interval(points):
    predicted, target = points
    alone = evaluate_landmarks(predicted, target, resamples=300)
    together = evaluate_landmarks(predicted, target, group=np.arange(12) // 6, resamples=300)
    assert together.error.high - together.error.low > alone.error.high - alone.error.low
    assert "12 photos" in alone.protocol
    assert "2 groups of photos" in together.protocol


def test_arrays_that_do_not_fit_are_refused(points):
    with pytest.raises(ValueError, match=r"of one shape \[N, 68, 2\], got \[12, 68, 2\] and \[11, 68, 2\]"):
        evaluate_landmarks(points[0], points[1][:11])
    with pytest.raises(ValueError, match="unknown normalization 'iod'; choose one of box, eyes, pupils"):
        evaluate_landmarks(*points, normalization="iod")
