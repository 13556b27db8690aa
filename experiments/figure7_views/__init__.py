"""Fig. 7: does the shape stay the same when pose, expression and light change?

Compared: neutral shapes that the method reads from photos of one person: neutral and frontal, with an expression,
turned by 30 to 60 and by more than 60 degrees, and dark; beside the true shape where it is known.

Read it: along a row the shapes should be equal. The table gives the distance of a photo's shape from the mean shape
of the person's other photos, by kind of photo; the same as a share of the distance between two people, which counts for
telling them apart, as shapes that shrink toward the mean face get near each other, too; and the error.
"""

import numpy as np

from experiments.common import drawings, measures, readings
from experiments.common.methods import Methods, label
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share, verdict
from experiments.common.people import mean_shapes
from experiments.common.scans import face
from experiments.common.study import Study
from sirjax.pictures.grid import compose

TITLE = "Fig. 7: one person in different photos"
PEOPLE = 3
DARK = 0.2  # share of photos that count as dark


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["warm-up", *study.among("none", "sm+kl", "sm+wc+kl")]
    kinds = _kinds(study, methods)
    rows, away, shares = [], {}, {}
    for name in names:
        codes = methods.codes(name)
        away[name] = np.mean([_from_others(shape, methods) for shape in codes], axis=0)
        shares[name] = np.mean([_from_others(s, methods) / _between_people(s, methods) for s in codes], axis=0)
        errors = measures.face_errors(codes, methods.true_mm, methods.model) if study.has_truth else None
        for kind, chosen in kinds.items():
            if not chosen.any():
                continue
            people = methods.identity[chosen]
            rows.append(
                [
                    label(name),
                    f"{kind} ({chosen.sum()})",
                    Estimate.of(measures.photo_interval(away[name][chosen], people), "mm"),
                    share(measures.photo_interval(shares[name][chosen], people)),
                    None if errors is None else Estimate.of(measures.photo_interval(errors[chosen], people), "mm"),
                ]
            )
    picture = _picture(methods, names[-1], kinds, study.has_truth)
    columns = ["shapes", "photos", "from the person's other photos", "of people's distance", "error of the face"]
    return Outcome(
        protocol=methods.protocol,
        tables=[ResultTable("By kind of photo", columns, rows)],
        claims=_claims(methods, shares),
        sections=[drawings.as_section(f"Photos and shapes: {label(names[-1])}", picture, "Two rows for each person.")],
        pictures={"photos": picture},
        settings=methods.settings,
    )


def _kinds(study: Study, methods: Methods) -> dict[str, np.ndarray]:
    yaw = np.abs(readings.yaw_degrees(methods.rotation))
    expression = readings.truths(methods.records).expression if study.has_truth else None
    if expression is None:
        expression = np.asarray(methods.readings("warm-up")[0].expression)
    strength = np.linalg.norm(expression, axis=1)
    weak = 1e-6 if study.has_truth else np.quantile(strength, 0.3)
    light = np.array([readings.photo(methods.records, i)[30:100, 20:76].mean() for i in range(len(yaw))])
    return {
        "neutral, frontal": (yaw <= 20) & (strength <= weak),
        "expression, frontal": (yaw <= 20) & (strength > weak),
        "turned 30 to 60 degrees": (yaw > 30) & (yaw <= 60),
        "turned more than 60 degrees": yaw > 60,
        "dark, frontal": (yaw <= 20) & (light <= np.quantile(light, DARK)),
    }


def _from_others(shape: np.ndarray, methods: Methods) -> np.ndarray:
    """RMS over vertices between each photo's face and the mean of the person's other photos, mm."""
    away = np.zeros(len(shape))
    for person in np.unique(methods.identity):
        own = np.flatnonzero(methods.identity == person)
        if len(own) > 1:
            others = (shape[own].sum(axis=0) - shape[own]) / (len(own) - 1)
            away[own] = np.linalg.norm(shape[own] - others, axis=1)
    return away / np.sqrt(methods.model.num_vertices)


def _between_people(shape: np.ndarray, methods: Methods) -> float:
    """RMS distance of two people's mean faces, mm."""
    means = mean_shapes(shape, methods.identity)
    spread = 2 * np.sum((means - means.mean(axis=0)) ** 2) / (len(means) - 1)
    return float(np.sqrt(spread / methods.model.num_vertices))


def _picture(methods: Methods, name: str, kinds: dict[str, np.ndarray], has_truth: bool) -> np.ndarray:
    shapes = methods.codes(name)[0]
    rows, labels = [], []
    everybody = np.unique(methods.identity)
    count = [sum((chosen & (methods.identity == p)).any() for chosen in kinds.values()) for p in everybody]
    complete = everybody[np.argsort(-np.array(count), kind="stable")]  # those with most kinds first
    for person in complete[:PEOPLE]:
        found: dict[str, int] = {}
        for kind, chosen in kinds.items():
            own = np.flatnonzero(chosen & (methods.identity == person))
            new = own[~np.isin(own, list(found.values()))]  # no photo is shown twice
            if len(new):
                found[kind] = int(new[0])
        photos = [drawings.crop_tile(readings.photo(methods.records, row)) for row in found.values()]
        drawn = [drawings.clay(methods.model, face(methods.model, shapes[row])) for row in found.values()]
        if has_truth:
            true = drawings.clay(methods.model, face(methods.model, methods.true_mm[next(iter(found.values()))]))
            drawn.append(true)
        rows += [photos, drawn]
        labels += [[*found], [*([""] * len(found)), *(["truth"] if has_truth else [])]]
    return compose(rows, labels=labels)


def _claims(methods: Methods, shares: dict[str, np.ndarray]) -> list[Claim]:
    if "sm+kl" not in shares or "sm+wc+kl" not in shares:
        return []
    without, with_centers = shares["sm+kl"], shares["sm+wc+kl"]
    interval = measures.photo_interval(without - with_centers, methods.identity)
    return [
        Claim(
            "Centers keep a person's shape the same over photos, measured by how far people are apart",
            verdict(interval),
            f"{without.mean():.1%} of people's distance from the person's other photos without, "
            f"{with_centers.mean():.1%} with weighted centers; less by {100 * interval.mean:.1f} "
            f"[{100 * interval.low:.1f}, {100 * interval.high:.1f}] points",
        )
    ]
