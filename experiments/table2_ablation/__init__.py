"""Table II: which parts of the SIR loss make shape codes tell people apart?

Compared: no SIR loss, L_sm (CosFace), L_sm + L_c (plain centers), L_sm + L_wc (weighted centers), each with and without
the KL term; every variant goes on from the same warm-up for the same number of steps.

Read it: accuracy of 10-fold verification by Euclidean distance (main) and cosine; 50 % is chance. Intervals draw people
with replacement, so two overlapping ones may still differ: the claims below compare the same pairs.
"""

import numpy as np

from experiments.common import measures
from experiments.common.methods import Methods
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share, verdict
from experiments.common.people import mean_shapes
from experiments.common.study import Study
from sirjax.evaluation.distinctiveness import distinctiveness

TITLE = "Table II: ablation of the SIR loss"
SHAPE_COLUMNS = (
    "losses",
    "KL",
    "|alpha/sigma|",
    "of a person's mean code",
    "variance per mode",
    "within people",
    "between people",
    "between / within",
)


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["warm-up", *study.among("none", "kl", "sm", "sm+kl", "sm+c", "sm+c+kl", "sm+wc", "sm+wc+kl")]
    tasks, std = methods.tasks, methods.std
    columns = ["losses", "KL", *(f"{task.name}, Euclid" for task in tasks), f"{tasks[0].name}, cosine"]
    rows, shapes = [], []
    verified = {}
    for name in names:
        codes = methods.codes(name)
        euclid = [measures.verify(codes, task) for task in tasks]
        cosine = measures.verify(codes, tasks[0], "cosine")
        verified[name] = (euclid, cosine)
        losses, kl = _losses(name)
        rows.append([losses, kl, *(share(v.accuracy) for v in euclid), share(cosine.accuracy)])
        spread = [distinctiveness(c / std, std, methods.identity, methods.model.num_vertices) for c in codes]
        length = measures.photo_interval(measures.lengths(codes, std), methods.identity)
        own = [mean_shapes(c / std, methods.identity) for c in codes]
        shapes.append(
            [
                losses,
                kl,
                Estimate.of(length),
                Estimate(_mean([float(np.linalg.norm(means, axis=1).mean()) for means in own])),
                Estimate(_mean([float(s.variance.mean()) for s in spread]), digits=3),
                Estimate(_mean([s.intra_rmse for s in spread]), unit="mm"),
                Estimate(_mean([s.inter_rmse for s in spread]), unit="mm"),
                Estimate(_mean([s.ratio for s in spread])),
                *([methods.face_error(name)] if study.has_truth else []),
            ]
        )
    error = ["error of the face"] if study.has_truth else []
    caption = "A person's mean code is that of all photos: what it is shorter by differs from photo to photo. "
    caption += f"Of the prior: |alpha/sigma| {std.size**0.5:.1f}, variance 1."
    if study.has_truth:
        caption += f" Error of the mean face: {methods.face_error('mean face').text()}."
    return Outcome(
        protocol=methods.protocol,
        tables=[
            ResultTable("Verification", columns, rows, _captions(tasks)),
            ResultTable("Shapes", [*SHAPE_COLUMNS, *error], shapes, caption),
        ],
        claims=_claims(methods, verified),
        settings=methods.settings,
    )


def _losses(name: str) -> tuple[str, str]:
    parts = name.split("+")
    kl = "yes" if "kl" in parts else ""
    text = {"sm": "L_sm", "c": "L_c", "wc": "L_wc"}
    shown = " + ".join(text[part] for part in parts if part in text)
    return shown or ("warm-up only" if name == "warm-up" else "none"), kl


def _captions(tasks) -> str:
    sizes = ", ".join(f"{task.name}: {len(task.pairs.same)} pairs" for task in tasks)
    return f"Half of the pairs show one person. {sizes}."


def _claims(methods: Methods, verified) -> list[Claim]:
    claims = []
    task = methods.tasks[0]

    def compare(text: str, better: str, worse: str) -> None:
        if better not in verified or worse not in verified:
            return
        difference = verified[better][0][0].correct - verified[worse][0][0].correct
        interval = measures.pair_interval(difference, task)
        claims.append(Claim(text, verdict(interval), f"{better} minus {worse}: {_points(interval)} points of accuracy"))

    compare("The SIR loss makes people more recognizable than no SIR loss", "sm+wc+kl", "none")
    compare("CosFace alone beats no SIR loss", "sm", "none")
    for kl, text in (("", "without KL"), ("+kl", "with KL")):
        compare(
            f"Plain centers raise accuracy by Euclidean distance over CosFace alone, {text}", "sm+c" + kl, "sm" + kl
        )
        compare(f"Weighted centers cost some accuracy beside plain ones, {text}", "sm+c" + kl, "sm+wc" + kl)
    for plain, centered in (("sm", "sm+c"), ("sm+kl", "sm+c+kl")):
        if plain in verified and centered in verified:
            gain = [verified[name][0][0].correct - verified[name][1].correct for name in (centered, plain)]
            interval = measures.pair_interval(gain[0] - gain[1], task)
            claims.append(
                Claim(
                    f"Centers move separability from cosine to Euclidean distance ({plain} to {centered})",
                    verdict(interval),
                    f"(Euclid minus cosine) changes by {_points(interval)} points",
                )
            )
    for off in ("sm", "sm+c", "sm+wc"):
        on = off + "+kl"
        if on in verified and off in verified:
            lengths = [measures.lengths(methods.codes(name), methods.std) for name in (on, off)]
            ideal = methods.std.size**0.5
            nearer = abs(lengths[1] - ideal) - abs(lengths[0] - ideal)
            interval = measures.photo_interval(nearer, methods.identity)
            claims.append(
                Claim(
                    f"KL keeps |alpha/sigma| nearer sqrt(m) = {ideal:.1f} ({off})",
                    verdict(interval),
                    f"{lengths[0].mean():.2f} with, {lengths[1].mean():.2f} without KL",
                )
            )
    return claims


def _points(interval) -> str:
    return f"{100 * interval.mean:+.1f} [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
