"""Bootstrap intervals over identities: photos of one person are not independent, people are."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float, Int


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean and the bootstrap percentile interval around it."""

    mean: float
    low: float
    high: float
    level: float  # share of the bootstrap means inside, e.g. 0.95


def bootstrap_mean(
    values: Float[np.ndarray, " N"],
    identity: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Interval of the mean over samples, drawing whole identities with replacement.

    To compare two models give it the differences of their values on the same samples (paired bootstrap): they differ if
    the interval leaves out 0.
    """
    return bootstrap_pair_mean(values, identity, identity, rng, level=level, resamples=resamples)


def bootstrap_pair_mean(
    values: Float[np.ndarray, " P"],
    first_identity: Int[np.ndarray, " P"],
    second_identity: Int[np.ndarray, " P"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 2000,
) -> Interval:
    """Interval of a mean over pairs, such as verification accuracy, drawing whole identities with replacement.

    An identity drawn k times gives its pairs weight k; a pair of two identities has the product of both weights.

    Raises:
      ValueError: if there are no values, or `level` is outside (0, 1).
    """
    values = np.asarray(values, np.float64)
    if values.size == 0:
        raise ValueError("cannot bootstrap the mean of no values")
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1), got {level}")
    first_identity, second_identity = np.asarray(first_identity), np.asarray(second_identity)
    names = np.unique(np.concatenate([first_identity, second_identity]))
    first, second = np.searchsorted(names, first_identity), np.searchsorted(names, second_identity)
    # Each pair of identities (i, j) enters as a whole, so sums of values and counts per (i, j) are all that is needed.
    groups, place = np.unique(np.stack([first, second]), axis=1, return_inverse=True)
    sums, counts = np.bincount(place.reshape(-1), weights=values), np.bincount(place.reshape(-1))
    means = np.empty(resamples)
    for r, weight in enumerate(_weights(groups[0], groups[1], len(names), rng, resamples)):
        total = weight @ counts
        # With few identities a draw can miss every pair; it says nothing about the mean.
        means[r] = weight @ sums / total if total else np.nan
    low, high = np.nanquantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(values.mean()), float(low), float(high), level)


def bootstrap_pair_figures(
    figures: Callable[[Float[np.ndarray, " P"]], Float[np.ndarray, " K"]],
    first_identity: Int[np.ndarray, " P"],
    second_identity: Int[np.ndarray, " P"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 1000,
) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Lower and upper ends of the intervals of K figures of P pairs, drawing as `bootstrap_pair_mean` does.

    Args:
      figures: the figures of weighted pairs; NaN where the weights leave too little to say.
      first_identity: person of each pair's first sample.
      second_identity: person of its second sample.
      rng: source of randomness.
      level: share of the draws inside.
      resamples: number of draws.
    """
    names = np.unique(np.concatenate([first_identity, second_identity]))
    first, second = np.searchsorted(names, first_identity), np.searchsorted(names, second_identity)
    drawn = np.array([figures(weight) for weight in _weights(first, second, len(names), rng, resamples)])
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def _weights(
    first: Int[np.ndarray, " P"], second: Int[np.ndarray, " P"], count: int, rng: np.random.Generator, resamples: int
) -> Iterator[Float[np.ndarray, " P"]]:
    """How often each pair counts when `count` identities are drawn with replacement, `resamples` times."""
    within = first == second
    for _ in range(resamples):
        drawn = np.bincount(rng.integers(count, size=count), minlength=count).astype(np.float64)
        yield drawn[first] * np.where(within, 1.0, drawn[second])
