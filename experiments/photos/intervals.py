"""Figures of several trainings with intervals over people and trainings. P pairs of samples, R seeds."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

from sirjax.evaluation.bootstrap import Interval, bootstrap_pair_figures

RESAMPLES = 1000


def interval(
    figures: Callable[[Float[np.ndarray, " P"]], Float[np.ndarray, " R"]],
    first: Int[np.ndarray, " P"],
    second: Int[np.ndarray, " P"],
    *,
    resamples: int = RESAMPLES,
) -> Interval:
    """The mean over seeds of a figure; each draw takes people and seeds with replacement.

    R seeds drawn with replacement spread less than R trainings do, their variance is (R - 1) / R of it; deviations from
    the seeds' mean are stretched by as much. Of one seed alone the interval is over people only.

    Args:
      figures: the figure of each seed, of weighted pairs; NaN where the weights leave nothing.
      first: person of each pair's first sample.
      second: person of its second sample; the same one in figures of samples.
      resamples: number of draws.
    """
    whole = figures(np.ones(len(first)))
    runs, rng = len(whole), np.random.default_rng(0)
    stretch = np.sqrt(runs / (runs - 1)) if runs > 1 else 0.0

    def drawn(weight: Float[np.ndarray, " P"]) -> Float[np.ndarray, "1"]:
        found = figures(weight)
        mean = found.mean()
        return np.array([mean + stretch * (found[rng.integers(runs, size=runs)].mean() - mean)])

    low, high = bootstrap_pair_figures(drawn, first, second, np.random.default_rng(0), resamples=resamples)
    return Interval(float(whole.mean()), float(low[0]), float(high[0]), 0.95)


def mean_interval(
    values: Float[np.ndarray, "R P"], first: Int[np.ndarray, " P"], second: Int[np.ndarray, " P"] | None = None
) -> Interval:
    """`interval` of a mean over pairs, or over samples where there is no second person."""

    def means(weight: Float[np.ndarray, " P"]) -> Float[np.ndarray, " R"]:
        total = weight.sum()
        return values @ weight / total if total else np.full(len(values), np.nan)

    return interval(means, first, first if second is None else second)


class Spread:
    """Squared distances of shapes by the people they are of: within a person, and between two.

    Args:
      shape: codes of each seed, mm.
      identity: person of each photo.
      num_vertices: V; distances are RMS over vertices, |alpha_i - alpha_j| / sqrt(V).

    Raises:
      ValueError: if there are not two people, or nobody has two photos.
    """

    def __init__(self, shape: Float[np.ndarray, "R N S"], identity: Int[np.ndarray, " N"], num_vertices: int):
        shape = shape - shape.mean(axis=1, keepdims=True)  # no effect on differences, keeps digits
        people, group = np.unique(identity, return_inverse=True)
        member = (group == np.arange(len(people))[:, None]).astype(np.float64)  # [C, N]
        size, total = member.sum(axis=1), member @ shape
        squares = np.square(shape).sum(axis=2) @ member.T  # [R, C]
        self.first, self.second = np.triu_indices(len(people))
        a, b = self.first, self.second
        self.within = a == b
        # Over all pairs of a photo of a and one of b; of one person each pair counts once, not twice.
        product = np.einsum("rps,rps->rp", total[:, a], total[:, b])
        sums = size[b] * squares[:, a] + size[a] * squares[:, b] - 2 * product
        self._sums = np.where(self.within, 0.5, 1.0) * np.maximum(sums, 0.0) / num_vertices
        self._counts = np.where(self.within, size[a] * (size[a] - 1) / 2, size[a] * size[b])
        if not self._counts[self.within].any() or self.within.all():
            raise ValueError(
                f"spread needs two people, one of them with two photos; got {len(identity)} of {len(people)}"
            )

    def distances(self, weight: Float[np.ndarray, " P"]) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, " R"]]:
        """(within, between) people, mm, of weighted pairs of people; NaN where the weights leave no pair."""
        parts = []
        for kind in (self.within, ~self.within):
            count = weight[kind] @ self._counts[kind]
            total = self._sums[:, kind] @ weight[kind]
            parts.append(np.sqrt(total / count) if count else np.full(len(total), np.nan))
        return parts[0], parts[1]

    def ratio(self, weight: Float[np.ndarray, " P"]) -> Float[np.ndarray, " R"]:
        """Between / within people: 1 says nothing of who it is."""
        within, between = self.distances(weight)
        return between / np.where(within > 0, within, np.nan)
