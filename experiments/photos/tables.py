"""The tables of the study on real photos: a row for each method, means with intervals over people and seeds."""

import numpy as np
from jaxtyping import Float

from experiments.common import measures
from experiments.common.outcome import Cell, Estimate, ResultTable, share
from experiments.photos.intervals import Spread, interval, mean_interval
from experiments.photos.study import WARM_UP, PhotoStudy
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.verification import DISTANCES, verify_descriptors

_LOSSES = {"sm": "L_sm", "c": "L_c", "wc": "L_wc", "teacher": "teacher"}


def losses(name: str) -> list[Cell]:
    """The first two cells of a method's row: its losses, and whether KL is on."""
    parts = name.split("+")
    shown = " + ".join(_LOSSES[part] for part in parts if part in _LOSSES)
    return [shown or (WARM_UP if name == WARM_UP else "none"), "yes" if "kl" in parts else ""]


def correct(study: PhotoStudy, name: str, task: measures.Task, distance: str = "euclidean") -> Float[np.ndarray, "R P"]:
    """Whether each seed's run of a method judges each pair right: 0 or 1."""
    records = study.lfw if task is study.tasks[0] else study.people
    found = [verify_descriptors(shape, task.pairs, distance).correct for shape in study.shapes(name, records)]
    return np.stack(found).astype(np.float64)


def over_pairs(values: Float[np.ndarray, "R P"], task: measures.Task) -> Interval:
    """Interval of a mean over the pairs of a task."""
    return mean_interval(values, task.identity[task.pairs.first], task.identity[task.pairs.second])


def lengths(study: PhotoStudy, name: str) -> Float[np.ndarray, "R N"]:
    """|alpha / sigma| of the photos of people held out."""
    return np.linalg.norm(study.shapes(name, study.people) / study.std, axis=2)


def verification(study: PhotoStudy) -> ResultTable:
    """Accuracy by both distances on both lists of pairs."""
    rows = [
        [
            *losses(name),
            *(share(over_pairs(correct(study, name, task, d), task)) for task in study.tasks for d in DISTANCES),
        ]
        for name in study.names
    ]
    columns = ["losses", "KL", *(f"{task.name}, {short}" for task in study.tasks for short in ("Euclid", "cosine"))]
    sizes = ", ".join(f"{task.name}: {len(task.pairs.same)} pairs" for task in study.tasks)
    return ResultTable("Verification", columns, rows, f"Half of the pairs show one person. {sizes}.")


def shapes(study: PhotoStudy) -> ResultTable:
    """Lengths, spread within and between people, and landmarks."""
    identity = np.asarray(study.people.identity_class)
    rows = []
    for name in study.names:
        spread = Spread(study.shapes(name, study.people), identity, study.model.num_vertices)
        within, between = spread.distances(np.ones(len(spread.first)))
        variance = (study.shapes(name, study.people) / study.std).var(axis=1).mean()
        errors = study.landmark_errors(name)
        rows.append(
            [
                *losses(name),
                Estimate.of(mean_interval(lengths(study, name), identity)),
                Estimate(float(variance), digits=3),
                Estimate(float(within.mean()), unit="mm"),
                Estimate(float(between.mean()), unit="mm"),
                Estimate.of(interval(spread.ratio, spread.first, spread.second)),
                Estimate.of(mean_interval(errors, np.arange(errors.shape[1])), "%"),
            ]
        )
    columns = (
        "losses",
        "KL",
        "|alpha/sigma|",
        "variance per mode",
        "within people",
        "between people",
        "between / within",
        "NME",
    )
    caption = (
        f"Of the prior: |alpha/sigma| {study.std.size**0.5:.1f}, variance 1. Distances of two photos' neutral faces, "
        "RMS over vertices. NME: 68 points in percent of the box, on the photos with landmarks held out."
    )
    return ResultTable("Shapes", columns, rows, caption)


def seeds(study: PhotoStudy) -> ResultTable:
    """The main figures of each run."""
    lfw, people = study.tasks
    rows = []
    for name in study.names:
        figures = [correct(study, name, task).mean(axis=1) for task in (lfw, people)]
        rows.append(
            [
                *losses(name),
                *(_each(100 * found, 1) for found in figures),
                _each(lengths(study, name).mean(axis=1), 2),
                _each(100 * study.landmark_errors(name).mean(axis=1), 2),
            ]
        )
    columns = ["losses", "KL", f"{lfw.name}, Euclid, %", f"{people.name}, Euclid, %", "|alpha/sigma|", "NME, %"]
    return ResultTable("Each seed", columns, rows, "The warm-up is one run, which all others start from.")


def _each(values: Float[np.ndarray, " R"], digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)
