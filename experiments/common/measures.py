"""Figures of shape codes, with intervals over people. N photos, S modes, P pairs; a method is its codes by seed."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from sirjax.evaluation import shape_error, verification
from sirjax.evaluation.bootstrap import Interval, bootstrap_mean, bootstrap_pair_mean
from sirjax.evaluation.codes import vertex_descriptors
from sirjax.evaluation.verification import Pairs
from sirjax.morphable.model import FaceModel

FRONTAL, PROFILE = 20.0, 45.0  # degrees of yaw: at most, at least
SET_SIZE = 3  # photos of a set whose codes are averaged
NUM_PAIRS, NUM_FOLDS = 6000, 10


@dataclasses.dataclass(frozen=True)
class Verified:
    """How well pairs are verified: the mean over seeds, and each pair's share of right answers."""

    accuracy: Interval  # over people
    auc: float
    correct: np.ndarray  # [P]


@dataclasses.dataclass(frozen=True)
class Task:
    """Pairs to verify, of photos or of sets of photos."""

    name: str
    pairs: Pairs
    identity: np.ndarray  # int [M] of each descriptor
    members: np.ndarray | None = None  # int [M, SET_SIZE] photos of each descriptor; None: photo i is descriptor i

    def descriptors(self, shape: Float[np.ndarray, "N S"]) -> Float[np.ndarray, "M S"]:
        """Those of the photos, or their means over the sets."""
        return shape if self.members is None else shape[self.members].mean(axis=1)


def tasks(identity: Int[np.ndarray, " N"], yaw: Float[np.ndarray, " N"], *, seed: int = 0) -> list[Task]:
    """Photos as in LFW, frontal against turned ones as in CFP-FP, sets as in YTF: those that can be formed."""
    photos, turned, sets = np.random.default_rng(seed).spawn(3)
    folds = min(NUM_FOLDS, len(np.unique(identity)) // 2)
    found = [Task("photos", verification.make_pairs(identity, photos, NUM_PAIRS, folds), identity)]
    pairs = turned_pairs(identity, np.abs(yaw) <= FRONTAL, np.abs(yaw) >= PROFILE, turned, folds)
    if pairs is not None:
        found.append(Task("frontal against turned", pairs, identity))
    members = photo_sets(identity, sets)
    of_set = identity[members[:, 0]] if len(members) else np.zeros(0, int)
    if len(of_set) and np.bincount(np.unique(of_set, return_inverse=True)[1]).min() > 1:
        pairs = verification.make_pairs(of_set, sets, NUM_PAIRS, folds)
        found.append(Task(f"sets of {SET_SIZE} photos", pairs, of_set, members))
    return found


def turned_pairs(
    identity: Int[np.ndarray, " N"],
    frontal: Bool[np.ndarray, " N"],
    turned: Bool[np.ndarray, " N"],
    rng: np.random.Generator,
    num_folds: int,
) -> Pairs | None:
    """Every pair of a frontal and a turned photo of one person, and as many pairs of two people of the same fold.

    None if some fold has no such pair of one person.
    """
    people = rng.permutation(np.unique(identity))
    parts = []
    for fold in range(num_folds):
        own = np.isin(identity, people[fold::num_folds])
        first, second = (
            grid.ravel() for grid in np.meshgrid(np.flatnonzero(own & frontal), np.flatnonzero(own & turned))
        )
        same = identity[first] == identity[second]
        yes, no = np.flatnonzero(same), np.flatnonzero(~same)
        count = min(len(yes), len(no))
        if count == 0:
            return None
        chosen = np.concatenate([rng.choice(yes, count, replace=False), rng.choice(no, count, replace=False)])
        parts.append((first[chosen], second[chosen], same[chosen], np.full(len(chosen), fold)))
    return Pairs(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def photo_sets(identity: Int[np.ndarray, " N"], rng: np.random.Generator) -> Int[np.ndarray, "M K"]:
    """Each person's photos dealt into sets of `SET_SIZE`; left-over photos are left out."""
    sets = []
    for person in np.unique(identity):
        own = rng.permutation(np.flatnonzero(identity == person))
        sets += np.split(own[: len(own) // SET_SIZE * SET_SIZE], len(own) // SET_SIZE) if len(own) >= SET_SIZE else []
    return np.array(sets, int).reshape(-1, SET_SIZE)


def verify(method: Sequence[Float[np.ndarray, "N S"]], task: Task, distance: str = "euclidean") -> Verified:
    """Verifies the pairs with the codes of each seed; the interval draws people, its centre is the mean over seeds."""
    results = [verification.verify_descriptors(task.descriptors(shape), task.pairs, distance) for shape in method]
    correct = np.mean([result.correct for result in results], axis=0)
    return Verified(pair_interval(correct, task), float(np.mean([result.auc for result in results])), correct)


def pair_interval(values: Float[np.ndarray, " P"], task: Task) -> Interval:
    """Interval of a mean over pairs; of differences of two methods' `correct`, this compares them on the same pairs."""
    first, second = task.identity[task.pairs.first], task.identity[task.pairs.second]
    return bootstrap_pair_mean(values, first, second, np.random.default_rng(0), resamples=1000)


def photo_interval(values: Float[np.ndarray, " N"], identity: Int[np.ndarray, " N"]) -> Interval:
    """Interval of a mean over photos."""
    return bootstrap_mean(values, identity, np.random.default_rng(0), resamples=1000)


def face_errors(
    method: Sequence[Float[np.ndarray, "N S"]], true_mm: Float[np.ndarray, "N S"], model: FaceModel
) -> Float[np.ndarray, " N"]:
    """RMSE of the face proper of each photo as it lies, mm: the mean over seeds."""
    region = shape_error.face_region(np.asarray(model.mean, np.float64))
    basis = np.asarray(model.shape_basis)[:, np.repeat(region, 3)]
    errors = [np.linalg.norm(vertex_descriptors(shape - true_mm, basis), axis=1) for shape in method]
    return np.mean(errors, axis=0) / np.sqrt(region.sum())


def lengths(method: Sequence[Float[np.ndarray, "N S"]], std: Float[np.ndarray, " S"]) -> Float[np.ndarray, " N"]:
    """|alpha / sigma| of each photo, the mean over seeds."""
    return np.mean([np.linalg.norm(shape / std, axis=1) for shape in method], axis=0)


def kl_to_prior(whitened: Float[np.ndarray, "N S"]) -> float:
    """KL divergence of the codes' distribution from N(0, I), Gaussian per mode, mean over the modes (Eq. 8)."""
    mean, variance = whitened.mean(axis=0), whitened.var(axis=0)
    return float(0.5 * np.mean(mean**2 + variance - 1 - np.log(np.maximum(variance, 1e-8))))
