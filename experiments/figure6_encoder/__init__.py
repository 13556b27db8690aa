"""Fig. 6: does an encoder with a branch of its own for shape serve both tasks better than one unsplit encoder?

Compared: the split encoder (two shared stages of four, then a branch each for shape, for pose, expression and light,
and for albedo) and one branch for everything, at several weights epsilon_s of the SIR loss (Eq. 9); both were warmed
up with the same settings.

Read it: curves of the recognition loss (CosFace) and of the pixel loss over the steps of the second stage, unweighted,
lower is better; in the table verification, landmark error and error of the shape on people not trained on. The paper
says that the unsplit encoder must trade one task for the other: it should be worse in both, the more so the larger
epsilon_s is. Note that the split encoder has three branches where the other has one, and so more parameters.
"""

from pathlib import Path

import numpy as np

from experiments.common import drawings, measures, readings
from experiments.common.methods import Methods
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share, verdict
from experiments.common.people import some_people
from experiments.common.study import FULL, Study, Training
from sirjax.evaluation import landmark_error
from sirjax.evaluation.codes import Codes
from sirjax.pictures.grid import compose, enlarge
from sirjax.report import Curve, Plot
from sirjax.training.log import read_metrics

TITLE = "Fig. 6: split and unsplit encoder"
PEOPLE = 3  # whose faces are drawn back
SMOOTHED = 5  # logged steps that a point of a curve is the mean of


def run(study: Study) -> Outcome:
    methods = Methods(study)
    task, labels = methods.tasks[0], _labels(study, methods)
    rows, curves, measured = [], {"softmax": [], "pixel": []}, {}
    for split in (True, False):
        for epsilon in study.epsilons:
            kind = "split" if split else "unsplit"
            runs = [study.run(Training(FULL, seed, split, epsilon)) for seed in study.seeds]
            methods.settings["variants"][f"{kind}, epsilon_s {epsilon:g}"] = [run.name for run in runs]
            codes = [readings.read(run, methods.records) for run in runs]
            shapes = [np.asarray(c.shape, np.float64) for c in codes]
            verified = measures.verify(shapes, task)
            nme = None if labels is None else _nme(codes, labels)
            measured[kind, epsilon] = (verified.correct, nme)
            last = [[_last(run, loss) for run in runs] for loss in ("softmax", "pixel")]
            error = measures.face_errors(shapes, methods.true_mm, methods.model) if study.has_truth else None
            rows.append(
                [
                    kind,
                    f"{epsilon:g}",
                    *(Estimate(float(np.mean(values)), digits=3) for values in last),
                    share(verified.accuracy),
                    None if nme is None else Estimate.of(measures.photo_interval(nme, methods.identity), "%", 2),
                    None if error is None else Estimate.of(measures.photo_interval(error, methods.identity), "mm"),
                ]
            )
            for loss, found in curves.items():
                x, y = _curve(runs, loss)
                found.append(Curve(f"{kind}, epsilon_s {epsilon:g}", x, y))
    picture = _renders(study, methods)
    columns = ["encoder", "epsilon_s", "recognition loss", "pixel loss", "Euclid", "landmark error (NME)", "face error"]
    caption = f"Losses: mean of the last {SMOOTHED} logged steps, on training photos."
    return Outcome(
        protocol=methods.protocol,
        tables=[ResultTable("After the second stage", columns, rows, caption)],
        claims=_claims(study, methods, measured),
        sections=[
            Plot("Recognition loss", curves["softmax"], "step", "L_sm (CosFace)"),
            Plot("Pixel loss", curves["pixel"], "step", "pixel loss (Eq. 11)"),
            drawings.as_section("Faces drawn back", picture, "By the runs of the largest epsilon_s."),
        ],
        pictures={"faces": picture},
        settings=methods.settings,
    )


def _renders(study: Study, methods: Methods) -> np.ndarray:
    people = some_people(methods.identity, PEOPLE)
    rows = [int(np.flatnonzero(methods.identity == np.unique(methods.identity)[person])[0]) for person in people]
    crops = np.stack([readings.photo(methods.records, row) for row in rows])
    columns = [crops]
    for split in (True, False):
        run = study.run(Training(FULL, study.seeds[0], split, max(study.epsilons)))
        columns.append(drawings.drawn_back(study.loaded(run), crops))
    tiles = [[enlarge(column[i], 2) for column in columns] for i in range(len(rows))]
    return compose(tiles, labels=[["photo", "split", "unsplit"]])


def _claims(study: Study, methods: Methods, measured) -> list[Claim]:
    claims = []
    for epsilon in study.epsilons:
        for loss, name in (("softmax", "recognition"), ("pixel", "pixel")):
            claims.append(_claim_on_loss(study, epsilon, loss, name))
        split, unsplit = measured["split", epsilon], measured["unsplit", epsilon]
        accuracy = measures.pair_interval(split[0] - unsplit[0], methods.tasks[0])
        claims.append(
            Claim(
                f"The split encoder verifies better (epsilon_s {epsilon:g})",
                verdict(accuracy),
                f"{100 * accuracy.mean:+.1f} [{100 * accuracy.low:+.1f}, {100 * accuracy.high:+.1f}] points",
            )
        )
        if split[1] is None:
            continue
        nme = measures.photo_interval(unsplit[1] - split[1], methods.identity)
        claims.append(
            Claim(
                f"The split encoder has the smaller landmark error (epsilon_s {epsilon:g})",
                verdict(nme),
                f"NME smaller by {100 * nme.mean:+.2f} [{100 * nme.low:+.2f}, {100 * nme.high:+.2f}] percent points",
            )
        )
    return claims


def _claim_on_loss(study: Study, epsilon: float, loss: str, name: str) -> Claim:
    """Runs of one seed see the same batches, so their losses are compared batch by batch, in the second half."""
    differences = []
    for seed in study.seeds:
        split, unsplit = (
            np.array([row[loss] for row in read_metrics(study.run(Training(FULL, seed, kind, epsilon)))])
            for kind in (True, False)
        )
        differences.append((unsplit - split)[len(split) // 2 :])
    joined = np.concatenate(differences)
    interval = measures.photo_interval(joined, np.arange(len(joined)))
    return Claim(
        f"The split encoder reaches a lower {name} loss (epsilon_s {epsilon:g})",
        verdict(interval),
        f"lower by {interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}] on {len(joined)} training batches "
        "(the interval draws batches)",
    )


def _nme(codes: list[Codes], labels: np.ndarray) -> np.ndarray:
    """Landmark error of each photo, the mean over seeds."""
    return np.mean([landmark_error.nme(np.asarray(c.landmarks), labels) for c in codes], axis=0)


def _labels(study: Study, methods: Methods) -> np.ndarray | None:
    if study.has_truth:
        return readings.truths(methods.records).landmarks
    if not methods.records.has_landmarks:
        return None
    return np.stack([np.asarray(methods.records[index].landmarks) for index in range(len(methods.records))])


def _last(run: Path, loss: str) -> float:
    return float(np.mean([row[loss] for row in read_metrics(run)[-SMOOTHED:] if loss in row]))


def _curve(runs: list[Path], loss: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps, and the loss's running mean over the logged steps and the seeds."""
    logged = [read_metrics(run) for run in runs]
    steps = np.array([row["step"] for row in logged[0]], float)
    values = np.mean([[row[loss] for row in rows] for rows in logged], axis=0)
    width = min(SMOOTHED, len(values))
    return np.convolve(steps, np.ones(width) / width, "valid"), np.convolve(values, np.ones(width) / width, "valid")
