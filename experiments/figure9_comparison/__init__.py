"""Fig. 9: which method is right, and where?

Compared: neutral shapes from the same photo by the warm-up, without SIR loss, with plain and with weighted centers, as
they lie (no alignment), beside the true shape; below each the distance of every vertex from the truth.

Read it: violet is right, yellow is 6 mm off or more. The page has the first person's meshes, to be turned. The table
gives the error of the face over all photos, by pose.
"""

import numpy as np

from experiments.common import drawings, measures, readings
from experiments.common.methods import Methods, label
from experiments.common.outcome import Estimate, Outcome, ResultTable
from experiments.common.people import photo_of, some_people
from experiments.common.scans import face
from experiments.common.study import Study
from sirjax.pictures.grid import compose
from sirjax.report import Meshes, MeshView

TITLE = "Fig. 9: methods beside each other"
PEOPLE = 3
REACH = 6.0  # mm, the yellow end
YAW_BINS = ((0.0, 30.0), (30.0, 60.0), (60.0, 90.0))


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["warm-up", *study.among("none", "sm+c+kl", "sm+wc+kl")]
    trust = readings.neutral_frontal(methods.rotation, np.asarray(methods.readings("warm-up")[0].expression))
    chosen = [photo_of(methods.identity, trust, person) for person in some_people(methods.identity, PEOPLE)]
    codes = {name: methods.codes(name) for name in [*names, *(["truth"] if study.has_truth else [])]}
    faces = {name: [face(methods.model, codes[name][0][row]) for row in chosen] for name in codes}
    tiles, labels = [], []
    for i, row in enumerate(chosen):
        crop = drawings.crop_tile(readings.photo(methods.records, row))
        tiles.append([crop, *(drawings.clay(methods.model, faces[name][i]) for name in codes)])
        labels.append(["photo", *(label(name) for name in codes)])
        if study.has_truth:
            maps = [drawings.error_map(methods.model, faces[name][i], faces["truth"][i], REACH) for name in names]
            errors = [np.linalg.norm(faces[name][i] - faces["truth"][i], axis=1) for name in names]
            tiles.append([drawings.empty_tile(), *maps])
            labels.append(["", *(f"RMS {np.sqrt(np.mean(e**2)):.2f} mm" for e in errors)])
    picture = compose(tiles, labels=labels)
    triangles = np.asarray(methods.model.triangles)
    views = [
        MeshView(
            label(name),
            faces[name][0],
            triangles,
            values=np.linalg.norm(faces[name][0] - faces["truth"][0], axis=1) if study.has_truth else None,
        )
        for name in codes
    ]
    return Outcome(
        protocol=methods.protocol,
        tables=[_table(methods, names)] if study.has_truth else [],
        sections=[
            drawings.as_section("The first people", picture, f"Errors: violet 0, yellow {REACH:g} mm."),
            Meshes("The first of them, to turn", views, value_range=(0.0, REACH)),
        ],
        pictures={"comparison": picture},
        settings=methods.settings,
    )


def _table(methods: Methods, names: list[str]) -> ResultTable:
    yaw = np.abs(readings.yaw_degrees(methods.rotation))
    bins = [(low, high, (yaw >= low) & (yaw <= high)) for low, high in YAW_BINS]
    bins = [found for found in bins if found[2].any()]
    rows = []
    for name in ["mean face", *names]:
        errors = measures.face_errors(methods.codes(name), methods.true_mm, methods.model)
        intervals = [measures.photo_interval(errors[chosen], methods.identity[chosen]) for _, _, chosen in bins]
        whole = measures.photo_interval(errors, methods.identity)
        rows.append([label(name), *(Estimate.of(interval, "mm") for interval in [*intervals, whole])])
    columns = ["shapes", *(f"yaw {low:g} to {high:g} ({chosen.sum()})" for low, high, chosen in bins), "all"]
    return ResultTable("Error of the face, as it lies", columns, rows)
