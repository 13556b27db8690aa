from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.data.mixture import Mixture, Part, identity_share

VGGFACE2, W300_LP = 3_310_000, 61_225  # images of the paper's two sets


def mixture(people=7, photos=3, landmarks=20, **options):
    return Mixture(np.repeat(np.arange(people), photos), landmarks, **{"seed": 0} | options)


@pytest.mark.parametrize(("shares", "expected"), [("balanced", 0.5), ("paper_literal", 0.018), ("proportional", 0.982)])
def test_the_papers_sets_get_their_shares(shares, expected):
    assert float(identity_share(shares, VGGFACE2, W300_LP)) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("shares", "low", "high"), [("balanced", 0.48, 0.52), ("paper_literal", 0.0175, 0.0185), (0.3, 0.29, 0.31)]
)
def test_ten_thousand_draws_hold_the_share(shares, low, high):
    identities = np.arange(3310)  # a thousandth of VGGFace2
    drawn = Mixture(identities, 61, seed=3, shares=shares).draws(12345, 10_000)
    assert low <= drawn.from_identity.mean() <= high


@given(share=st.fractions(0, 1, max_denominator=999), start=st.integers(0, 2**48), count=st.integers(1, 300))
def test_every_window_holds_its_share_up_to_one_sample(share, start, count):
    drawn = mixture(shares=float(share)).draws(start, count)
    # Oracle: Bresenham in exact fractions.
    exact = Fraction(float(share)).limit_denominator(10**6)
    expected = [(g + 1) * exact // 1 - g * exact // 1 for g in range(start, start + count)]
    np.testing.assert_array_equal(drawn.from_identity, np.array(expected, bool))
    assert abs(drawn.from_identity.sum() - count * share) <= 1


def test_balanced_batches_give_every_device_the_same_number_of_both_kinds():
    for step in range(5):
        for part in range(4):
            assert mixture().batch(step, 32, part=part, parts=4).from_identity.sum() == 4


@given(step=st.integers(0, 1000), parts=st.sampled_from([1, 2, 3, 4, 6]), shares=st.sampled_from([0.5, 0.25, 0.1]))
def test_the_number_of_hosts_changes_nothing(step, parts, shares):
    whole = mixture(shares=shares).batch(step, 24)
    split = [mixture(shares=shares).batch(step, 24, part=part, parts=parts) for part in range(parts)]
    for field in ("draw", "from_identity", "index"):
        np.testing.assert_array_equal(np.concatenate([getattr(p, field) for p in split]), getattr(whole, field))


@given(step=st.integers(0, 500))
def test_a_batch_depends_on_seed_and_step_only(step):
    warm = mixture()
    for earlier in range(0, step, 97):
        warm.batch(earlier, 10)
    np.testing.assert_array_equal(warm.batch(step, 10).index, mixture().batch(step, 10).index)


def test_another_seed_draws_another_order():
    assert (mixture(seed=0).draws(0, 40).index != mixture(seed=1).draws(0, 40).index).any()


@pytest.mark.parametrize("images_per_identity", [1, 2, 3, 5])
def test_each_epoch_visits_every_sample_once(images_per_identity):
    drawn = mixture(people=7, photos=3, landmarks=20, images_per_identity=images_per_identity).draws(0, 2 * 21 * 20)
    identity, landmark = drawn.index[drawn.from_identity], drawn.index[~drawn.from_identity]
    epochs = identity.reshape(20, 21)
    for epoch in epochs:
        assert sorted(epoch) == list(range(21))
    for epoch in landmark.reshape(21, 20):
        assert sorted(epoch) == list(range(20))
    assert (epochs[0] != epochs[1]).any()


def test_photos_of_a_person_come_in_groups_of_k():
    classes = np.random.default_rng(0).permutation(np.repeat(np.arange(10), [4] * 8 + [3, 1]))
    drawn = Mixture(classes, 0, seed=0, images_per_identity=2, shares=1.0).draws(0, len(classes))
    people = classes[drawn.index]
    starts = np.flatnonzero(np.diff(people, prepend=-1))
    lengths = np.diff([*starts, len(people)])
    # 8 people with 2 groups each, one with a pair and a single, one single; chance neighbors may only merge groups.
    assert set(lengths) <= {1, 2, 3, 4}
    assert (lengths >= 2).sum() >= 15
    assert sorted(drawn.index) == list(range(len(classes)))
    assert (np.diff(people[starts]) != 1).any()  # the groups themselves are shuffled


def test_draws_never_change_between_versions():
    # Runs resume with the batches they would have had: these figures must stay, whatever becomes of the code.
    drawn = Mixture(np.repeat(np.arange(7), 3), 20, seed=11).draws(1000, 12)
    np.testing.assert_array_equal(drawn.from_identity, np.tile([False, True], 6))
    np.testing.assert_array_equal(drawn.index, [5, 10, 0, 9, 1, 15, 16, 6, 2, 14, 13, 1])
    drawn = mixture(seed=11, shares="proportional", images_per_identity=2).draws(40, 12)
    np.testing.assert_array_equal(drawn.from_identity, np.tile([True, False], 6))
    np.testing.assert_array_equal(drawn.index, [5, 12, 20, 11, 19, 13, 15, 1, 17, 4, 16, 2])


@pytest.mark.parametrize("parts", [(Part(6, 3), Part(15, 1)), (Part(5, 0.2), Part(9, 0.3), Part(7, 0.5))])
def test_parts_of_a_kind_get_their_shares_whatever_their_sizes(parts):
    drawn = mixture(people=7, photos=3, identity_parts=parts).draws(777, 12_000)
    index = drawn.index[drawn.from_identity]
    ends = np.cumsum([part.size for part in parts])
    counts = np.histogram(index, bins=[0, *ends])[0]
    expected = np.array([part.share for part in parts]) / sum(part.share for part in parts)
    np.testing.assert_allclose(counts / len(index), expected, atol=1e-3)
    for first, last in zip([0, *ends], ends, strict=False):  # every sample of a part as often as any other, up to one
        times = np.bincount(index[(index >= first) & (index < last)] - first, minlength=last - first)
        assert times.max() - times.min() <= 2  # the window starts and ends within an epoch


@given(start=st.integers(0, 2**45), count=st.integers(1, 200))
def test_every_window_holds_the_shares_of_all_parts_up_to_one_sample_each(start, count):
    shares = [Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]
    parts = [Part(5, 3.0), Part(4, 2.0), Part(11, 1.0)]
    drawn = Mixture(np.array([], int), 20, seed=0, landmark_parts=parts).draws(start, count)
    part = np.searchsorted([5, 9], drawn.index, side="right")
    # Oracle: each part takes its Bresenham share of the draws that earlier parts left over, one draw at a time.
    expected, left = [], start - start * shares[0] // 1
    for g in range(start, start + count):
        if (g + 1) * shares[0] // 1 > g * shares[0] // 1:
            expected.append(0)
        elif (left + 1) * Fraction(2, 3) // 1 > left * Fraction(2, 3) // 1:
            expected.append(1)
            left += 1
        else:
            expected.append(2)
            left += 1
    np.testing.assert_array_equal(part, expected)
    for number, share in enumerate(shares):
        assert abs((part == number).sum() - count * share) <= number + 1


def test_parts_change_neither_the_other_kind_nor_the_split_between_kinds():
    plain, parted = mixture(landmarks=20), mixture(landmarks=20, landmark_parts=[Part(5, 1), Part(15, 1)])
    np.testing.assert_array_equal(plain.draws(0, 50).from_identity, parted.draws(0, 50).from_identity)
    taken = plain.draws(0, 50).from_identity
    np.testing.assert_array_equal(plain.draws(0, 50).index[taken], parted.draws(0, 50).index[taken])
    assert (plain.draws(0, 50).index[~taken] != parted.draws(0, 50).index[~taken]).any()


def test_a_share_may_be_text():
    assert identity_share("0.3", 5, 5) == Fraction(3, 10)


def test_a_missing_set_leaves_everything_to_the_other():
    assert not Mixture(np.array([], int), 5, seed=0).draws(0, 20).from_identity.any()
    assert Mixture(np.arange(5), 0, seed=0).draws(0, 20).from_identity.all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: identity_share("half", 1, 1), "unknown share 'half': take one of balanced, paper_literal"),
        (lambda: identity_share(1.5, 1, 1), r"must be in \[0, 1\], got 1.5"),
        (lambda: identity_share(0.5, 0, 1), "needs both sets, but there is no identity set"),
        (lambda: identity_share(0.5, 1, 0), "needs both sets, but there is no landmark set"),
        (lambda: identity_share("balanced", 0, 0), "nothing to draw from"),
        (lambda: identity_share("1.5", 1, 1), r"must be in \[0, 1\], got 1.5"),
        (lambda: identity_share("nan", 1, 1), r"must be in \[0, 1\], got nan"),
        (lambda: mixture(identity_parts=[Part(20, 1)]), r"parts of \[20\] samples are not the 21 that there are"),
        (lambda: mixture(identity_parts=[Part(20, 1), Part(1, 0)]), r"must be positive, got \[1, 0\]: leave sets out"),
        (lambda: mixture(images_per_identity=0), "images_per_identity must be at least 1, got 0"),
        (lambda: Mixture(np.array([0, -1]), 0, seed=0), "1 samples of the identity set have no identity"),
        (lambda: mixture().batch(0, 10, parts=3), "a batch of 10 has no part 0 of 3 equal ones"),
        (lambda: mixture().batch(0, 0), "a batch of 0 has no part"),
        (lambda: mixture().draws(-1, 4), "draws are counted from 0, got 4 from -1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
