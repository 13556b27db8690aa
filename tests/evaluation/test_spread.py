"""Spreads against loops over all pairs, scikit-free; bootstrap against repetition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.constants import NO_IDENTITY
from sirjax.evaluation.distinctiveness import distinctiveness
from sirjax.evaluation.spread import distances, make_pair_set, spread, spread_intervals


def figures_by_loop(distance, same):
    intra, inter = distance[same], distance[~same]
    wins = [1.0 if b > a else 0.5 if b == a else 0.0 for a in intra for b in inter]
    thresholds = [-1.0, *distance]
    accuracy = max((np.mean(intra <= t) + np.mean(inter > t)) / 2 for t in thresholds)
    d_prime = (inter.mean() - intra.mean()) / np.sqrt((inter.var() + intra.var()) / 2)
    return np.sqrt(np.mean(intra**2)), np.sqrt(np.mean(inter**2)), d_prime, np.mean(wins), accuracy


@settings(max_examples=20)
@given(seed=st.integers(0, 1000), ties=st.booleans())
def test_figures_match_loops_over_all_pairs(seed, ties):
    rng = np.random.default_rng(seed)
    shape = rng.integers(0, 3, size=(14, 2)).astype(float) if ties else rng.normal(size=(14, 3))
    identity = np.append(rng.integers(0, 4, size=11), [0, 0, 1])
    pairs = make_pair_set(identity, rng)
    assert pairs.complete
    assert len(pairs.same) == 91
    distance = distances(shape, pairs)
    if np.ptp(distance) == 0:
        return
    got = spread(distance, pairs.same)
    intra, inter, d_prime, auc, accuracy = figures_by_loop(distance, pairs.same)
    assert (got.intra, got.inter) == (pytest.approx(intra), pytest.approx(inter))
    assert (got.d_prime, got.auc, got.accuracy) == (
        pytest.approx(d_prime, abs=1e-6),
        pytest.approx(auc),
        pytest.approx(accuracy),
    )


def test_root_mean_squares_are_those_of_all_sums(rng):
    whitened, identity = rng.normal(size=(30, 5)), rng.integers(-1, 6, size=30)
    pairs = make_pair_set(identity, rng)
    got = spread(distances(whitened, pairs), pairs.same)
    sums = distinctiveness(whitened, np.ones(5), identity, num_vertices=1)
    assert (got.intra, got.inter) == (pytest.approx(sums.intra_rmse), pytest.approx(sums.inter_rmse))


def test_equal_shapes_are_exactly_zero_apart(rng):
    shape = rng.normal(size=(3, 1000)).astype(np.float32)[[0, 0, 1, 1, 2]]
    pairs = make_pair_set(np.array([0, 0, 1, 1, 2]), rng)
    got = spread(distances(shape, pairs), pairs.same)
    assert (got.intra, got.ratio, got.d_prime > 5, got.auc, got.accuracy) == (0, np.inf, True, 1, 1)


def test_one_shape_for_all_says_nothing(rng):
    pairs = make_pair_set(np.array([0, 0, 1, 1]), rng)
    got = spread(distances(np.ones((4, 3)), pairs), pairs.same)
    assert (got.ratio, got.d_prime, got.auc, got.accuracy) == (1, 0, 0.5, 0.5)


def test_samples_without_identity_are_in_no_pair(rng):
    pairs = make_pair_set(np.array([NO_IDENTITY, 0, 0, NO_IDENTITY, 1]), rng)
    assert {*pairs.first, *pairs.second} == {1, 2, 4}


def test_drawn_pairs_give_the_figures_of_all(rng):
    identity = np.repeat(np.arange(60), 10)
    shape = rng.normal(size=(60, 4))[identity] * 2 + rng.normal(size=(600, 4))
    everything, some = (make_pair_set(identity, rng, limit) for limit in (1_000_000, 4000))
    assert everything.complete
    assert not some.complete
    assert len(some.same) <= 4000
    assert some.same.sum() == 2000
    np.testing.assert_array_equal(identity[some.first] == identity[some.second], some.same)
    a, b = (spread(distances(shape, pairs), pairs.same) for pairs in (everything, some))
    assert b.auc == pytest.approx(a.auc, abs=0.02)
    assert b.ratio == pytest.approx(a.ratio, rel=0.05)


def test_intervals_match_repeating_the_people_drawn(rng):
    identity = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3])
    shape = rng.normal(size=(4, 2))[identity] + rng.normal(size=(9, 2))
    pairs = make_pair_set(identity, rng)
    distance = distances(shape, pairs)
    got = spread_intervals(distance, pairs, identity, np.random.default_rng(5), resamples=60)
    draws, ratios, areas = np.random.default_rng(5), [], []
    for _ in range(60):
        people = draws.choice(np.arange(4), 4)
        times = [
            np.sum(people == identity[a]) * (1 if same else np.sum(people == identity[b]))
            for a, b, same in zip(pairs.first, pairs.second, pairs.same, strict=True)
        ]
        repeated = np.repeat(np.arange(len(distance)), times)
        if pairs.same[repeated].all():
            continue
        one = spread(distance[repeated], pairs.same[repeated])
        ratios.append(one.ratio)
        areas.append(one.auc)
    ends = [0.025, 0.975]
    np.testing.assert_allclose(got["ratio"], np.quantile(ratios, ends, method="closest_observation"))
    np.testing.assert_allclose(got["auc"], np.quantile(areas, ends, method="closest_observation"))


@pytest.mark.parametrize("identity", [[0, 0, 0], [0, 1, 2], [NO_IDENTITY] * 3])
def test_labels_without_both_kinds_of_pairs_are_refused(identity, rng):
    with pytest.raises(ValueError, match="need two people, one of them with two samples; got"):
        make_pair_set(np.array(identity), rng)
