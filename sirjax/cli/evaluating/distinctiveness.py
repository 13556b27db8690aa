"""Measure whether shapes tell people apart: spread within and between people, and the four conditions of Table I.

examples:
  sirjax evaluate distinctiveness runs/sir --records records/heldout --out results/distinctiveness
  sirjax evaluate distinctiveness codes.npy --identities people.tsv --out results/theirs
  sirjax evaluate distinctiveness meshes/ --out results/meshes       (meshes/person/photo.obj, one topology)

Distances are those of all vertices of the neutral faces (RMSE) where the face model is known, of parameters otherwise.
What the input does not tell (pose, prior, basis) is left out and named. Writes DIR/results.json and DIR/report.html.
Docs: docs/evaluation.md.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from sirjax.cli.evaluating.shape_sets import ShapeSet, read_shapes
from sirjax.constants import NO_IDENTITY
from sirjax.evaluation import conditions
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.spread import FIGURES, PairSet, Spread, distances, make_pair_set, spread, spread_intervals
from sirjax.files import write_text
from sirjax.report import Curve, Page, Plot, Table, provenance

Row = tuple[str, str, str, str]  # condition, figure, value, what it would be if the condition were fulfilled


@dataclasses.dataclass(frozen=True)
class Result:
    """Figures of a set of shapes; None where the input does not tell enough."""

    protocol: str
    distance: np.ndarray  # [P]
    pairs: PairSet
    spread: Spread
    intervals: dict[str, tuple[float, float]]
    center: conditions.CenterCondition | None
    basis: conditions.BasisCondition | None
    prior: conditions.PriorCondition | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax evaluate distinctiveness`."""
    parser.add_argument(
        "shapes",
        type=Path,
        help="run or builtin, codes .npz or .npy, folder or array of meshes",
    )
    parser.add_argument("--records", type=Path, help="records with identities, for a run to read")
    parser.add_argument("--identities", type=Path, metavar="FILE", help="lines `name<tab>person`, or a person per line")
    parser.add_argument("--face-model", type=Path, metavar="FILE", help="face model that codes belong to")
    parser.add_argument("--batch", type=int, default=64, help="images read at once (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=200, help="draws of the bootstrap (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of pairs and bootstrap (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for results.json and report.html")


def run(args: argparse.Namespace) -> int:
    """Evaluates, prints the figures and writes the results."""
    shapes = read_shapes(
        args.shapes,
        records=args.records,
        identities=args.identities,
        face_model=args.face_model,
        batch_size=args.batch,
    )
    result = evaluate_shapes(shapes, resamples=args.resamples, seed=args.seed)
    rows = table_rows(shapes, result)
    print(f"{result.protocol}\n")
    for condition, name, value, ideal in rows:
        print(f"{condition:16} {name:52} {value:32} {ideal}")
    args.out.mkdir(parents=True, exist_ok=True)
    facts = provenance(**shapes.source)
    figures = {"protocol": result.protocol, "figures": metrics(result), "provenance": facts}
    write_text(args.out / "results.json", json.dumps(figures, indent=2, default=str) + "\n")
    build_page(shapes, result, rows, facts).write(args.out / "report.html")
    return 0


def evaluate_shapes(shapes: ShapeSet, *, resamples: int = 200, seed: int = 0) -> Result:
    """Everything that the shapes tell."""
    pair_rng, spread_rng, center_rng, prior_rng = np.random.default_rng(seed).spawn(4)
    pairs = make_pair_set(shapes.identity, pair_rng)
    distance = distances(shapes.descriptor, pairs) / shapes.unit
    center = None
    if shapes.confidence is not None:
        center = conditions.center_condition(shapes.descriptor, shapes.confidence, shapes.identity, center_rng)
    labelled = shapes.identity != NO_IDENTITY
    people = len(np.unique(shapes.identity[labelled]))
    which = "all" if pairs.complete else "drawn"
    return Result(
        protocol=(
            f"distinctiveness-v1: {labelled.sum()} shapes of {people} people, {which} {len(pairs.same)} pairs "
            f"({pairs.same.sum()} of one person), {shapes.measure}, 95 % intervals from {resamples} draws of people, "
            f"seed {seed}"
        ),
        distance=distance,
        pairs=pairs,
        spread=spread(distance, pairs.same),
        intervals=spread_intervals(distance, pairs, shapes.identity, spread_rng, resamples=resamples),
        center=center,
        basis=None if shapes.basis is None else conditions.basis_condition(shapes.basis),
        prior=None
        if shapes.whitened is None
        else conditions.prior_condition(shapes.whitened, shapes.identity, prior_rng),
    )


def table_rows(shapes: ShapeSet, result: Result) -> list[Row]:
    """The figures by condition, each with what fulfils the condition."""
    found = result.spread

    def figure(name: str, scale: float = 1.0, unit: str = "") -> str:
        low, high = result.intervals[name]
        return f"{scale * getattr(found, name):.3g}{unit} [{scale * low:.3g}, {scale * high:.3g}]"

    first = "separable (1)"
    rows: list[Row] = [
        (first, f"within people, {shapes.measure}", figure("intra"), "0"),
        (first, f"between people, {shapes.measure}", figure("inter"), ""),
        (first, "between / within", figure("ratio"), "above 1; 1 says nothing"),
        (first, "d' of the distances", figure("d_prime"), "above 0; 0 says nothing"),
        (first, "area under ROC, all pairs", figure("auc", 100, " %"), "100 %; 50 % says nothing"),
        (first, "balanced accuracy, best threshold", figure("accuracy", 100, " %"), "100 %; 50 % says nothing"),
    ]
    return rows + _center_rows(shapes, result) + _basis_rows(result) + _prior_rows(result)


def _center_rows(shapes: ShapeSet, result: Result) -> list[Row]:
    second, center = "center (2)", result.center
    if center is None:
        fewest = conditions.FEWEST_FOR_CENTER
        why = "needs pose and expression" if shapes.confidence is None else f"nobody has {fewest} photos"
        return [(second, "not measured", why, "")]
    return [
        (second, "rank correlation of distance to center with f", _interval(center.correlation), "below 0"),
        (second, "most neutral frontal photo's distance / mean", _interval(center.frontal), "below 1"),
        (second, "its distance to weighted / to plain center", _interval(center.weighted), "below 1"),
    ]


def _basis_rows(result: Result) -> list[Row]:
    third, basis = "orthonormal (3)", result.basis
    if basis is None:
        return [(third, "not measured", "needs the face model", "")]
    stretch = f"{basis.shortest:.6f} to {basis.longest:.6f}"
    return [
        (third, "largest entry of |B B' - I|", f"{basis.error:.2g}", "0"),
        (third, "distance of faces / of parameters", stretch, "1 to 1"),
        (third, "worst distortion of a distance", f"{100 * basis.distortion:.2g} %", "0 %"),
    ]


def _prior_rows(result: Result) -> list[Row]:
    fourth, prior = "Gaussian (4)", result.prior
    if prior is None:
        return [(fourth, "not measured", "needs standard deviations", "")]
    low, middle, high = np.quantile(prior.variance, [0.05, 0.5, 0.95])
    noise = 1 / np.sqrt(len(prior.variance) / prior.divergence_floor)
    return [
        (fourth, "mean length |a|", _interval(prior.length), f"{prior.ideal_length:.3g}, sqrt of the modes"),
        (fourth, "variance of a mode: 5 %, median, 95 %", f"{low:.3g}, {middle:.3g}, {high:.3g}", "1"),
        (fourth, "KL from N(0, I), Eq. 21", f"{prior.divergence:.4g}", f"{prior.divergence_floor:.3g}, for this many"),
        (fourth, "lengths in the middle 95 % of the prior's", f"{100 * prior.inside:.1f} %", "95 %"),
        (fourth, "lengths below and above that", f"{100 * prior.shorter:.1f} %, {100 * prior.longer:.1f} %", "2.5 %"),
        (fourth, "Kolmogorov-Smirnov distance from chi-square", f"{prior.calibration:.3g}", "0"),
        (fourth, "RMS correlation of two modes", f"{prior.correlation:.3g}", f"{noise:.2g}, for this many"),
    ]


def _interval(interval: Interval) -> str:
    return f"{interval.mean:.3g} [{interval.low:.3g}, {interval.high:.3g}]"


def metrics(result: Result) -> dict[str, Any]:
    """The figures by name, for programs."""
    values: dict[str, Any] = {}
    for name in FIGURES:
        values[name], values[f"{name}_interval"] = getattr(result.spread, name), list(result.intervals[name])
    for group in ("center", "basis", "prior"):
        found = getattr(result, group)
        for field in dataclasses.fields(found) if found is not None else ():
            value = getattr(found, field.name)
            if isinstance(value, Interval):
                values[f"{group}_{field.name}"] = value.mean
                values[f"{group}_{field.name}_interval"] = [value.low, value.high]
            else:
                values[f"{group}_{field.name}"] = value.tolist() if isinstance(value, np.ndarray) else value
    if result.basis is not None:
        values["basis_distortion"] = result.basis.distortion
    return values


def build_page(shapes: ShapeSet, result: Result, rows: list[Row], facts: dict) -> Page:
    """The report: the conditions, distances within and between people, lengths and variances against the prior."""
    found = result.spread
    page = Page(
        title="Distinctiveness",
        summary=(
            f"{result.protocol}. Shapes of two people lie {found.ratio:.2f} times as far apart as shapes of one "
            f"person; {100 * found.auc:.1f} % area under the ROC curve."
        ),
    )
    page.add(Table("Table I as numbers", ["condition", "figure", "value", "if fulfilled"], rows, caption=_READING))
    page.add(_distance_plot(shapes, result))
    if shapes.whitened is not None and result.prior is not None:
        page.add(_length_plot(shapes.whitened))
        modes = np.arange(1, len(result.prior.variance) + 1)
        prior = Curve("prior", modes, np.ones(len(modes)))
        curves = [Curve("these shapes", modes, result.prior.variance), prior]
        page.add(Plot("Variance of each mode", curves, x_label="mode", y_label="variance, whitened"))
    page.add_provenance(facts)
    return page


_READING = (
    "Intervals: people are drawn with replacement. f: how neutral and frontal a photo is (Eq. 19). The center of a "
    "photo is the mean of the person's other photos; 'weighted' weights them with f."
)


def _distance_plot(shapes: ShapeSet, result: Result) -> Plot:
    x = np.linspace(0, np.quantile(result.distance, 0.995), 121)
    curves = []
    for name, kind in (("one person", result.pairs.same), ("two people", ~result.pairs.same)):
        share = np.searchsorted(np.sort(result.distance[kind]), x, side="right") / kind.sum()
        curves.append(Curve(f"{name} ({kind.sum()} pairs)", x, 100 * share))
    return Plot(
        "Distances within and between people",
        curves,
        x_label=shapes.measure,
        y_label="pairs at most that far apart, %",
        y_range=(0, 100),
    )


def _length_plot(whitened: np.ndarray) -> Plot:
    lengths, modes = np.sort(np.linalg.norm(whitened, axis=1)), whitened.shape[1]
    low, high = stats.chi.ppf([1e-4, 1 - 1e-4], modes)
    x = np.linspace(min(low, lengths[0]), max(high, lengths[-1]), 161)
    own = Curve("these shapes", x, 100 * np.searchsorted(lengths, x, side="right") / len(lengths))
    prior = Curve("prior (chi distribution)", x, 100 * stats.chi.cdf(x, modes))
    return Plot(
        "Lengths |a| against the prior", [own, prior], x_label="|a|, standard deviations",
        y_label="shapes of at most that length, %", y_range=(0, 100),
    )  # fmt: skip
