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

A kind may be several sets with shares of their own (`Part`). They split the kind's draws the same way, one set after
the other: the first takes its share, the next its share of what is left.
"""

import dataclasses
import functools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Int

from sirjax.constants import NO_IDENTITY

SHARES = ("balanced", "paper_literal", "proportional")
_IDENTITY, _LANDMARK = 0, 1  # streams of random numbers
_FINEST = 10**6  # largest denominator of a share, so that counts of draws times numerators stay within 64 bits


def identity_share(shares: str | float, num_identity: int, num_landmark: int) -> Fraction:
    """The share of identity samples, exactly; a set without samples leaves everything to the other one.

    Args:
      shares: one of `SHARES`, or a number in [0, 1], which may be text.
      num_identity: samples of the identity set.
      num_landmark: samples of the landmark set.

    Raises:
      ValueError: if both sets are empty, the share is unknown or outside [0, 1], or a number asks for an empty set.
    """
    total = num_identity + num_landmark
    if total == 0:
        raise ValueError("there is nothing to draw from: give an identity set, a landmark set, or both")
    if isinstance(shares, str) and shares not in SHARES:
        try:
            shares = float(shares)
        except ValueError:
            known = ", ".join(SHARES)
            raise ValueError(f"unknown share {shares!r}: take one of {known}, or a number in [0, 1]") from None
    if isinstance(shares, str):
        if num_identity == 0 or num_landmark == 0:
            return Fraction(int(num_identity > 0))
        return {
            "balanced": Fraction(1, 2),
            "paper_literal": Fraction(num_landmark, total),
            "proportional": Fraction(num_identity, total),
        }[shares]
    if not 0 <= shares <= 1:
        raise ValueError(f"the share of identity samples must be in [0, 1], got {shares}")
    share = Fraction(shares).limit_denominator(_FINEST)
    if (share > 0 and num_identity == 0) or (share < 1 and num_landmark == 0):
        empty = "identity" if num_identity == 0 else "landmark"
        raise ValueError(f"a share of {shares} identity samples needs both sets, but there is no {empty} set")
    return share


@dataclasses.dataclass(frozen=True)
class Part:
    """One of several sets of a kind, with a share of its own."""

    size: int  # samples
    share: float  # of the kind's draws, relative to the other parts: 3 and 1 are three quarters and a quarter


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run of consecutive draws takes."""

    draw: Int[np.ndarray, " N"]  # number of each draw since the start of training
    from_identity: Bool[np.ndarray, " N"]  # which kind it comes from
    index: Int[np.ndarray, " N"]  # sample of that kind


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
        identity_parts: Sequence[Part] = (),
        landmark_parts: Sequence[Part] = (),
    ):
        """Fixes the sequence.

        Args:
          identity_class: class of each identity sample; empty without any.
          num_landmark: number of landmark samples; 0 without any.
          seed: of all shuffles.
          shares: of the two kinds; see the module's docstring.
          images_per_identity: K. The shuffle keeps up to K samples of a person together, so that a batch holds P
            people with K photos each (their centers move by more than one sample, intra-class terms see pairs); each
            epoch still visits every sample once. 1 is a plain shuffle, as in the paper.
          identity_parts: the sets that the identity samples consist of, in order; empty: one shuffle of all.
          landmark_parts: the same of the landmark samples.

        Raises:
          ValueError: see `identity_share`; or if `images_per_identity` is below 1, a sample has no identity, or parts
            do not add up or have no share.
        """
        if images_per_identity < 1:
            raise ValueError(f"images_per_identity must be at least 1, got {images_per_identity}")
        self.share = identity_share(shares, len(identity_class), num_landmark)
        classes = np.asarray(identity_class)
        if np.any(classes == NO_IDENTITY):
            unlabeled = int(np.sum(classes == NO_IDENTITY))
            raise ValueError(f"{unlabeled} samples of the identity set have no identity: use them as a landmark set")
        self._identity = _Kind(_IDENTITY, len(classes), identity_parts, seed, classes, images_per_identity)
        self._landmark = _Kind(_LANDMARK, num_landmark, landmark_parts, seed)

    def draws(self, start: int, count: int) -> Plan:
        """Draws start .. start + count - 1.

        Raises:
          ValueError: if `start` or `count` is negative.
        """
        if start < 0 or count < 0:
            raise ValueError(f"draws are counted from 0, got {count} from {start}")
        from_identity, before = _split(start, count, self.share)
        num_identity = int(from_identity.sum())
        index = np.empty(count, np.int64)
        index[from_identity] = self._identity.pick(before, num_identity)
        index[~from_identity] = self._landmark.pick(start - before, count - num_identity)
        return Plan(draw=np.arange(start, start + count, dtype=np.int64), from_identity=from_identity, index=index)

    def batch(self, step: int, batch_size: int, *, part: int = 0, parts: int = 1) -> Plan:
        """The batch of a step, or the slice of it that one of `parts` equal hosts or devices takes.

        Raises:
          ValueError: if the batch does not divide into that many parts.
        """
        if batch_size < 1 or batch_size % parts or not 0 <= part < parts:
            raise ValueError(f"a batch of {batch_size} has no part {part} of {parts} equal ones")
        local = batch_size // parts
        return self.draws(step * batch_size + part * local, local)


def _split(start: int, count: int, share: Fraction) -> tuple[Bool[np.ndarray, " N"], int]:
    """Which of draws start .. start + count - 1 belong to a share, and how many of the draws before them did."""
    # floor(g p) in Python's integers for the first draw only: g * numerator can leave 64 bits.
    before, rest = divmod(start * share.numerator, share.denominator)
    passed = (rest + np.arange(count + 1, dtype=np.int64) * share.numerator) // share.denominator
    return np.diff(passed) > 0, before


class _Kind:
    """The samples of one kind: one set, or parts that split its draws."""

    def __init__(
        self,
        stream: int,
        size: int,
        parts: Sequence[Part],
        seed: int,
        identity_class: Int[np.ndarray, " n"] | None = None,
        group: int = 1,
    ):
        if parts and sum(part.size for part in parts) != size:
            raise ValueError(f"parts of {[part.size for part in parts]} samples are not the {size} that there are")
        if not all(part.share > 0 for part in parts):
            raise ValueError(f"shares of sets must be positive, got {[part.share for part in parts]}: leave sets out")
        left = sum(Fraction(part.share) for part in parts)
        first = 0
        self._sets: list[tuple[int, Fraction, _Shuffles]] = []  # first sample, share of what earlier sets leave over
        for number, part in enumerate(parts or [Part(size, 1.0)]):
            share = Fraction(part.share) / left if left else Fraction(1)
            # The number of a part comes last: a single set has the shuffles it had before there were parts.
            keys = (number + 1,) if parts else ()
            classes = None if identity_class is None else identity_class[first : first + part.size]
            shuffles = _Shuffles((seed, stream), keys, part.size, classes, group)
            self._sets.append((first, share.limit_denominator(_FINEST), shuffles))
            first, left = first + part.size, left - Fraction(part.share)

    def pick(self, start: int, count: int) -> Int[np.ndarray, " N"]:
        """The samples that draws start .. start + count - 1 of this kind take."""
        index = np.empty(count, np.int64)
        places = np.arange(count)
        for first, share, shuffles in self._sets:
            taken, before = _split(start, len(places), share)
            index[places[taken]] = first + shuffles.pick(before, int(taken.sum()))
            places, start = places[~taken], start - before
        return index


class _Shuffles:
    """One set of n samples, shuffled anew each epoch: its draw k is entry k mod n of shuffle k // n."""

    def __init__(
        self,
        key: tuple[int, int],
        part: tuple[int, ...],
        size: int,
        identity_class: Int[np.ndarray, " n"] | None,
        group: int,
    ):
        self._key, self._part = key, part
        self._size = size
        self._identity_class = identity_class
        self._group = group
        # A batch touches at most a few epochs of a set; several threads may ask for different ones.
        self._order = functools.lru_cache(maxsize=4)(self._order)

    def pick(self, start: int, count: int) -> Int[np.ndarray, " N"]:
        """The samples that draws start .. start + count - 1 of this set take."""
        if count == 0:
            return np.empty(0, np.int64)
        epoch, position = np.divmod(np.arange(start, start + count, dtype=np.int64), self._size)
        picked = np.empty(count, np.int64)
        for number in np.unique(epoch):
            picked[epoch == number] = self._order(int(number))[position[epoch == number]]
        return picked

    def _order(self, epoch: int) -> Int[np.ndarray, " n"]:
        """The shuffle of one epoch."""
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence((*self._key, epoch, *self._part))))
        order = random.permutation(self._size)
        if self._group == 1 or self._identity_class is None:
            return order
        # Stable sorting by class leaves each person's samples shuffled; rank // K numbers their groups of K.
        sorted_by_class = order[np.argsort(self._identity_class[order], kind="stable")]
        classes = self._identity_class[sorted_by_class]
        starts = np.flatnonzero(np.r_[True, classes[1:] != classes[:-1]])
        rank = np.arange(len(classes)) - np.repeat(starts, np.diff(np.r_[starts, len(classes)]))
        first_of_group = rank % self._group == 0
        group = np.cumsum(first_of_group) - 1
        place = random.permutation(int(group[-1]) + 1)
        return sorted_by_class[np.argsort(place[group], kind="stable")]
