"""Do two descriptors show one person? Cross-validated accuracy, ROC figures, pairs. N samples, P pairs, F folds.

Arrays are NumPy float64 inside, so that results do not depend on a device. A pair is accepted as "same" when its
distance is at most the threshold.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from sirjax.constants import NO_IDENTITY

DISTANCES = ("euclidean", "cosine")
TRAIN_ONLY = -1  # fold of pairs that only choose the threshold, as LFW's View 1 has them


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Pairs of samples to verify, in folds for cross-validation."""

    first: np.ndarray  # int [P] index of a sample
    second: np.ndarray  # int [P]
    same: np.ndarray  # bool [P] whether both show one person
    fold: np.ndarray  # int [P] in [0, F), or TRAIN_ONLY


@dataclasses.dataclass(frozen=True)
class VerificationResult:
    """What a set of pair distances is worth. Shares are fractions, not percent."""

    accuracy: float  # mean over the folds
    accuracy_std: float  # standard deviation over the folds (divided by F)
    fold_accuracy: np.ndarray  # [F]
    thresholds: np.ndarray  # [F] each chosen on the other folds and the TRAIN_ONLY pairs
    auc: float  # area under the ROC curve
    eer: float  # where the false accept rate equals the false reject rate
    tpr_at_far: float  # true accept rate at a false accept rate of at most `far`
    far: float
    correct: np.ndarray  # bool [P] whether the pair was judged right with its fold's threshold; False for TRAIN_ONLY


def pair_distances(
    first: Float[np.ndarray, "P S"], second: Float[np.ndarray, "P S"], distance: str = "euclidean"
) -> Float[np.ndarray, " P"]:
    """Distance of each pair of descriptors: "euclidean" or "cosine" (1 - cosine; 1 for a descriptor of length 0).

    Raises:
      ValueError: if `distance` is unknown.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if distance == "euclidean":
        return np.linalg.norm(first - second, axis=-1)
    if distance == "cosine":
        lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
        product = np.sum(first * second, axis=-1)
        return 1.0 - np.divide(product, lengths, out=np.zeros_like(product), where=lengths > 0)
    raise ValueError(f"unknown distance {distance!r}; choose one of {', '.join(DISTANCES)}")


def verify(
    distances: Float[np.ndarray, " P"],
    same: Bool[np.ndarray, " P"],
    fold: Int[np.ndarray, " P"],
    *,
    far: float = 1e-3,
) -> VerificationResult:
    """Cross-validated accuracy with exact thresholds, and ROC figures of all pairs.

    The threshold of a fold is the best one for the pairs of all *other* folds, found among all their distinct
    distances. Every threshold between two neighboring distances is equally good there; the middle is taken. Of several
    best intervals the one with the smallest distances (fewest pairs accepted) wins. Below all distances and above all
    distances count, too: the thresholds -inf and inf. Pairs of TRAIN_ONLY choose thresholds and enter nothing else.

    Args:
      distances: one per pair, finite.
      same: whether both samples of the pair show one person.
      fold: number of the fold of each pair, all of 0 ... F-1 occurring, F >= 2, or F >= 1 with TRAIN_ONLY pairs.
      far: the false accept rate of `tpr_at_far`.

    Raises:
      ValueError: if a distance is not finite, a kind of pair is missing, or the folds are not numbered 0 ... F-1.
    """
    distances, same, fold = np.asarray(distances, np.float64), np.asarray(same, bool), np.asarray(fold)
    _check_pairs(distances, same, fold)
    values, place = np.unique(distances, return_inverse=True)  # K distinct distances, and which one each pair has
    num_folds = int(fold.max()) + 1
    judged = fold != TRAIN_ONLY

    # All that matters about the pairs is how many of each kind have each distance: same, different [F + 1, K], where
    # the first row is of the TRAIN_ONLY pairs.
    same_count = _histogram(place[same], fold[same] + 1, len(values), num_folds + 1)
    different_count = _histogram(place[~same], fold[~same] + 1, len(values), num_folds + 1)
    all_same, all_different = same_count.sum(axis=0), different_count.sum(axis=0)

    thresholds = np.array(
        [
            _best_threshold(values, all_same - same_count[f + 1], all_different - different_count[f + 1])
            for f in range(num_folds)
        ]
    )
    correct = judged & ((distances <= thresholds[np.maximum(fold, 0)]) == same)
    fold_accuracy = np.bincount(fold[judged], weights=correct[judged]) / np.bincount(fold[judged])
    accept_same, accept_different = _roc(all_same - same_count[0], all_different - different_count[0])
    return VerificationResult(
        accuracy=float(fold_accuracy.mean()),
        accuracy_std=float(fold_accuracy.std()),
        fold_accuracy=fold_accuracy,
        thresholds=thresholds,
        **_roc_figures(accept_same, accept_different, far),
        far=far,
        correct=correct,
    )


def verify_descriptors(
    descriptors: Float[np.ndarray, "N S"], pairs: Pairs, distance: str = "euclidean", *, far: float = 1e-3
) -> VerificationResult:
    """`verify` on the distances between descriptors of the paired samples."""
    distances = pair_distances(descriptors[pairs.first], descriptors[pairs.second], distance)
    return verify(distances, pairs.same, pairs.fold, far=far)


class Roc:
    """The ROC curve of pairs that may be weighted anew, sorted once.

    Args:
      distances: one per pair.
      same: whether both samples of the pair show one person; both kinds are there.
    """

    def __init__(self, distances: Float[np.ndarray, " P"], same: Bool[np.ndarray, " P"]):
        order = np.argsort(distances, kind="stable")
        ordered = np.asarray(distances)[order]
        self._same, self._different = order[same[order]], order[~same[order]]
        # How many pairs of each kind have one of the K smallest distances or less.
        values = np.unique(ordered)
        self._ends = [np.searchsorted(np.asarray(distances)[rows], values, side="right") for rows in self._kinds]

    @property
    def _kinds(self) -> tuple[np.ndarray, np.ndarray]:
        return self._same, self._different

    def rates(
        self, weight: Float[np.ndarray, " P"] | None = None
    ) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
        """True and false accept rates for every threshold, from nothing accepted to everything; NaN without weight."""
        rates = []
        for rows, ends in zip(self._kinds, self._ends, strict=True):
            own = np.ones(len(rows)) if weight is None else weight[rows]
            accepted = np.concatenate([[0.0], np.cumsum(own)])
            total = accepted[-1] if accepted[-1] > 0 else np.nan
            rates.append(np.concatenate([[0.0], accepted[ends]]) / total)
        return rates[0], rates[1]

    def figures(self, weight: Float[np.ndarray, " P"] | None = None, *, far: float = 1e-3) -> Float[np.ndarray, "3"]:
        """AUC, EER and true accept rate at a false accept rate of at most `far`."""
        accept_same, accept_different = self.rates(weight)
        if np.isnan(accept_same[0] + accept_different[0]):
            return np.full(3, np.nan)
        return np.array(list(_roc_figures(accept_same, accept_different, far).values()))


def make_pairs(
    identity: Int[np.ndarray, " N"], rng: np.random.Generator, num_pairs: int = 6000, num_folds: int = 10
) -> Pairs:
    """Draws pairs from labelled samples, as many "same" as "different" ones, in folds that share no identity.

    Without shared identities a threshold is always tried on people it was not chosen on. Each fold gets the same number
    of pairs, none twice. Where a fold has too few samples for its part of `num_pairs`, all folds get fewer.

    Args:
      identity: label of each sample; those with NO_IDENTITY are left out.
      rng: source of randomness; the same seed gives the same pairs.
      num_pairs: pairs wanted altogether.
      num_folds: number of folds.

    Raises:
      ValueError: if some fold would get no pair of either kind.
    """
    identity = np.asarray(identity)
    names, size = np.unique(identity[identity != NO_IDENTITY], return_counts=True)
    # Deal the identities out like cards, those with several samples first, so that every fold can form "same" pairs.
    shuffled = rng.permutation(len(names))
    dealt = names[shuffled[np.argsort(size[shuffled] < 2, kind="stable")]]

    drawers = [_PairDrawer(identity, dealt[f::num_folds]) for f in range(num_folds)]
    each = min(num_pairs // (2 * num_folds), *(min(d.num_same, d.num_different) for d in drawers))
    if each < 1:
        raise ValueError(
            f"cannot draw {num_pairs} pairs in {num_folds} folds from {len(names)} identities, {np.sum(size >= 2)} of "
            "them with several samples: every fold needs two identities, one with several samples; use fewer folds"
        )
    drawn = [drawer.draw(rng, each) for drawer in drawers]
    first, second = np.concatenate(drawn, axis=1)
    return Pairs(
        first, second, same=identity[first] == identity[second], fold=np.repeat(np.arange(num_folds), 2 * each)
    )


class _PairDrawer:
    """Numbers all pairs of some identities' samples without listing them, and draws some."""

    def __init__(self, identity: np.ndarray, names: np.ndarray):
        members = np.flatnonzero(np.isin(identity, names))
        self.samples = members[np.argsort(identity[members], kind="stable")]  # each identity's samples in one run
        _, start, size = np.unique(identity[self.samples], return_index=True, return_counts=True)
        place = np.arange(len(self.samples))
        run_end = np.repeat(start + size, size)  # where the run of each sample ends
        # A sample's partners: the rest of its run ("same"), everything after it ("different").
        self._same = (place + 1, run_end - place - 1)
        self._different = (run_end, len(self.samples) - run_end)
        self.num_same, self.num_different = int(self._same[1].sum()), int(self._different[1].sum())

    def draw(self, rng: np.random.Generator, each: int) -> np.ndarray:
        """`each` distinct "same" pairs, then as many "different" ones: [2, 2 * each] sample indices."""
        return np.concatenate([self._draw(rng, each, *kind) for kind in (self._same, self._different)], axis=1)

    def _draw(self, rng: np.random.Generator, number: int, partners_start: np.ndarray, partners: np.ndarray):
        after = np.cumsum(partners)
        chosen = rng.choice(after[-1], number, replace=False)
        first = np.searchsorted(after, chosen, side="right")
        second = partners_start[first] + chosen - (after[first] - partners[first])
        return self.samples[np.stack((first, second))]


def _check_pairs(distances: np.ndarray, same: np.ndarray, fold: np.ndarray) -> None:
    if not np.all(np.isfinite(distances)):
        raise ValueError(f"{np.sum(~np.isfinite(distances))} of {len(distances)} distances are not finite")
    if same.all() or not same.any():
        raise ValueError(f"verification needs pairs of both kinds, got {same.sum()} same, {np.sum(~same)} different")
    judged = fold != TRAIN_ONLY
    fewest = 2 if judged.all() else 1
    if fold.min() < TRAIN_ONLY or fold.max() + 1 < fewest or np.any(np.bincount(fold[judged]) == 0):
        wanted = "at least two" if fewest == 2 else "at least one beside the training pairs"
        raise ValueError(f"folds must be numbered 0, 1, ... without gaps, {wanted}, got {np.unique(fold).tolist()}")
    if same[judged].all() or not same[judged].any():
        raise ValueError(
            f"verification needs pairs of both kinds to judge, got {same[judged].sum()} same, "
            f"{np.sum(~same[judged])} different beside the training pairs"
        )


def _histogram(place: np.ndarray, fold: np.ndarray, num_values: int, num_folds: int) -> np.ndarray:
    """How many of the pairs have each distance: [F, K]."""
    counts = np.bincount(fold * num_values + place, minlength=num_folds * num_values)
    return counts.reshape(num_folds, num_values)


def _best_threshold(values: np.ndarray, same_count: np.ndarray, different_count: np.ndarray) -> float:
    present = same_count + different_count > 0
    values, same_count, different_count = values[present], same_count[present], different_count[present]
    # Accepting one more distance wins its "same" pairs and loses its "different" ones; nothing accepted is gain 0.
    gain = np.concatenate([[0], np.cumsum(same_count - different_count)])
    best = int(np.argmax(gain))  # the first maximum: accept the `best` smallest distances
    if best == 0:
        return -np.inf
    if best == len(values):
        return np.inf
    below, above = values[best - 1], values[best]
    middle = below + (above - below) / 2
    return float(middle if middle < above else below)  # rounding between adjacent floats


def _roc(same_count: np.ndarray, different_count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """True and false accept rates for every threshold, from nothing accepted to everything accepted: [K + 1] each."""
    rates = (np.concatenate([[0], np.cumsum(count)]) / count.sum() for count in (same_count, different_count))
    return tuple(rates)


def _roc_figures(accept_same: np.ndarray, accept_different: np.ndarray, far: float) -> dict[str, float]:
    return {
        "auc": float(np.trapezoid(accept_same, accept_different)),
        "eer": _equal_error_rate(accept_same, accept_different),
        "tpr_at_far": float(accept_same[accept_different <= far].max()),
    }


def _equal_error_rate(accept_same: np.ndarray, accept_different: np.ndarray) -> float:
    """Where the ROC polyline crosses false accepts = false rejects."""
    excess = accept_different - (1.0 - accept_same)  # rises from -1 to 1
    after = int(np.argmax(excess >= 0))
    part = -excess[after - 1] / (excess[after] - excess[after - 1])
    return float(accept_different[after - 1] + part * (accept_different[after] - accept_different[after - 1]))
