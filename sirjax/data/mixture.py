"""Which samples make up the batch of step t: a pure function of (seed, t), whatever the number of hosts and devices.

All samples ever drawn form one endless sequence; the batch of step t is draws t N .. (t + 1) N - 1. Draw g comes from
the identity set wherever floor((g + 1) p) exceeds floor(g p) (Bresenham's line): so every window of the sequence, every
batch and every device's slice of a batch holds its share of identity samples up to one. The k-th draw from a set of n
samples is entry k mod n of its shuffle number k // n: each epoch visits every sample once.

The share p of identity samples (Eq. 22 and its ambiguity):
  balanced       0.5, what the authors' sampler does; the default.
  paper_literal  Eq. 22 as printed, N_landmark / (N_identity + N_landmark): 1.8 % for the paper's sets.
  proportional   one plain shuffle of both sets: 98.2 % for the paper's sets.
  a number       in [0, 1].
"""

import dataclasses
import functools
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int

from sirjax.types import NO_IDENTITY

SHARES = ("balanced", "paper_literal", "proportional")
_IDENTITY, _LANDMARK = 0, 1  # streams of random numbers


def identity_share(shares: str | float, num_identity: int, num_landmark: int) -> Fraction:
    """The share of identity samples, exactly; a set without samples leaves everything to the other one.

    Args:
      shares: one of `SHARES` or a number in [0, 1].
      num_identity: samples of the identity set.
      num_landmark: samples of the landmark set.

    Raises:
      ValueError: if both sets are empty, the share is unknown or outside [0, 1], or a number asks for an empty set.
    """
    total = num_identity + num_landmark
    if total == 0:
        raise ValueError("there is nothing to draw from: give an identity set, a landmark set, or both")
    if isinstance(shares, str):
        if shares not in SHARES:
            raise ValueError(f"unknown share {shares!r}: take one of {', '.join(SHARES)}, or a number in [0, 1]")
        if num_identity == 0 or num_landmark == 0:
            return Fraction(int(num_identity > 0))
        return {
            "balanced": Fraction(1, 2),
            "paper_literal": Fraction(num_landmark, total),
            "proportional": Fraction(num_identity, total),
        }[shares]
    if not 0 <= shares <= 1:
        raise ValueError(f"the share of identity samples must be in [0, 1], got {shares}")
    share = Fraction(shares).limit_denominator(10**6)
    if (share > 0 and num_identity == 0) or (share < 1 and num_landmark == 0):
        empty = "identity" if num_identity == 0 else "landmark"
        raise ValueError(f"a share of {shares} identity samples needs both sets, but there is no {empty} set")
    return share


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run of consecutive draws takes."""

    draw: Int[np.ndarray, " N"]  # number of each draw since the start of training
    from_identity: Bool[np.ndarray, " N"]  # which set it comes from
    index: Int[np.ndarray, " N"]  # sample of that set


class Mixture:
    """The endless sequence of draws."""

    def __init__(
        self,
        identity_class: Int[np.ndarray, " I"],
        num_landmark: int,
        *,
        seed: int,
        shares: str | float = "balanced",
        images_per_identity: int = 1,
    ):
        """Fixes the sequence.

        Args:
          identity_class: class of each sample of the identity set; empty without one.
          num_landmark: samples of the landmark set; 0 without one.
          seed: of all shuffles.
          shares: see the module's docstring.
          images_per_identity: K. The shuffle keeps up to K samples of a person together, so that a batch holds P
            people with K photos each (their centers move by more than one sample, intra-class terms see pairs); each
            epoch still visits every sample once. 1 is a plain shuffle, as in the paper.

        Raises:
          ValueError: see `identity_share`; or if `images_per_identity` is below 1 or a sample has no identity.
        """
        if images_per_identity < 1:
            raise ValueError(f"images_per_identity must be at least 1, got {images_per_identity}")
        self.share = identity_share(shares, len(identity_class), num_landmark)
        if np.any(np.asarray(identity_class) == NO_IDENTITY):
            unlabeled = int(np.sum(np.asarray(identity_class) == NO_IDENTITY))
            raise ValueError(f"{unlabeled} samples of the identity set have no identity: use them as a landmark set")
        self._identity_class = np.asarray(identity_class)
        self._num_landmark = num_landmark
        self._images_per_identity = images_per_identity
        self._seed = seed
        # A batch touches at most a few epochs of a set; several threads may ask for different ones.
        self._order = functools.lru_cache(maxsize=4)(self._order)

    def draws(self, start: int, count: int) -> Plan:
        """Draws start .. start + count - 1.

        Raises:
          ValueError: if `start` or `count` is negative.
        """
        if start < 0 or count < 0:
            raise ValueError(f"draws are counted from 0, got {count} from {start}")
        draw = np.arange(start, start + count, dtype=np.int64)
        # floor(g p) in Python's integers for the first draw only: g * numerator can leave 64 bits.
        numerator, denominator = self.share.numerator, self.share.denominator
        whole, rest = divmod(start * numerator, denominator)
        before = whole + (rest + np.arange(count + 1, dtype=np.int64) * numerator) // denominator
        from_identity = np.diff(before) > 0
        ordinal = np.where(from_identity, before[:-1], draw - before[:-1])
        index = np.empty(count, np.int64)
        index[from_identity] = self._pick(_IDENTITY, ordinal[from_identity])
        index[~from_identity] = self._pick(_LANDMARK, ordinal[~from_identity])
        return Plan(draw=draw, from_identity=from_identity, index=index)

    def batch(self, step: int, batch_size: int, *, part: int = 0, parts: int = 1) -> Plan:
        """The batch of a step, or the slice of it that one of `parts` equal hosts or devices takes.

        Raises:
          ValueError: if the batch does not divide into that many parts.
        """
        if batch_size < 1 or batch_size % parts or not 0 <= part < parts:
            raise ValueError(f"a batch of {batch_size} has no part {part} of {parts} equal ones")
        local = batch_size // parts
        return self.draws(step * batch_size + part * local, local)

    def _pick(self, stream: int, ordinal: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """The samples that draws number `ordinal` of one set take."""
        size = len(self._identity_class) if stream == _IDENTITY else self._num_landmark
        if len(ordinal) == 0:
            return ordinal
        epoch, position = np.divmod(ordinal, size)
        picked = np.empty_like(ordinal)
        for number in np.unique(epoch):
            picked[epoch == number] = self._order(stream, int(number))[position[epoch == number]]
        return picked

    def _order(self, stream: int, epoch: int) -> Int[np.ndarray, " n"]:
        """The shuffle of one epoch of one set."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((self._seed, stream, epoch))))
        if stream == _LANDMARK:
            return random.permutation(self._num_landmark)
        order = random.permutation(len(self._identity_class))
        if self._images_per_identity == 1:
            return order
        # Stable sorting by class leaves each person's samples shuffled; rank // K numbers their groups of K.
        sorted_by_class = order[np.argsort(self._identity_class[order], kind="stable")]
        classes = self._identity_class[sorted_by_class]
        starts = np.flatnonzero(np.r_[True, classes[1:] != classes[:-1]])
        rank = np.arange(len(classes)) - np.repeat(starts, np.diff(np.r_[starts, len(classes)]))
        first_of_group = rank % self._images_per_identity == 0
        group = np.cumsum(first_of_group) - 1
        place = random.permutation(int(group[-1]) + 1)
        return sorted_by_class[np.argsort(place[group], kind="stable")]
