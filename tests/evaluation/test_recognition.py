import numpy as np
import pytest
from scipy import stats

from sirjax.evaluation import recognition, verification
from sirjax.evaluation.bootstrap import bootstrap_pair_mean
from sirjax.evaluation.recognition import agreement, binomial_interval, compare, recognize


def people_and_pairs(rng, noise=0.6):
    identity = np.arange(40).repeat(3)
    shape = rng.normal(size=(40, 5))[identity] + noise * rng.normal(size=(120, 5))
    pairs = verification.make_pairs(identity, rng, 400)
    return shape, pairs, identity[pairs.first], identity[pairs.second]


def recognized(shape, pairs, first, second):
    distances = verification.pair_distances(shape[pairs.first], shape[pairs.second])
    return recognize(distances, pairs.same, pairs.fold, first, second, resamples=200)


def test_figures_lie_in_their_intervals_and_are_those_of_verify(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    found = recognized(shape, pairs, first, second)
    result = verification.verify(found.distances, pairs.same, pairs.fold)
    assert found.result.accuracy == result.accuracy
    for interval, value in zip(
        (found.accuracy, found.auc, found.eer, found.tpr_at_far, found.binomial),
        (result.accuracy, result.auc, result.eer, result.tpr_at_far, result.correct.mean()),
        strict=True,
    ):
        assert interval.low <= value <= interval.high
        assert interval.mean == pytest.approx(value)
        assert interval.low < interval.high


def test_auc_interval_matches_drawing_people_one_by_one(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    found, draw, areas = recognized(shape, pairs, first, second), np.random.default_rng(0), []
    people = np.unique(np.append(first, second))
    for _ in range(200):
        drawn = np.bincount(np.searchsorted(people, people[draw.integers(len(people), size=len(people))]), minlength=40)
        weight = drawn[first] * np.where(first == second, 1, drawn[second])
        far, near = found.distances[~pairs.same], found.distances[pairs.same]
        products = weight[pairs.same][:, None] * weight[~pairs.same]
        areas.append(np.sum(products * (near[:, None] < far)) / products.sum())
    np.testing.assert_allclose((found.auc.low, found.auc.high), np.quantile(areas, [0.025, 0.975]), atol=1e-9)


def test_wilson_interval_is_a_known_number():
    # 945 of 1000: Wilson's interval by hand, z = 1.95996.
    z, p, n = stats.norm.ppf(0.975), 0.945, 1000
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    got = binomial_interval(945, 1000)
    assert (got.low, got.high) == pytest.approx(((middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)))
    assert got.mean == 0.945


def test_training_pairs_enter_no_figure(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    fold = np.where(pairs.fold < 5, verification.TRAIN_ONLY, 0)
    distances = verification.pair_distances(shape[pairs.first], shape[pairs.second])
    found = recognize(distances, pairs.same, fold, first, second, resamples=50)
    judged = fold == 0
    assert found.accuracy.mean == found.result.correct[judged].mean()
    expected = bootstrap_pair_mean(
        found.result.correct[judged].astype(float),
        first[judged],
        second[judged],
        np.random.default_rng(0),
        resamples=50,
    )
    assert (found.accuracy.low, found.accuracy.high) == (expected.low, expected.high)


def test_comparison_counts_pairs_that_one_system_alone_gets_right(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    worse = shape + 0.8 * rng.normal(size=shape.shape)
    a, b = (recognized(s, pairs, first, second).result for s in (shape, worse))
    got = compare(a, b, pairs.fold, first, second, resamples=300)
    assert got.only_first == np.sum(a.correct & ~b.correct)
    assert got.only_second == np.sum(b.correct & ~a.correct)
    assert got.difference.mean == pytest.approx(a.accuracy - b.accuracy)
    assert (got.only_first - got.only_second) / len(pairs.same) == pytest.approx(got.difference.mean)
    # McNemar's exact test is the binomial one on the pairs that tell the two apart.
    differ, fewer = got.only_first + got.only_second, min(got.only_first, got.only_second)
    assert got.p_value == pytest.approx(min(1.0, 2 * stats.binom.cdf(fewer, differ, 0.5)))
    assert 0 < got.difference.low < got.difference.high


def test_a_system_does_not_differ_from_itself(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    result = recognized(shape, pairs, first, second).result
    got = compare(result, result, pairs.fold, first, second, resamples=20)
    assert (got.difference.mean, got.difference.low, got.difference.high, got.p_value) == (0, 0, 0, 1)


def test_paired_interval_is_narrower_than_two_separate_ones(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    a, b = (recognized(s, pairs, first, second) for s in (shape, shape + 0.1 * rng.normal(size=shape.shape)))
    paired = compare(a.result, b.result, pairs.fold, first, second).difference
    assert paired.high - paired.low < 0.8 * (a.accuracy.high - a.accuracy.low)


def test_parameters_and_vertices_agree_under_an_orthonormal_basis(rng, monkeypatch):
    monkeypatch.setattr(recognition, "_COLUMNS", 17)  # several parts
    basis = np.linalg.qr(rng.normal(size=(60, 5)))[0].T.astype(np.float32)
    got = agreement(rng.normal(size=(30, 5)), rng.normal(size=(30, 5)), basis)
    assert got.num_pairs == 30
    assert got.worst < 1e-6


def test_disagreement_under_another_basis_is_measured_on_vertices(rng):
    basis = rng.normal(size=(5, 60))
    a, b = rng.normal(size=(2, 30, 5))
    b[0] = a[0]  # distance 0 both ways: no difference
    a[1] = 0  # no direction: cosine distance 1 both ways
    got = agreement(a, b, basis)
    by_parameters, by_vertices = np.linalg.norm(a - b, axis=1)[1:], np.linalg.norm((a - b) @ basis, axis=1)[1:]
    assert got.euclidean == pytest.approx(np.max(np.abs(by_vertices / by_parameters - 1)))
    cosines = [verification.pair_distances(p, q, "cosine") for p, q in ((a, b), (a @ basis, b @ basis))]
    assert got.cosine == pytest.approx(np.abs(cosines[0] - cosines[1]).max())
    assert got.worst == got.euclidean > 1


def test_rows_carry_the_interval_of_every_figure(rng):
    shape, pairs, first, second = people_and_pairs(rng)
    found = recognized(shape, pairs, first, second)
    rows = recognition.recognition_rows("shape", found)
    assert [row.value for row in rows] == [
        found.result.accuracy,
        found.result.auc,
        found.result.eer,
        found.result.tpr_at_far,
    ]
    assert [row.low for row in rows] == [found.accuracy.low, found.auc.low, found.eer.low, found.tpr_at_far.low]
