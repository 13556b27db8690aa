import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from sirjax.constants import NO_IDENTITY
from sirjax.evaluation import verification
from sirjax.evaluation.verification import TRAIN_ONLY


def best_accuracy_by_brute_force(distances, same):
    """Tries a threshold at every distance and below all of them."""
    return max(np.mean((distances <= t) == same) for t in (-np.inf, *distances))


def accept_rates_by_brute_force(distances, same):
    """(true, false) accept rate at every useful threshold."""
    return [(np.mean(distances[same] <= t), np.mean(distances[~same] <= t)) for t in (-np.inf, *np.unique(distances))]


def random_pairs(seed, num_pairs=60, folds=3, levels=12):
    """Distances with many ties, so that tie handling matters."""
    rng = np.random.default_rng(seed)
    same = rng.uniform(size=num_pairs) < 0.5
    same[:2] = True, False
    distances = rng.integers(levels, size=num_pairs) / levels + 0.2 * ~same
    return distances, same, np.arange(num_pairs) % folds


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_thresholds_are_the_exact_optimum_of_the_other_folds(seed):
    distances, same, fold = random_pairs(seed)
    result = verification.verify(distances, same, fold)
    for f in range(3):
        others = fold != f
        reached = np.mean((distances[others] <= result.thresholds[f]) == same[others])
        assert reached == best_accuracy_by_brute_force(distances[others], same[others])
        own = np.mean((distances[fold == f] <= result.thresholds[f]) == same[fold == f])
        assert result.fold_accuracy[f] == pytest.approx(own)
    assert result.accuracy == pytest.approx(result.fold_accuracy.mean())
    assert result.correct.mean() == pytest.approx(result.accuracy)  # folds of equal size


# Scores that break careless code: few levels, all equal, extreme sizes, both kinds in two ties, neighbors in float64.
ADVERSARIAL = {
    "two levels": lambda rng, count: rng.integers(2, size=count).astype(float),
    "constant": lambda rng, count: np.full(count, 0.3),
    "tiny": lambda rng, count: rng.integers(5, size=count) * 1e-300,
    "huge": lambda rng, count: rng.normal(size=count) * 1e300,
    "neighbors": lambda rng, count: 1 + rng.integers(4, size=count) * np.finfo(float).eps,
    "continuous": lambda rng, count: rng.normal(size=count),
}


@pytest.mark.parametrize("kind", ADVERSARIAL)
@pytest.mark.parametrize("seed", range(5))
def test_adversarial_scores_agree_with_scikit_learn_and_with_brute_force(kind, seed):
    rng = np.random.default_rng(seed)
    distances, same = ADVERSARIAL[kind](rng, 60), rng.uniform(size=60) < 0.5
    fold = np.arange(60) % 4
    same[fold == 3] = True  # one class missing where fold 3 is judged
    result = verification.verify(distances, same, fold, far=0.1)
    assert result.auc == pytest.approx(metrics.roc_auc_score(same, -distances))
    false, true, _ = metrics.roc_curve(same, -distances, drop_intermediate=False)
    got_true, got_false = verification.Roc(distances, same).rates()
    np.testing.assert_allclose(got_true, true)
    np.testing.assert_allclose(got_false, false)
    assert result.tpr_at_far == pytest.approx(true[false <= 0.1].max())
    for f in range(4):
        others = fold != f
        reached = np.mean((distances[others] <= result.thresholds[f]) == same[others])
        assert reached == best_accuracy_by_brute_force(distances[others], same[others])


def test_training_pairs_of_one_kind_accept_all_or_nothing():
    # Fold 0 trains on "same" pairs alone, fold 1 on "different" ones alone.
    distances, same, fold = np.arange(4.0), np.array([False, False, True, True]), np.array([0, 0, 1, 1])
    result = verification.verify(distances, same, fold)
    np.testing.assert_array_equal(result.thresholds, [np.inf, -np.inf])
    assert result.accuracy == 0


def test_training_pairs_choose_the_threshold_and_are_not_judged(rng):
    distances, same, _ = random_pairs(2, num_pairs=80)
    fold = np.where(np.arange(80) < 50, TRAIN_ONLY, 0)
    result = verification.verify(distances, same, fold)
    own = fold == 0
    reached = np.mean((distances[~own] <= result.thresholds[0]) == same[~own])
    assert reached == best_accuracy_by_brute_force(distances[~own], same[~own])
    assert result.accuracy == np.mean((distances[own] <= result.thresholds[0]) == same[own])
    assert not result.correct[~own].any()
    assert result.auc == pytest.approx(metrics.roc_auc_score(same[own], -distances[own]))
    # Whatever the training pairs are, they change nothing of the curve.
    np.testing.assert_array_equal(
        verification.Roc(distances[own], same[own]).figures(), [result.auc, result.eer, result.tpr_at_far]
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_weighted_roc_is_that_of_repeated_pairs(seed):
    distances, same, _ = random_pairs(seed)
    weight = np.random.default_rng(seed).integers(4, size=len(same))
    weight[:2] = 1
    repeated = verification.Roc(distances.repeat(weight), same.repeat(weight))
    got = verification.Roc(distances, same).figures(weight.astype(float), far=0.2)
    np.testing.assert_allclose(got, repeated.figures(far=0.2), atol=1e-12)


def test_roc_of_weights_that_leave_one_kind_says_nothing():
    same = np.array([True, False, True])
    assert np.isnan(verification.Roc(np.arange(3.0), same).figures(same.astype(float))).all()


@pytest.mark.parametrize("unit", [1e-3, 1.0, 25.4])
def test_millimeters_or_meters_or_inches_make_no_difference(unit, rng):
    identity = np.arange(40).repeat(3)
    shape = rng.normal(size=(40, 6))[identity] + 0.8 * rng.normal(size=(120, 6))
    pairs = verification.make_pairs(identity, rng, 400)
    for distance in verification.DISTANCES:
        a, b = (verification.verify_descriptors(s, pairs, distance) for s in (shape, shape * unit))
        np.testing.assert_array_equal(a.correct, b.correct)
        assert (a.auc, a.eer, a.tpr_at_far) == pytest.approx((b.auc, b.eer, b.tpr_at_far))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_roc_figures_match_brute_force(seed):
    distances, same, fold = random_pairs(seed)
    result = verification.verify(distances, same, fold, far=0.2)
    comparisons = distances[same][:, None] - distances[~same][None]
    assert result.auc == pytest.approx(np.mean(comparisons < 0) + 0.5 * np.mean(comparisons == 0))
    rates = accept_rates_by_brute_force(distances, same)
    assert result.tpr_at_far == max(true for true, false in rates if false <= 0.2)
    # The equal error rate lies between the two thresholds where false accepts overtake false rejects.
    after = next(i for i, (true, false) in enumerate(rates) if false >= 1 - true)
    assert rates[after - 1][1] <= result.eer <= rates[after][1]
    assert 1 - rates[after][0] <= result.eer <= 1 - rates[after - 1][0]


def test_worked_example():
    # Fold 1 trains on the distances 1, 2 (same) and 3, 5 (different): the best interval is [2, 3), its middle 2.5.
    distances = np.array([1.0, 2.0, 3.0, 5.0, 2.25, 2.75, 2.4, 6.0])
    same = np.array([True, True, False, False, True, True, False, False])
    fold = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    result = verification.verify(distances, same, fold)
    assert result.thresholds[1] == 2.5
    # Of fold 1, 2.25 and 6 are judged right, 2.75 and 2.4 wrong.
    assert result.fold_accuracy[1] == 0.5
    # Fold 0 trains on 2.25 s, 2.4 d, 2.75 s, 6 d. Accepting one or three gives three right; the smaller one wins.
    assert result.thresholds[0] == pytest.approx((2.25 + 2.4) / 2)
    # 1, 2, 3, 5: all right.
    assert result.fold_accuracy[0] == 1.0
    assert result.accuracy == 0.75
    assert result.accuracy_std == 0.25
    # Of the 16 comparisons of a same with a different distance only 2.75 > 2.4 is wrong.
    assert result.auc == pytest.approx(15 / 16)


def test_separable_pairs_are_all_right():
    same = np.arange(40) % 2 == 0
    result = verification.verify(np.where(same, 0.1, 0.9), same, np.arange(40) // 10)
    assert (result.accuracy, result.auc, result.eer, result.tpr_at_far) == (1, 1, 0, 1)
    np.testing.assert_allclose(result.thresholds, 0.5)


def test_equal_distances_are_chance():
    same = np.arange(40) % 2 == 0
    result = verification.verify(np.zeros(40), same, np.arange(40) // 10)
    assert (result.accuracy, result.auc, result.eer, result.tpr_at_far) == (0.5, 0.5, 0.5, 0)


def test_threshold_between_adjacent_floats_stays_below_the_larger():
    low = np.nextafter(1, 2)  # odd, so that the middle rounds up to the even neighbor
    high = np.nextafter(low, 2)
    same = np.array([True, False] * 2)
    result = verification.verify(np.array([low, high] * 2), same, np.array([0, 0, 1, 1]))
    assert result.accuracy == 1


def test_order_of_pairs_does_not_matter(rng):
    distances, same, fold = random_pairs(5)
    order = rng.permutation(len(same))
    a, b = verification.verify(distances, same, fold), verification.verify(distances[order], same[order], fold[order])
    np.testing.assert_array_equal(a.thresholds, b.thresholds)
    assert (a.accuracy, a.auc, a.eer) == (b.accuracy, b.auc, b.eer)


def test_six_thousand_pairs_take_milliseconds(rng):
    same = np.arange(6000) % 2 == 0
    distances = rng.normal(size=6000) + ~same
    verification.verify(distances, same, np.arange(6000) // 600)
    start = time.process_time()
    verification.verify(distances, same, np.arange(6000) // 600)
    assert time.process_time() - start < 0.2  # about 5 ms; comparing all pairs with all thresholds takes seconds


def test_distances_match_their_definitions(rng):
    a, b = rng.normal(size=(2, 5, 3))
    for i in range(5):
        length = np.sqrt(sum((a[i] - b[i]) ** 2))
        assert verification.pair_distances(a, b)[i] == pytest.approx(length)
        cosine = a[i] @ b[i] / np.sqrt(a[i] @ a[i]) / np.sqrt(b[i] @ b[i])
        assert verification.pair_distances(a, b, "cosine")[i] == pytest.approx(1 - cosine)


def test_cosine_distance_of_a_zero_descriptor_is_one():
    np.testing.assert_array_equal(verification.pair_distances(np.zeros((1, 3)), np.ones((1, 3)), "cosine"), [1])


def test_unknown_distance_is_refused():
    with pytest.raises(ValueError, match="unknown distance 'manhattan'; choose one of euclidean, cosine"):
        verification.pair_distances(np.ones((1, 2)), np.ones((1, 2)), "manhattan")


@pytest.mark.parametrize(
    ("distances", "same", "fold", "message"),
    [
        ([0.0, np.nan], [True, False], [0, 1], "1 of 2 distances are not finite"),
        ([0.0, 1.0], [True, True], [0, 1], "needs pairs of both kinds, got 2 same, 0 different"),
        ([0.0, 1.0], [True, False], [0, 0], r"numbered 0, 1, ... without gaps, at least two, got \[0\]"),
        ([0.0, 1.0], [True, False], [0, 2], r"without gaps, at least two, got \[0, 2\]"),
        ([0.0, 1.0], [True, False], [-1, -1], r"at least one beside the training pairs, got \[-1\]"),
        ([0.0, 1.0], [True, False], [-2, 0], r"without gaps, .*, got \[-2, 0\]"),
        ([0.0, 1.0, 2.0], [True, False, True], [-1, -1, 0], "to judge, got 1 same, 0 different beside the training"),
    ],
)
def test_pairs_that_cannot_be_verified_are_refused(distances, same, fold, message):
    with pytest.raises(ValueError, match=message):
        verification.verify(np.array(distances), np.array(same), np.array(fold))


# Pairs


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_pairs_are_balanced_distinct_and_share_no_identity_between_folds(seed, folds):
    rng = np.random.default_rng(seed)
    identity = np.append(np.arange(12).repeat(3), rng.integers(-1, 20, size=40))
    pairs = verification.make_pairs(identity, rng, num_pairs=60, num_folds=folds)
    np.testing.assert_array_equal(identity[pairs.first] == identity[pairs.second], pairs.same)
    assert (pairs.first != pairs.second).all()
    assert (identity[pairs.first] != NO_IDENTITY).all()
    assert (identity[pairs.second] != NO_IDENTITY).all()
    unordered = {frozenset(pair) for pair in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)}
    assert len(unordered) == len(pairs.same)
    seen = [set(identity[np.append(pairs.first[pairs.fold == f], pairs.second[pairs.fold == f])]) for f in range(folds)]
    assert len(set.union(*seen)) == sum(map(len, seen))
    for f in range(folds):
        own = pairs.same[pairs.fold == f]
        assert 2 * own.sum() == len(own) == len(pairs.same) // folds


def test_every_possible_pair_is_drawn_when_asked_for_all():
    # Each fold has two identities of two samples: 2 same pairs (all drawn) and 4 different ones (2 drawn).
    identity = np.arange(4).repeat(2)
    pairs = verification.make_pairs(identity, np.random.default_rng(0), num_pairs=1000, num_folds=2)
    drawn = {frozenset(p) for p in zip(pairs.first[pairs.same], pairs.second[pairs.same], strict=True)}
    assert drawn == {frozenset((2 * j, 2 * j + 1)) for j in range(4)}
    assert np.sum(~pairs.same) == 4


def test_all_pairs_of_a_kind_are_equally_likely():
    # Three identities with 3, 2 and 1 samples: 4 same pairs and 11 different ones, 4 drawn of each.
    identity, counts = np.array([0, 0, 0, 1, 1, 2]), {}
    for seed in range(1500):
        drawer = verification._PairDrawer(identity, np.arange(3))
        for pair in drawer.draw(np.random.default_rng(seed), 4).T:
            counts[tuple(pair)] = counts.get(tuple(pair), 0) + 1
    different = [n for (a, b), n in counts.items() if identity[a] != identity[b]]
    assert len(counts) == 4 + 11
    # 1500 * 4 / 11 = 545 each, standard deviation 19.
    assert max(abs(n - 545) for n in different) < 80


def test_same_seed_gives_the_same_pairs():
    identity = np.arange(30).repeat(3)
    a, b = (verification.make_pairs(identity, np.random.default_rng(3), 100) for _ in range(2))
    np.testing.assert_array_equal(a.first, b.first)
    np.testing.assert_array_equal(a.second, b.second)


def test_large_sets_are_not_enumerated():
    # Ten identities with 20,000 samples each have 2e9 same pairs.
    pairs = verification.make_pairs(np.arange(10).repeat(20000), np.random.default_rng(0), 600, num_folds=2)
    assert len(pairs.same) == 600


@pytest.mark.parametrize("identity", [np.arange(40), np.zeros(40, int), np.arange(8).repeat(5)])
def test_too_few_identities_for_the_folds_are_refused(identity):
    with pytest.raises(ValueError, match="every fold needs two identities, one with several samples; use fewer folds"):
        verification.make_pairs(identity, np.random.default_rng(0), 100, num_folds=10)


def test_descriptors_are_verified_by_their_pairs(rng):
    identity = np.arange(40).repeat(4)
    descriptors = rng.normal(size=(40, 8))[identity] + 0.3 * rng.normal(size=(160, 8))
    pairs = verification.make_pairs(identity, rng, 400)
    result = verification.verify_descriptors(descriptors, pairs)
    distances = np.linalg.norm(descriptors[pairs.first] - descriptors[pairs.second], axis=1)
    assert result.accuracy == verification.verify(distances, pairs.same, pairs.fold).accuracy
    assert result.accuracy > 0.9
    # Cosine does not see lengths, Euclidean distance does.
    stretched = descriptors * rng.uniform(0.1, 10, size=(160, 1))
    cosine = [verification.verify_descriptors(d, pairs, "cosine").accuracy for d in (descriptors, stretched)]
    assert cosine[0] == pytest.approx(cosine[1])
    assert verification.verify_descriptors(stretched, pairs).accuracy < 0.8
