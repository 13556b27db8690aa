import numpy as np
import pytest

from sirjax.evaluation.scan_alignment import Alignment
from sirjax.evaluation.scan_error import Distances, ScanError
from sirjax.evaluation.scan_summary import CED, Measured, paired_difference, summarize


def error_of(distance, scale=1.0):
    distance = np.asarray(distance, float)
    distances = Distances.of(distance)
    return ScanError(
        protocol="",
        plane=distances,
        surface=distances,
        vertex=distances,
        alignment=Alignment(scale, np.eye(3), np.zeros(3)),
        iterations=1,
        converged=True,
        crop=np.arange(len(distance)),
        crop_triangles=np.zeros((0, 3), int),
        plane_distance=distance,
        surface_distance=distance,
        tip_gap=None,
    )


def measured(*groups):
    return [Measured.of(f"{s}/{k}", s, error_of(d)) for k, (s, d) in enumerate(groups)]


def test_all_points_are_one_heap_and_images_are_averaged():
    # Image one has 3 points, image two has 1: the mean over images is (1 + 5) / 2, over points (3 * 1 + 5) / 4.
    summary = summarize(measured(("a", [1.0, 1.0, 1.0]), ("b", [5.0])))
    assert summary.images["plane"]["mean"].mean == pytest.approx(3)
    assert summary.points["mean"].mean == pytest.approx(2)
    assert summary.points["std"].mean == pytest.approx(np.std([1, 1, 1, 5]))


def test_the_heap_s_median_matches_the_sorted_points_to_a_hundredth_of_a_millimeter(rng):
    parts = [np.abs(rng.normal(size=int(size))) * scale for size, scale in ((400, 1), (900, 2), (37, 6), (1500, 30))]
    summary = summarize(measured(*((f"p{k}", part) for k, part in enumerate(parts[:3]))))
    assert summary.points["median"].mean == pytest.approx(np.median(np.concatenate(parts[:3])), abs=0.01)
    with_far = summarize(measured(*((f"p{k}", part) for k, part in enumerate(parts))))
    assert with_far.points["mean"].mean == pytest.approx(np.concatenate(parts).mean())


def test_cumulative_curves_match_a_count(rng):
    parts = [np.abs(rng.normal(size=500)) * scale for scale in (0.5, 1.5, 4.0)]
    summary = summarize(measured(*((f"p{k}", part) for k, part in enumerate(parts))))
    assert CED[0] == 0
    assert CED[-1] == 5
    np.testing.assert_allclose(np.diff(CED), 0.05)
    whole = np.concatenate(parts)
    np.testing.assert_allclose(summary.ced_points, [(whole < limit).mean() for limit in CED], atol=1e-12)
    rmse = np.array([np.sqrt(np.mean(part**2)) for part in parts])
    np.testing.assert_allclose(summary.ced_images, [(rmse <= limit).mean() for limit in CED])


def test_intervals_draw_people_not_images():
    # A hundred images of one person and one of another: the interval reaches from the one person to the other.
    many = [("a", [1.0])] * 100 + [("b", [3.0])]
    summary = summarize([Measured.of(str(k), s, error_of(d)) for k, (s, d) in enumerate(many)])
    for interval in (summary.images["plane"]["rmse"], summary.points["mean"]):
        assert (interval.low, interval.high) == (pytest.approx(1), pytest.approx(3))


def test_the_paired_difference_is_taken_for_each_person():
    mine, other = measured(("a", [1.0]), ("b", [4.0])), measured(("a", [2.0]), ("b", [4.5]))
    got = paired_difference(mine, {one.subject: one for one in other})
    assert got.mean == pytest.approx(-0.75)
    assert got.high < 0


def test_nothing_is_not_summarized():
    with pytest.raises(ValueError, match="no image could be measured: there is nothing to summarize"):
        summarize([])
