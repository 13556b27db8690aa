"""One verification as a whole: codes and pairs in, every figure out. For the command line and for experiments.

P pairs, S shape modes, V vertices.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from sirjax.constants import NO_IDENTITY
from sirjax.data.records import JoinedRecords, RecordSource
from sirjax.evaluation import pair_lists, recognition, verification
from sirjax.evaluation.codes import Codes, vertex_descriptors
from sirjax.evaluation.pair_lists import PairList
from sirjax.evaluation.recognition import Agreement, Comparison, Recognition

DESCRIPTORS = ("shape", "whitened", "vertices")
_CHECKED_PAIRS = 256  # whose vertices are computed for the self-check


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is evaluated: codes, and the basis they belong to where it is known."""

    name: str
    codes: Codes
    basis: np.ndarray | None  # [S, 3V]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """All figures of a subject on one list of pairs."""

    protocol: str
    notes: list[str]
    pairs: PairList  # those that could be used, with folds
    identity: np.ndarray  # int [2, P] person of each side
    missing: dict[str, str]  # name without a code -> why
    found: dict[tuple[str, str], Recognition]  # (descriptor, distance) -> figures
    against: dict[tuple[str, str], tuple[Recognition, Comparison]]
    agreement: Agreement | None
    orthonormal: bool | None


def evaluate(
    subject: Subject,
    listed: PairList | None,
    *,
    records: RecordSource | JoinedRecords | None = None,
    against: Subject | None = None,
    descriptors: list[str] | None = None,
    num_pairs: int = 6000,
    num_folds: int = 10,
    resamples: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """All figures; with `against` on the pairs that both have codes for.

    Args:
      subject: what is evaluated.
      listed: the pairs; None to draw them from the people that the codes know.
      records: where the codes were read from: say why photos have none.
      against: what it is compared with.
      descriptors: some of `DESCRIPTORS`; all that are known if None.
      num_pairs: pairs to draw.
      num_folds: folds to make where the list has none.
      resamples: draws of the bootstrap.
      seed: of drawn pairs and bootstrap.

    Raises:
      ValueError: if no pairs can be used, a descriptor that was asked for is not known, or the self-check fails.
    """
    pairs = listed or draw_pairs(subject.codes, num_pairs, num_folds, seed)
    subjects = [subject] if against is None else [subject, against]
    wanted = pairs.names()
    rows = [pair_lists.find_samples(s.codes.names, wanted) for s in subjects]
    usable = np.all([pairs.usable(found) for found in rows], axis=0)
    if not usable.any():
        raise ValueError(
            f"none of the {len(usable)} pairs can be used: they name {wanted[0]!r}, the codes "
            f"{subject.codes.names[0]!r}; give pairs and codes of the same photos (--names for codes without names)"
        )
    kept = pairs.take(usable)
    identity, folds, shared = _people_and_folds(kept, subject.codes, rows[0], num_folds)
    kept = dataclasses.replace(kept, fold=folds)
    sides = [_side_shapes(s.codes, found, kept) for s, found in zip(subjects, rows, strict=True)]

    agreed = None if subject.basis is None else _self_check(subject, sides[0], subject.basis)
    found, compared = {}, {}
    for descriptor in _descriptors(subjects, descriptors):
        described = [_describe(s, side, descriptor) for s, side in zip(subjects, sides, strict=True)]
        for distance in verification.DISTANCES:
            results = [
                recognition.recognize(
                    verification.pair_distances(*both, distance),
                    kept.same,
                    folds,
                    *identity,
                    seed=seed,
                    resamples=resamples,
                )
                for both in described
            ]
            found[descriptor, distance] = results[0]
            if against is not None:
                difference = recognition.compare(
                    results[0].result, results[1].result, folds, *identity, seed=seed, resamples=resamples
                )
                compared[descriptor, distance] = (results[1], difference)
    missing = _missing(wanted, rows, records)
    return Evaluation(
        protocol=(
            f"verification-v1: {_what_was_judged(pairs, kept, identity, subject.codes)}, "
            f"{_how_thresholds_came(folds, listed is not None, shared)}, exact thresholds, "
            f"95 % intervals from {resamples} draws of people, seed {seed}"
        ),
        notes=_notes(pairs, kept, identity, missing, found),
        pairs=kept,
        identity=identity,
        missing=missing,
        found=found,
        against=compared,
        agreement=agreed,
        orthonormal=subject.codes.source.get("orthonormal"),
    )


def _self_check(
    subject: Subject, side: tuple[Float[np.ndarray, "P S"], Float[np.ndarray, "P S"]], basis: Float[np.ndarray, "S V3"]
) -> Agreement:
    agreed = recognition.agreement(side[0][:_CHECKED_PAIRS], side[1][:_CHECKED_PAIRS], basis)
    if subject.codes.source.get("orthonormal") and agreed.worst > recognition.AGREEMENT_LIMIT:
        raise ValueError(
            f"self-check failed: distances of parameters and of vertices differ by up to {agreed.worst:.2g}, "
            f"the limit for an orthonormal basis is {recognition.AGREEMENT_LIMIT:g}; basis and codes do not fit"
        )
    return agreed


def draw_pairs(codes: Codes, num_pairs: int, num_folds: int, seed: int) -> PairList:
    """Balanced pairs of the people that the codes know.

    Raises:
      ValueError: if they know nobody, or too few people.
    """
    if codes.identity is None or (codes.identity == NO_IDENTITY).all():
        raise ValueError("there are no pairs to verify: give --pairs FILE, or codes or records with identities")
    drawn = verification.make_pairs(codes.identity, np.random.default_rng(seed), num_pairs, num_folds)
    first, second = ([codes.names[row] for row in side] for side in (drawn.first, drawn.second))
    return PairList(first, second, drawn.same, drawn.fold)


def _people_and_folds(
    kept: PairList, codes: Codes, rows: dict[str, list[int]], num_folds: int
) -> tuple[Int[np.ndarray, "2 P"], Int[np.ndarray, " P"], bool | None]:
    """Person of each side [2, P], fold of each pair, and whether made folds share people (None: they were given)."""
    known = {} if codes.identity is None else {n: int(codes.identity[own[0]]) for n, own in rows.items() if own}
    person = pair_lists.people(kept, known)
    identity = np.array([[person[name] for name in side] for side in (kept.first, kept.second)])
    if kept.fold is not None:
        return identity, kept.fold, None
    folds, apart = pair_lists.make_folds(identity[0], identity[1], kept.same, num_folds)
    return identity, folds, not apart


def _side_shapes(
    codes: Codes, rows: dict[str, list[int]], kept: PairList
) -> tuple[Float[np.ndarray, "P S"], Float[np.ndarray, "P S"]]:
    names = kept.names()
    shape = pair_lists.means(codes.shape, [rows[name] for name in names])
    first, second = kept.rows(names)
    return shape[first], shape[second]


def _descriptors(subjects: list[Subject], wanted: list[str] | None) -> list[str]:
    known = {
        "shape": True,
        "whitened": all(s.codes.shape_std is not None for s in subjects),
        "vertices": all(s.basis is not None for s in subjects),
    }
    remedy = {"whitened": "codes with `shape_std`", "vertices": "a run, or codes with --face-model"}
    for name in wanted or []:
        if not known[name]:
            raise ValueError(f"the descriptor {name!r} needs {remedy[name]}")
    return [name for name in DESCRIPTORS if known[name] and name in (wanted or DESCRIPTORS)]


def _describe(subject: Subject, side: tuple[np.ndarray, np.ndarray], descriptor: str) -> tuple[np.ndarray, np.ndarray]:
    if descriptor == "whitened":
        std = np.asarray(subject.codes.shape_std, np.float64)
        return side[0] / std, side[1] / std
    if descriptor == "vertices":
        assert subject.basis is not None
        both = vertex_descriptors(np.concatenate(side), subject.basis)
        return both[: len(side[0])], both[len(side[0]) :]
    return side


def _missing(
    wanted: list[str], rows: list[dict[str, list[int]]], records: RecordSource | JoinedRecords | None
) -> dict[str, str]:
    """Names that some subject has no code of, and why."""
    rejected: dict[str, str] = {}
    for part in records.parts if isinstance(records, JoinedRecords) else [records] if records is not None else []:
        rejected |= part.manifest["rejected"]
    missing = [name for name in wanted if not all(found[name] for found in rows)]
    return {name: rejected.get(name.rstrip("/"), "no code of that name") for name in missing}


def _what_was_judged(pairs: PairList, kept: PairList, identity: np.ndarray, codes: Codes) -> str:
    judged = kept.fold != verification.TRAIN_ONLY
    sets = ", names ending in / are means" if any(name.endswith("/") for name in kept.names()) else ""
    mirrored = ", image and mirror averaged" if codes.source.get("mirror") else ""
    return (
        f"{judged.sum()} pairs ({kept.same[judged].sum()} same) of {len(np.unique(identity[:, judged]))} people, "
        f"{len(pairs.same) - len(kept.same)} left out{sets}{mirrored}"
    )


def _how_thresholds_came(fold: Int[np.ndarray, " P"], listed: bool, shared: bool | None) -> str:
    training = int(np.sum(fold == verification.TRAIN_ONLY))
    if training:
        return f"one threshold from {training} training pairs"
    folds = len(np.unique(fold))
    if shared is None:
        return f"{folds} folds of the list" if listed else f"{folds} folds drawn, no person in two"
    return f"{folds} folds made here, " + ("people in several" if shared else "no person in two")


def _notes(pairs: PairList, kept: PairList, identity: np.ndarray, missing: dict[str, str], found: dict) -> list[str]:
    left_out = len(pairs.same) - len(kept.same)
    notes = [
        f"{len(missing)} of {len(pairs.names())} names have no code, {left_out} of {len(pairs.same)} pairs left out"
    ]
    if left_out:
        judged = kept.fold != verification.TRAIN_ONLY
        share = judged.sum() / (judged.sum() + left_out)
        worst = ", ".join(f"{d} {e} {100 * share * r.result.accuracy:.2f} %" for (d, e), r in found.items())
        notes.append(f"accuracy if every pair left out counts as wrong: {worst}")
    different = int(np.sum(~kept.same & (kept.fold != verification.TRAIN_ONLY)))
    far = next(iter(found.values())).result.far
    if different * far < 1:
        notes.append(f"{different} pairs of two people: a false accept rate of {far:.1%} means none at all here")
    odd = np.sum((identity[0] == identity[1]) != kept.same)
    if odd:
        notes.append(f"{odd} pairs are labelled otherwise than the people's names say; the label counts")
    return notes


def check_line(result: Evaluation) -> str:
    """What the self-check found, in a sentence."""
    if result.agreement is None:
        return "self-check: not possible without the face model's basis"
    differ = f"by up to {result.agreement.euclidean:.2g} (Euclidean, relative), {result.agreement.cosine:.2g} (cosine)"
    if result.orthonormal or result.agreement.worst <= recognition.AGREEMENT_LIMIT:
        return f"self-check: basis orthonormal; distances of parameters and of vertices differ {differ}"
    return f"self-check: basis not orthonormal: distances of parameters and of vertices differ {differ}"
