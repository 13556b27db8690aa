"""Distances between shapes of one person and of two, over all pairs, with intervals from drawing whole people.

N shapes, D numbers each (coefficients in mm, or flattened vertices), P pairs, K distinct distances.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from sirjax.constants import NO_IDENTITY

MAX_PAIRS = 1_000_000
_BLOCK = 1 << 23  # numbers held while distances are computed: 64 MB


@dataclasses.dataclass(frozen=True)
class PairSet:
    """Pairs of labelled shapes."""

    first: np.ndarray  # int [P]
    second: np.ndarray  # int [P]
    same: np.ndarray  # bool [P] whether both are of one person
    complete: bool  # whether these are all pairs there are


@dataclasses.dataclass(frozen=True)
class Spread:
    """How far shapes of one person and of two lie apart. Distances in the unit of the descriptors."""

    intra: float  # root mean square distance of two shapes of one person
    inter: float  # the same, of two people
    ratio: float  # inter / intra: 1 says nothing about identity
    d_prime: float  # (mean inter - mean intra) / root mean variance of the two; 0 says nothing
    auc: float  # probability that a pair of two people is farther apart than one of one person; 1/2 says nothing
    accuracy: float  # mean of true accepts and true rejects with the best threshold; 1/2 says nothing


FIGURES = tuple(field.name for field in dataclasses.fields(Spread))


def make_pair_set(identity: Int[np.ndarray, " N"], rng: np.random.Generator, max_pairs: int = MAX_PAIRS) -> PairSet:
    """All pairs of labelled samples, or `max_pairs` drawn of them, as many of each kind as there are or half of it.

    None of the figures depends on how many pairs of each kind there are.

    Raises:
      ValueError: if there are not both a pair of one identity and a pair of two.
    """
    identity = np.asarray(identity)
    rows = np.flatnonzero(identity != NO_IDENTITY)
    _, sizes = np.unique(identity[rows], return_counts=True)
    num_same = int(np.sum(sizes * (sizes - 1)) // 2)
    num_pairs = len(rows) * (len(rows) - 1) // 2
    if num_same == 0 or num_same == num_pairs:
        raise ValueError(
            f"distances within and between people need two people, one of them with two samples; got {len(rows)} "
            f"labelled samples of {len(sizes)} people"
        )
    if num_pairs <= max_pairs:
        a, b = np.triu_indices(len(rows), k=1)
        first, second = rows[a], rows[b]
        return PairSet(first, second, identity[first] == identity[second], complete=True)
    ordered = rows[np.argsort(identity[rows], kind="stable")]
    ends = np.cumsum(sizes)
    inside = [np.triu_indices(size, k=1) for size in sizes]
    first = np.concatenate([ordered[end - size + a] for (a, _), size, end in zip(inside, sizes, ends, strict=True)])
    second = np.concatenate([ordered[end - size + b] for (_, b), size, end in zip(inside, sizes, ends, strict=True)])
    if num_same > max_pairs // 2:
        kept = rng.choice(num_same, max_pairs // 2, replace=False)
        first, second = first[kept], second[kept]
    a, b = rng.choice(rows, size=(2, max_pairs - len(first)))
    different = identity[a] != identity[b]
    same = np.arange(len(first) + different.sum()) < len(first)
    return PairSet(np.append(first, a[different]), np.append(second, b[different]), same, complete=False)


def distances(descriptors: Float[np.ndarray, "N D"], pairs: PairSet) -> Float[np.ndarray, " P"]:
    """Euclidean distance of each pair, exact also for equal shapes."""
    descriptors = np.asarray(descriptors)
    step = max(1, _BLOCK // max(descriptors.shape[1], 1))
    found = [
        np.linalg.norm(
            descriptors[pairs.first[start : start + step]].astype(np.float64)
            - descriptors[pairs.second[start : start + step]],
            axis=1,
        )
        for start in range(0, len(pairs.same), step)
    ]
    return np.concatenate(found)


def spread(
    distance: Float[np.ndarray, " P"], same: Bool[np.ndarray, " P"], weight: Float[np.ndarray, " P"] | None = None
) -> Spread:
    """The figures of weighted pairs.

    Raises:
      ValueError: if a kind of pair has no weight.
    """
    distance, same = np.asarray(distance, np.float64), np.asarray(same, bool)
    weight = np.ones(len(same)) if weight is None else np.asarray(weight, np.float64)
    values, place = np.unique(distance, return_inverse=True)
    return _spread(distance, values, place.reshape(-1), same, weight)


def _spread(
    distance: np.ndarray, values: np.ndarray, place: np.ndarray, same: np.ndarray, weight: np.ndarray
) -> Spread:
    total = [weight[kind].sum() for kind in (same, ~same)]
    if not min(total) > 0:
        raise ValueError("the spread of distances needs pairs of one person and pairs of two, one kind is missing")
    means, squares = [], []
    for kind, amount in zip((same, ~same), total, strict=True):
        means.append(float(weight[kind] @ distance[kind] / amount))
        squares.append(float(weight[kind] @ np.square(distance[kind]) / amount))
    variance = np.mean([max(square - mean**2, 0.0) for square, mean in zip(squares, means, strict=True)])
    intra, inter = np.sqrt(squares)

    share = [
        np.bincount(place[kind], weights=weight[kind], minlength=len(values)) / amount
        for kind, amount in zip((same, ~same), total, strict=True)
    ]
    accepted_same, accepted_different = (np.cumsum(s) for s in share)
    auc = float(np.sum(share[1] * (accepted_same - 0.5 * share[0])))
    accuracy = 0.5 * (1.0 + max(0.0, float((accepted_same - accepted_different).max())))
    return Spread(
        intra=float(intra),
        inter=float(inter),
        ratio=_divided(float(inter), float(intra)),
        d_prime=_divided(means[1] - means[0], float(np.sqrt(variance))) if means[1] != means[0] else 0.0,
        auc=auc,
        accuracy=accuracy,
    )


def _divided(value: float, by: float) -> float:
    if by > 0:
        return value / by
    return 1.0 if value == 0 else float(np.copysign(np.inf, value))


def spread_intervals(
    distance: Float[np.ndarray, " P"],
    pairs: PairSet,
    identity: Int[np.ndarray, " N"],
    rng: np.random.Generator,
    *,
    level: float = 0.95,
    resamples: int = 200,
) -> dict[str, tuple[float, float]]:
    """Bootstrap interval (low, high) of each figure, drawing whole people with replacement.

    A person drawn k times gives pairs of their own photos weight k; a pair of two people has the product of both.
    """
    names, member = np.unique(np.asarray(identity), return_inverse=True)
    first, second = member[pairs.first], member[pairs.second]
    present = np.unique(np.concatenate([first, second]))
    values, place = np.unique(distance, return_inverse=True)
    found: list[Spread] = []
    for _ in range(resamples):
        drawn = np.bincount(rng.choice(present, len(present)), minlength=len(names))
        weight = (drawn[first] * np.where(pairs.same, 1, drawn[second])).astype(np.float64)
        # A draw without one kind of pair says nothing.
        if weight[pairs.same].any() and weight[~pairs.same].any():
            found.append(_spread(distance, values, place.reshape(-1), pairs.same, weight))
    if not found:
        return dict.fromkeys(FIGURES, (float("nan"), float("nan")))
    ends = [(1 - level) / 2, (1 + level) / 2]
    intervals = {}
    for name in FIGURES:
        low, high = np.quantile([getattr(one, name) for one in found], ends, method="closest_observation")
        intervals[name] = (float(low), float(high))
    return intervals
