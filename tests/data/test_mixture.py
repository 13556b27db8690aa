from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.data.mixture import Mixture, identity_share

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
