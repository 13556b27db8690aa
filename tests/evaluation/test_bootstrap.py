import numpy as np
import pytest

from sirjax.evaluation.bootstrap import bootstrap_mean, bootstrap_pair_figures, bootstrap_pair_mean


def test_interval_of_a_mean_has_the_width_of_its_standard_error(rng):
    values = rng.normal(5, 2, size=400)
    got = bootstrap_mean(values, np.arange(400), rng)
    assert got.mean == pytest.approx(values.mean())
    error = values.std() / np.sqrt(400)
    assert (got.high - got.low) / 2 == pytest.approx(1.96 * error, rel=0.1)
    assert got.low < got.mean < got.high
    assert got.level == 0.95


def test_copies_of_a_persons_photo_do_not_narrow_the_interval(rng):
    values = rng.normal(size=50)
    single = bootstrap_mean(values, np.arange(50), np.random.default_rng(1))
    copies = bootstrap_mean(values.repeat(20), np.arange(50).repeat(20), np.random.default_rng(1))
    assert copies.low == pytest.approx(single.low)
    assert copies.high == pytest.approx(single.high)


def test_interval_covers_the_truth_about_as_often_as_it_says(rng):
    # 40 people with 3 photos each; a person's photos share most of their error.
    identity, covered = np.arange(40).repeat(3), 0
    for _ in range(200):
        values = rng.normal(size=40)[identity] + 0.3 * rng.normal(size=120)
        got = bootstrap_mean(values, identity, rng, resamples=200)
        covered += got.low <= 0 <= got.high
    assert 0.87 <= covered / 200 <= 0.99


def resampled_by_loop(values, first, second, seed, resamples):
    """Draws the same people, then builds every resampled set of pairs by repetition."""
    rng, names = np.random.default_rng(seed), np.unique(np.append(first, second))
    means = []
    for _ in range(resamples):
        drawn = names[rng.integers(len(names), size=len(names))]
        repeated = []
        for value, a, b in zip(values, first, second, strict=True):
            times = np.sum(drawn == a) * (1 if a == b else np.sum(drawn == b))
            repeated += [value] * times
        means.append(np.mean(repeated))
    return np.quantile(means, [0.025, 0.975])


def test_pairs_count_as_often_as_both_their_people_are_drawn(rng):
    first, second = rng.integers(8, size=(2, 40))
    values = rng.uniform(size=40)
    got = bootstrap_pair_mean(values, first, second, np.random.default_rng(7), resamples=50)
    np.testing.assert_allclose((got.low, got.high), resampled_by_loop(values, first, second, 7, 50))


def test_draws_without_any_pair_are_left_out():
    # Two people, one pair between them: half of the draws miss one of them.
    got = bootstrap_pair_mean(np.array([0.25]), np.array([0]), np.array([1]), np.random.default_rng(0), resamples=20)
    assert (got.low, got.high) == (0.25, 0.25)


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="cannot bootstrap the mean of no values"):
        bootstrap_mean(np.zeros(0), np.zeros(0, int), np.random.default_rng(0))


def test_level_outside_unit_interval_is_refused():
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), got 95"):
        bootstrap_mean(np.ones(2), np.arange(2), np.random.default_rng(0), level=95.0)


def test_intervals_of_figures_draw_the_same_people_as_those_of_means(rng):
    first, second = rng.integers(8, size=(2, 40))
    values = rng.uniform(size=(2, 40))
    low, high = bootstrap_pair_figures(
        lambda weight: values @ weight / weight.sum(), first, second, np.random.default_rng(7), resamples=50
    )
    for k in range(2):
        expected = bootstrap_pair_mean(values[k], first, second, np.random.default_rng(7), resamples=50)
        assert (low[k], high[k]) == pytest.approx((expected.low, expected.high))


def test_draws_that_say_nothing_about_a_figure_are_left_out():
    figures = lambda weight: np.array([1.0 if weight[0] else np.nan, weight.sum()])  # noqa: E731
    low, high = bootstrap_pair_figures(
        figures, np.array([0, 1]), np.array([0, 1]), np.random.default_rng(0), resamples=50
    )
    assert low.tolist() == [1, 2]
    assert high.tolist() == [1, 2]
