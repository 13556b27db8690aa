"""Fig. 8: where do the shapes of different people differ?

Compared: for pairs of people, the difference of their mean shapes by the method and of their true shapes, as maps.

Read it: yellow where two people differ most; above the diagonal as the method reads them, below it in truth, so that
mirrored cells should be alike, but for their strength. The table has the correlation, over all pairs of people, of
their distance by the method with their true distance.
"""

import numpy as np

from experiments.common import drawings
from experiments.common.methods import Methods, label
from experiments.common.outcome import Estimate, Outcome, ResultTable
from experiments.common.people import mean_shapes, some_people
from experiments.common.scans import face
from experiments.common.study import Study
from sirjax.evaluation import shape_error
from sirjax.evaluation.codes import vertex_descriptors
from sirjax.pictures.grid import compose
from sirjax.report import Meshes, MeshView

TITLE = "Fig. 8: differences between people"
PEOPLE = 4
REACH = 6.0  # mm, the yellow end


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["warm-up", *study.among("none", "sm+wc", "sm+wc+kl")]
    last = names[-1]
    people = some_people(methods.identity, PEOPLE)
    shown = [last, *(["truth"] if study.has_truth else [])]
    faces = {
        name: [face(methods.model, s) for s in mean_shapes(methods.codes(name)[0], methods.identity)] for name in shown
    }
    tiles, labels = [], []
    for a in people:
        # Above the diagonal the method, below it the truth: mirrored cells show the same two people.
        side = [last if b >= a else shown[-1] for b in people]
        row = [drawings.error_map(methods.model, faces[side[b]][b], faces[side[b]][a], REACH) for b in people]
        row[a] = drawings.clay(methods.model, faces[last][a], yaw=0.0)
        tiles.append(row)
        words = ["read" if name == last else "true" for name in side]
        labels.append([f"person {a + 1}" if a == b else f"{words[b]}: {a + 1} and {b + 1}" for b in people])
    picture = compose(tiles, labels=labels, title=f"difference of two people's faces: violet 0, yellow {REACH:g} mm")
    triangles = np.asarray(methods.model.triangles)
    views = [
        MeshView(label(name), faces[name][0], triangles, values=np.linalg.norm(faces[name][0] - faces[name][1], axis=1))
        for name in shown
    ]
    return Outcome(
        protocol=f"mean code of each person's photos; {methods.protocol}",
        tables=[ResultTable(*_table(study, methods, names))],
        sections=[
            drawings.as_section("Pairs of people", picture, "Mirrored cells show the same two people."),
            Meshes("Persons 1 and 2, to turn", views, value_range=(0.0, REACH)),
        ],
        pictures={"differences": picture},
        settings=methods.settings,
    )


def _table(study: Study, methods: Methods, names: list[str]):
    region = shape_error.face_region(np.asarray(methods.model.mean, np.float64))
    basis = np.asarray(methods.model.shape_basis)[:, np.repeat(region, 3)]
    count = len(np.unique(methods.identity))
    first, second = np.triu_indices(count, k=1)

    def distances(shapes: np.ndarray) -> np.ndarray:
        described = vertex_descriptors(mean_shapes(shapes, methods.identity), basis)
        return np.linalg.norm(described[first] - described[second], axis=1) / np.sqrt(region.sum())

    rows = []
    for name in [*names, *(["truth"] if study.has_truth else [])]:
        found = np.mean([distances(shapes) for shapes in methods.codes(name)], axis=0)
        row = [label(name), Estimate(float(found.mean()), unit="mm"), Estimate(float(found.std()), unit="mm")]
        if study.has_truth:
            row.append(_correlation(found, distances(methods.true_mm), first, second, count))
        rows.append(row)
    columns = ["shapes", "distance of two people, mean", "standard deviation", "correlation with the true distance"]
    return f"Faces of {len(first)} pairs of people", columns[: len(rows[0])], rows


def _correlation(found: np.ndarray, true: np.ndarray, first, second, count: int) -> Estimate:
    """Pearson, with an interval from drawing people."""
    rng = np.random.default_rng(0)
    values = []
    for _ in range(500):
        drawn = np.bincount(rng.integers(count, size=count), minlength=count)
        weight = (drawn[first] * drawn[second]).astype(float)
        if np.count_nonzero(weight) > 2:
            covariance = np.cov(found, true, aweights=weight)
            values.append(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(float(np.corrcoef(found, true)[0, 1]), float(low), float(high))
