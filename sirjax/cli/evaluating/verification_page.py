"""The report of a verification: tables with intervals, ROC curves, distances, and the pairs it finds hardest."""

import numpy as np
from jaxtyping import UInt8

from sirjax.cli.evaluating.verify import Evaluation, check_line
from sirjax.data.images import decode_image
from sirjax.data.records import JoinedRecords, RecordSource
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.pair_lists import find_samples
from sirjax.evaluation.recognition import Recognition
from sirjax.evaluation.verification import TRAIN_ONLY, Roc
from sirjax.report import Curve, Page, Picture, Pictures, Plot, Table

_HARDEST = 8  # pairs of each kind that are shown
_BINS = 40
_LISTED = 100  # missing names in the page; all are in results.json


def build_page(
    result: Evaluation,
    records: RecordSource | JoinedRecords | None,
    subject: str,
    against: str | None,
    facts: dict[str, object],
) -> Page:
    """The whole page."""
    main = next(iter(result.found.values()))
    (descriptor, distance), judged = next(iter(result.found)), result.pairs.fold != TRAIN_ONLY
    page = Page(
        title=f"Verification: {subject}" + (f" against {against}" if against else ""),
        summary=(
            f"{_percent(main.result.accuracy, main.accuracy)} of {judged.sum()} pairs are judged right: "
            f"{distance.capitalize()} distance of {descriptor} descriptors (95 % interval from drawing people)."
        ),
    )
    page.add(_table(result))
    if result.against:
        page.add(_comparison(result, subject, against or ""))
    page.add(_facts(result))
    page.add(_roc(result, judged, f" of {against}" if against else ""))
    for (descriptor, distance), found in result.found.items():
        if descriptor == "shape":
            page.add(_histogram(found, result.pairs.same, judged, distance))
    if records is not None:
        page.add(_hardest(result, main, records, judged, one_person=False))
        page.add(_hardest(result, main, records, judged, one_person=True))
    page.add_provenance(facts)
    return page


def _table(result: Evaluation) -> Table:
    rows = []
    for (descriptor, distance), found in result.found.items():
        figures = found.result
        rows.append(
            [
                _name(descriptor, distance),
                _percent(figures.accuracy, found.accuracy),
                f"{100 * found.binomial.low:.1f} to {100 * found.binomial.high:.1f}",
                f"{100 * figures.accuracy_std:.1f}",
                _percent(figures.auc, found.auc),
                _percent(figures.eer, found.eer),
                _percent(figures.tpr_at_far, found.tpr_at_far),
            ]
        )
    columns = ["descriptor, distance", "accuracy", "binomial", "SD of folds", "AUC", "EER", "TPR at FAR 0.1 %"]
    return Table(
        "Figures",
        columns,
        rows,
        "Brackets: 95 % intervals from drawing people with replacement. Binomial: as if pairs were independent, %. "
        "Chance is 50 %, for TPR 0.1 %. Shape: coefficients in mm; whitened: in standard deviations; vertices: offsets "
        "of the neutral vertices from the mean face.",
    )


def _comparison(result: Evaluation, subject: str, against: str) -> Table:
    rows = []
    for (descriptor, distance), (other, found) in result.against.items():
        own, i = result.found[descriptor, distance], found.difference
        rows.append(
            [
                _name(descriptor, distance),
                _percent(own.result.accuracy, own.accuracy),
                _percent(other.result.accuracy, other.accuracy),
                f"{100 * i.mean:+.1f} [{100 * i.low:+.1f}, {100 * i.high:+.1f}]",
                found.only_first,
                found.only_second,
                f"{found.p_value:.2g}",
            ]
        )
    columns = ["descriptor, distance", subject, against, "difference, points", f"only {subject} right"]
    return Table(
        "Comparison on the same pairs",
        [*columns, f"only {against} right", "McNemar p"],
        rows,
        "The two differ where the interval of the difference leaves out 0. McNemar's test takes pairs as independent, "
        "which pairs that share people are not.",
    )


def _facts(result: Evaluation) -> Table:
    rows: list[list[object]] = [
        ["protocol", result.protocol],
        ["self-check", check_line(result).removeprefix("self-check: ")],
    ]
    rows.extend(["note", note] for note in result.notes)
    rows.extend([name, why] for name, why in list(result.missing.items())[:_LISTED])
    if len(result.missing) > _LISTED:
        rows.append(["...", f"{len(result.missing) - _LISTED} more in results.json"])
    return Table("Protocol, and images without a code", ["", ""], rows)


def _roc(result: Evaluation, judged: np.ndarray, of_other: str) -> Plot:
    curves = []
    for (descriptor, distance), found in result.found.items():
        if descriptor == "shape":
            curves.append(_roc_curve(f"{distance}", found, result.pairs.same, judged))
        if descriptor == "shape" and result.against:
            other = result.against[descriptor, distance][0]
            curves.append(_roc_curve(f"{distance}{of_other}", other, result.pairs.same, judged))
    if not curves:
        (descriptor, distance), found = next(iter(result.found.items()))
        curves.append(_roc_curve(f"{descriptor} {distance}", found, result.pairs.same, judged))
    chance = np.geomspace(1 / np.sum(judged & ~result.pairs.same), 1, 60)
    curves.append(Curve("chance", chance, chance))
    return Plot(
        "ROC",
        curves,
        x_label="false accepts, share of pairs of two people",
        y_label="true accepts, share of pairs of one person",
        x_log=True,
        y_range=(0.0, 1.0),
        caption="Each point is a threshold on all judged pairs. The left end is one false accept.",
    )


def _roc_curve(name: str, found: Recognition, same: np.ndarray, judged: np.ndarray) -> Curve:
    true, false = Roc(found.distances[judged], same[judged]).rates()
    return Curve(name.replace("euclidean", "Euclidean"), false, true)


def _histogram(found: Recognition, same: np.ndarray, judged: np.ndarray, distance: str) -> Plot:
    values, same = found.distances[judged], same[judged]
    edges = np.linspace(0, values.max() if values.max() > 0 else 1.0, _BINS + 1)
    curves = []
    for name, kind in (("one person", same), ("two people", ~same)):
        share = np.histogram(values[kind], edges)[0] / kind.sum()
        curves.append(Curve(name, np.repeat(edges, 2), np.concatenate([[0], np.repeat(share, 2), [0]])))
    finite = found.result.thresholds[np.isfinite(found.result.thresholds)]
    if len(finite):
        top = max(curve.y.max() for curve in curves)
        middle = float(np.median(finite))
        curves.append(Curve("threshold (median of the folds)", np.array([middle, middle]), np.array([0.0, top])))
    unit = "Euclidean distance of shapes, mm" if distance == "euclidean" else "cosine distance of shapes"
    return Plot(_name("Distances", distance), curves, x_label=unit, y_label="share of the pairs of its kind")


def _hardest(
    result: Evaluation,
    main: Recognition,
    records: RecordSource | JoinedRecords,
    judged: np.ndarray,
    *,
    one_person: bool,
) -> Pictures:
    rows = np.flatnonzero(judged & (result.pairs.same == one_person))
    order = np.argsort(main.distances[rows], kind="stable")
    rows = rows[order[::-1] if one_person else order][:_HARDEST]
    pictures = _crops(result, rows, records)
    shown = []
    for row in rows:
        verdict = "right" if main.result.correct[row] else "wrong"
        sides = (result.pairs.first[row], result.pairs.second[row])
        stems = [name.rstrip("/").rpartition("/")[2] for name in sides]
        first, second = (stem.rpartition(".")[0].replace("_", " ") or stem for stem in stems)
        captions = [first, f"{second}: {main.distances[row]:.3g} apart, judged {verdict}"]
        shown.append([Picture(pictures[n], c) for n, c in zip(sides, captions, strict=True) if n in pictures])
    what = "Farthest pairs of one person" if one_person else "Nearest pairs of two people"
    return Pictures(what, [row for row in shown if row], "Aligned crops, as the networks see them; one of a video.")


def _crops(
    result: Evaluation, rows: np.ndarray, records: RecordSource | JoinedRecords
) -> dict[str, UInt8[np.ndarray, "112 96 3"]]:
    """The crops of the names of some pairs; of a set the middle one."""
    names = {side[row] for row in rows for side in (result.pairs.first, result.pairs.second)}
    listed = [sample.name for sample in records.__getitems__(range(len(records)))]
    places = {name: own[len(own) // 2] for name, own in find_samples(listed, sorted(names)).items() if own}
    return {name: decode_image(records[place].image) for name, place in places.items()}


def _name(descriptor: str, distance: str) -> str:
    return f"{descriptor}, {'Euclidean' if distance == 'euclidean' else distance}"


def _percent(value: float, interval: Interval) -> str:
    return f"{100 * value:.1f} % [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"
