"""Verification figures with their uncertainty, two systems on the same pairs, and a check of the distances themselves.

P pairs, S shape modes, V vertices. A pair belongs to two people: intervals draw people, not pairs.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from sirjax.evaluation import verification
from sirjax.evaluation.bootstrap import Interval, bootstrap_pair_figures, bootstrap_pair_mean
from sirjax.evaluation.report import Row
from sirjax.evaluation.verification import TRAIN_ONLY, VerificationResult

AGREEMENT_LIMIT = 1e-4  # of distances of parameters and vertices under an orthonormal basis
_COLUMNS = 8192  # of the basis, held in float64 at a time


@dataclasses.dataclass(frozen=True)
class Recognition:
    """What one distance says about the judged pairs. Intervals are of 95 %."""

    distances: np.ndarray  # [P]
    result: VerificationResult
    accuracy: Interval  # drawing people
    binomial: Interval  # Wilson's, as if pairs were independent
    auc: Interval
    eer: Interval
    tpr_at_far: Interval


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two systems on the same pairs."""

    difference: Interval  # accuracy of the first minus that of the second, drawing people
    only_first: int  # pairs that the first alone judged right
    only_second: int
    p_value: float  # McNemar's exact test, two-sided; takes pairs as independent


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Distances of parameters against those of vertices; 0 up to rounding under an orthonormal basis."""

    euclidean: float  # largest relative difference
    cosine: float  # largest difference (cosine distances lie in [0, 2])
    num_pairs: int

    @property
    def worst(self) -> float:
        """The larger of both."""
        return max(self.euclidean, self.cosine)


def recognize(
    distances: Float[np.ndarray, " P"],
    same: Bool[np.ndarray, " P"],
    fold: Int[np.ndarray, " P"],
    first_identity: Int[np.ndarray, " P"],
    second_identity: Int[np.ndarray, " P"],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Recognition:
    """`verification.verify` with intervals.

    Args:
      distances: one per pair.
      same: whether the pair shows one person.
      fold: see `verification.verify`.
      first_identity: person of each pair's first sample.
      second_identity: person of its second sample.
      seed: of the draws, the same for every distance, so that they see the same people.
      resamples: number of draws.
    """
    result = verification.verify(distances, same, fold)
    judged = fold != TRAIN_ONLY
    correct, people = result.correct[judged], (first_identity[judged], second_identity[judged])
    accuracy = bootstrap_pair_mean(
        correct.astype(np.float64), *people, np.random.default_rng(seed), resamples=resamples
    )
    roc = verification.Roc(distances[judged], same[judged])
    low, high = bootstrap_pair_figures(
        lambda weight: roc.figures(weight, far=result.far), *people, np.random.default_rng(seed), resamples=resamples
    )
    values = (result.auc, result.eer, result.tpr_at_far)
    intervals = [Interval(v, float(a), float(b), 0.95) for v, a, b in zip(values, low, high, strict=True)]
    return Recognition(distances, result, accuracy, binomial_interval(int(correct.sum()), len(correct)), *intervals)


def binomial_interval(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Wilson's interval of a share: right only if the trials are independent, which pairs that share people are not."""
    found = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    return Interval(successes / trials, float(found.low), float(found.high), level)


def compare(
    first: VerificationResult,
    second: VerificationResult,
    fold: Int[np.ndarray, " P"],
    first_identity: Int[np.ndarray, " P"],
    second_identity: Int[np.ndarray, " P"],
    *,
    seed: int = 0,
    resamples: int = 1000,
) -> Comparison:
    """Difference of the accuracies of two systems on the same pairs, paired in every draw of people."""
    judged = fold != TRAIN_ONLY
    a, b = first.correct[judged], second.correct[judged]
    drawn = bootstrap_pair_mean(
        a.astype(np.float64) - b,
        first_identity[judged],
        second_identity[judged],
        np.random.default_rng(seed),
        resamples=resamples,
    )
    only_first, only_second = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    differ = only_first + only_second
    return Comparison(
        difference=dataclasses.replace(drawn, mean=first.accuracy - second.accuracy),
        only_first=only_first,
        only_second=only_second,
        p_value=float(stats.binomtest(only_first, differ).pvalue) if differ else 1.0,
    )


def agreement(
    first: Float[np.ndarray, "P S"], second: Float[np.ndarray, "P S"], basis: Float[np.ndarray, "S V3"]
) -> Agreement:
    """How far distances of millimeter parameters are from those of the vertices they make.

    The vertices (offsets from the mean face) are really computed, a part of the basis at a time.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    apart, product, lengths = np.zeros(len(first)), np.zeros(len(first)), np.zeros((2, len(first)))
    for start in range(0, basis.shape[1], _COLUMNS):
        part = np.asarray(basis[:, start : start + _COLUMNS], np.float64)
        a, b = first @ part, second @ part
        apart += np.square(a - b).sum(axis=1)
        product += (a * b).sum(axis=1)
        lengths += np.square(a).sum(axis=1), np.square(b).sum(axis=1)
    by_parameters = verification.pair_distances(first, second)
    relative = np.abs(np.sqrt(apart) - by_parameters) / np.where(by_parameters > 0, by_parameters, np.inf)
    length = np.sqrt(lengths.prod(axis=0))
    cosine = 1.0 - product / np.where(length > 0, length, np.inf)
    off = np.abs(cosine - verification.pair_distances(first, second, "cosine"))
    return Agreement(float(relative.max()), float(off.max()), len(first))


def verification_rows(name: str, result: VerificationResult, accuracy: Interval) -> list[Row]:
    """The figures of one distance as rows of a report."""
    return [
        Row(f"verification accuracy, {name}", result.accuracy, "%", 0.5, "chance", accuracy.low, accuracy.high),
        Row(f"verification AUC, {name}", result.auc, "%", 0.5, "chance"),
        Row(f"verification EER, {name}", result.eer, "%", 0.5, "chance"),
        Row(f"true accepts at {result.far:.1%} false accepts, {name}", result.tpr_at_far, "%", result.far, "chance"),
    ]


def recognition_rows(name: str, found: Recognition) -> list[Row]:
    """`verification_rows` with the interval of every figure."""
    intervals = (found.accuracy, found.auc, found.eer, found.tpr_at_far)
    rows = verification_rows(name, found.result, found.accuracy)
    return [dataclasses.replace(row, low=i.low, high=i.high) for row, i in zip(rows, intervals, strict=True)]
