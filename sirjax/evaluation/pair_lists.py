"""From lists of named pairs to rows of codes: which samples a name means, who is who, which pairs share a fold.

P pairs, N samples, M names. A name that ends in "/" means all samples whose names begin with it, such as the frames of
a video, and stands for the mean of their codes.
"""

import bisect
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sirjax.constants import NO_IDENTITY


@dataclasses.dataclass(frozen=True)
class PairList:
    """Named pairs of a protocol."""

    first: list[str]  # P names
    second: list[str]
    same: np.ndarray  # bool [P]
    fold: np.ndarray | None  # int [P] in [0, F) or verification.TRAIN_ONLY; None: not said

    def names(self) -> list[str]:
        """Every name once, sorted."""
        return sorted({*self.first, *self.second})

    def rows(self, names: Sequence[str]) -> Int[np.ndarray, "2 P"]:
        """Both sides of each pair as rows of `names`, which holds them all."""
        place = {name: row for row, name in enumerate(names)}
        return np.array([[place[name] for name in side] for side in (self.first, self.second)]).reshape(2, -1)

    def take(self, kept: Bool[np.ndarray, " P"]) -> "PairList":
        """Some of the pairs, in their order."""
        rows = np.flatnonzero(kept)
        return PairList(
            [self.first[row] for row in rows],
            [self.second[row] for row in rows],
            self.same[rows],
            None if self.fold is None else self.fold[rows],
        )

    def usable(self, found: Mapping[str, list[int]]) -> Bool[np.ndarray, " P"]:
        """Whether samples were found for both names of each pair."""
        pairs = zip(self.first, self.second, strict=True)
        return np.array([bool(found[a]) and bool(found[b]) for a, b in pairs], bool)


def find_samples(samples: Sequence[str], wanted: Sequence[str]) -> dict[str, list[int]]:
    """The rows of `samples` that each wanted name means; none where there is no such sample."""
    order = sorted(range(len(samples)), key=samples.__getitem__)
    ordered = [samples[row] for row in order]
    found = {}
    for name in wanted:
        start = bisect.bisect_left(ordered, name)
        end = start
        while end < len(ordered) and (ordered[end].startswith(name) if name.endswith("/") else ordered[end] == name):
            end += 1
        found[name] = [order[place] for place in range(start, end)]
    return found


def means(values: Float[np.ndarray, "N S"], rows: Sequence[Sequence[int]]) -> Float[np.ndarray, "M S"]:
    """The mean over each set of rows, in float64."""
    sizes = np.array([len(own) for own in rows])
    picked = np.asarray(values)[np.concatenate([np.asarray(own, int) for own in rows])].astype(np.float64)
    return np.add.reduceat(picked, np.cumsum(sizes) - sizes, axis=0) / sizes[:, None]


def people(pairs: PairList, known: Mapping[str, int]) -> dict[str, int]:
    """A person's number for each name of the pairs.

    Taken from `known` where that knows everybody; else from the folders that names begin with, if those agree with what
    the pairs say; else people are whoever "same" pairs connect.

    Args:
      pairs: the pairs.
      known: the number of some or all names.
    """
    names = pairs.names()
    if all(known.get(name, NO_IDENTITY) != NO_IDENTITY for name in names):
        return {name: int(known[name]) for name in names}
    first, second = pairs.rows(names)
    if all("/" in name for name in names):
        folders = np.unique([name.split("/")[0] for name in names], return_inverse=True)[1]
        if np.array_equal(folders[first] == folders[second], pairs.same):
            return dict(zip(names, folders.tolist(), strict=True))
    connected = _components(first[pairs.same], second[pairs.same], len(names))
    return dict(zip(names, connected.tolist(), strict=True))


def make_folds(
    first_identity: Int[np.ndarray, " P"],
    second_identity: Int[np.ndarray, " P"],
    same: Bool[np.ndarray, " P"],
    num_folds: int = 10,
) -> tuple[Int[np.ndarray, " P"], bool]:
    """Folds of about one size for pairs that come without, and whether no person is in two of them.

    Pairs that share people, directly or through others, stay together: the largest such group goes first, each to the
    fold with the fewest pairs. Where one group is larger than two folds nobody can be kept apart: the pairs are then
    dealt out in turn, each kind by itself.

    Raises:
      ValueError: if there are fewer pairs of a kind than folds.
    """
    fewest = int(min(same.sum(), np.sum(~same)))
    if not 2 <= num_folds <= fewest:
        raise ValueError(f"cannot make {num_folds} folds with {fewest} pairs of the rarer kind: use 2 to {fewest}")
    names = np.unique(np.concatenate([first_identity, second_identity]))
    first, second = np.searchsorted(names, first_identity), np.searchsorted(names, second_identity)
    group = _components(first, second, len(names))[first]
    sizes = np.bincount(group)
    if sizes.max() > 2 * len(same) / num_folds:
        fold = np.empty(len(same), np.int64)
        for kind in (same, ~same):
            fold[kind] = np.arange(kind.sum()) % num_folds
        return fold, False
    filled, fold_of = np.zeros(num_folds, np.int64), np.zeros(len(sizes), np.int64)
    for number in np.argsort(-sizes, kind="stable"):
        fold_of[number] = np.argmin(filled)
        filled[fold_of[number]] += sizes[number]
    return fold_of[group], True


def _components(first: np.ndarray, second: np.ndarray, count: int) -> Int[np.ndarray, " M"]:
    """Which of the nodes 0 ... count - 1 are connected by edges."""
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
