"""Table I of the paper as numbers: what shape parameters must be, for shape to tell people apart.

1. Parameters are separable by Euclidean distance (`sirjax.evaluation.spread`).
2. The center of a person's parameters is that of the neutral frontal face.
3. The shape basis is orthonormal: distance of parameters is distance of faces.
4. Parameters follow the face model's Gaussian.

N samples, S shape modes, E expression modes.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int
from scipy import stats

from sirjax.constants import NO_IDENTITY
from sirjax.evaluation.bootstrap import Interval, bootstrap_mean
from sirjax.evaluation.codes import gram

FEWEST_FOR_CENTER = 4  # samples of a person, for a center of the others and a rank correlation
_TINY_VARIANCE = 1e-8  # inside the logarithm, as in the loss


def neutral_frontal_confidence(
    rotation: Float[np.ndarray, "N 3 3"], expression: Float[np.ndarray, "N E"], decay: float = 1 / 3
) -> Float[np.ndarray, " N"]:
    """Eq. 19, f = (cos pitch + 1)(cos yaw + 1)(cos roll + 1) / 8 exp(-decay |expression|); expression whitened."""
    rotation = np.asarray(rotation, np.float64)
    sine_yaw = np.clip(rotation[:, 2, 0], -1.0, 1.0)
    pitch = np.arctan2(rotation[:, 2, 1], rotation[:, 2, 2])
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 0, 0])
    frontal = (np.cos(pitch) + 1) * (np.sqrt(1 - sine_yaw**2) + 1) * (np.cos(roll) + 1) / 8
    return frontal * np.exp(-decay * np.linalg.norm(np.asarray(expression, np.float64), axis=1))


@dataclasses.dataclass(frozen=True)
class CenterCondition:
    """Condition 2. Distances are to the mean of the person's *other* samples; intervals draw people."""

    people: int  # with enough samples
    correlation: Interval  # mean of each person's rank correlation of distance with confidence f; below 0 if fulfilled
    frontal: Interval  # distance of the most neutral frontal sample / mean distance of all; below 1 if fulfilled
    weighted: Interval  # its distance to the f-weighted mean of the others / to their plain mean


def center_condition(
    shape: Float[np.ndarray, "N S"],
    confidence: Float[np.ndarray, " N"],
    identity: Int[np.ndarray, " N"],
    rng: np.random.Generator,
) -> CenterCondition | None:
    """Whether neutral frontal samples are nearest to the center of their person; None if nobody has enough samples.

    Args:
      shape: mm, where distance means distance of faces.
      confidence: f of each sample, see `neutral_frontal_confidence`.
      identity: the person of each sample.
      rng: of the bootstrap.
    """
    shape, confidence, identity = np.asarray(shape, np.float64), np.asarray(confidence), np.asarray(identity)
    figures = []
    for person in np.unique(identity[identity != NO_IDENTITY]):
        own = np.flatnonzero(identity == person)
        if len(own) < FEWEST_FOR_CENTER:
            continue
        found = _of_person(shape[own], confidence[own])
        if found is not None:
            figures.append(found)
    if not figures:
        return None
    columns = np.array(figures).T
    people = np.arange(len(figures))
    correlation, frontal, weighted = (bootstrap_mean(column, people, rng) for column in columns)
    return CenterCondition(len(figures), correlation, frontal, weighted)


def _of_person(shape: np.ndarray, confidence: np.ndarray) -> tuple[float, float, float] | None:
    """(rank correlation, relative distance of the best sample, gain of the weighted center); None without spread."""
    count = len(shape)
    others = (shape.sum(axis=0) - shape) / (count - 1)
    distance = np.linalg.norm(shape - others, axis=1)
    if np.ptp(distance) == 0 or np.ptp(confidence) == 0:
        return None
    correlation = np.corrcoef(stats.rankdata(distance), stats.rankdata(confidence))[0, 1]
    best = int(np.argmax(confidence))
    rest = np.arange(count) != best
    weighted_center = confidence[rest] @ shape[rest] / confidence[rest].sum()
    to_weighted = np.linalg.norm(shape[best] - weighted_center)
    if distance[best] == 0:
        return None
    return float(correlation), float(distance[best] / distance.mean()), float(to_weighted / distance[best])


@dataclasses.dataclass(frozen=True)
class BasisCondition:
    """Condition 3. Faces lie between `shortest` and `longest` times the distance of their parameters apart."""

    error: float  # largest entry of |B B^T - I|; 0 if fulfilled
    shortest: float  # smallest singular value of the basis
    longest: float  # largest one; both 1 if fulfilled

    @property
    def distortion(self) -> float:
        """By how much a distance of parameters may be off as distance of faces, as a share; 0 if fulfilled."""
        return max(abs(self.longest - 1.0), abs(1.0 - self.shortest))


def basis_condition(basis: Float[np.ndarray, "S V3"]) -> BasisCondition:
    """How far a shape basis (a row per mode) is from orthonormal, and what that does to distances at worst."""
    products = gram(basis)
    squares = np.linalg.eigvalsh(products)
    error = float(np.abs(products - np.eye(len(products))).max())
    return BasisCondition(error, float(np.sqrt(max(squares[0], 0.0))), float(np.sqrt(squares[-1])))


@dataclasses.dataclass(frozen=True)
class PriorCondition:
    """Condition 4: are whitened parameters samples of N(0, I)?"""

    length: Interval  # mean of |a|; interval from drawing people
    ideal_length: float  # sqrt(S), about what samples of the prior have
    variance: np.ndarray  # [S] of each mode; 1 if fulfilled
    divergence: float  # KL of Eq. 21, nats, Gaussian per mode
    divergence_floor: float  # S / N, what N samples of the prior have on average
    inside: float  # share of samples whose length lies in the middle 95 % of the prior's lengths (chi distribution)
    shorter: float  # share below that range
    longer: float  # share above it
    calibration: float  # Kolmogorov-Smirnov distance of |a|^2 from chi-square with S degrees of freedom; 0 if fulfilled
    correlation: float  # root mean square correlation of two modes; 1 / sqrt(N) if fulfilled


def prior_condition(
    whitened: Float[np.ndarray, "N S"], identity: Int[np.ndarray, " N"] | None, rng: np.random.Generator
) -> PriorCondition:
    """Compares whitened parameters with the prior. Samples without identity are each their own person.

    Raises:
      ValueError: for fewer than two samples.
    """
    whitened = np.asarray(whitened, np.float64)
    count, modes = whitened.shape
    if count < 2:
        raise ValueError(f"a distribution needs at least two samples, got {count}")
    squares = np.sum(np.square(whitened), axis=1)
    level = np.sort(stats.chi2.cdf(squares, modes))
    steps = np.arange(count + 1) / count
    mean, variance = whitened.mean(axis=0), whitened.var(axis=0)
    divergence = 0.5 * np.sum(np.square(mean) + variance - 1.0 - np.log(variance + _TINY_VARIANCE))
    shorter, longer = float(np.mean(level < 0.025)), float(np.mean(level > 0.975))
    return PriorCondition(
        length=bootstrap_mean(np.sqrt(squares), _groups(identity, count), rng),
        ideal_length=float(np.sqrt(modes)),
        variance=variance,
        divergence=float(divergence),
        divergence_floor=modes / count,
        inside=1.0 - shorter - longer,
        shorter=shorter,
        longer=longer,
        calibration=float(max((steps[1:] - level).max(), (level - steps[:-1]).max())),
        correlation=_mode_correlation(whitened),
    )


def _mode_correlation(whitened: np.ndarray) -> float:
    """Root mean square over pairs of modes; modes that never vary take no part."""
    varying = whitened[:, whitened.std(axis=0) > 0]
    modes = varying.shape[1]
    if modes < 2:
        return 0.0
    correlation = np.corrcoef(varying, rowvar=False)
    return float(np.sqrt((np.sum(np.square(correlation)) - modes) / (modes * (modes - 1))))


def _groups(identity: np.ndarray | None, count: int) -> np.ndarray:
    own = np.arange(count)
    if identity is None:
        return own
    identity = np.asarray(identity)
    return np.where(identity == NO_IDENTITY, identity.max() + 1 + own, identity)
