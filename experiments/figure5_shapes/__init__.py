"""Fig. 5: what does each part of the loss do to the shapes one sees?

Compared: neutral shapes read from the same photo without SIR loss, without KL (the paper's "prior"), without centers,
and by the whole method; beside the true shape where it is known.

Read it: without KL shapes shrink toward the mean face and people look alike (compare down a column); without centers
and with KL they differ, also where they should not. The numbers under it say the same of all photos: length of codes,
how different people are (true people differ by the figure in the last row), and how far shapes are from the truth.
"""

import numpy as np

from experiments.common import drawings, measures, readings
from experiments.common.methods import Methods, label
from experiments.common.outcome import Estimate, Outcome, ResultTable
from experiments.common.people import photo_of, some_people
from experiments.common.scans import face
from experiments.common.study import Study
from sirjax.evaluation.distinctiveness import distinctiveness
from sirjax.pictures.grid import compose
from sirjax.report import Meshes, MeshView

TITLE = "Fig. 5: shapes without parts of the loss"
NAMED = {
    "none": "without SIR loss",
    "sm+wc": "without KL",
    "sm+kl": "without centers",
    "sm+wc+kl": "whole method",
}
PEOPLE = 4


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = study.among(*NAMED)
    if study.has_truth:
        names.append("truth")
    trust = readings.neutral_frontal(methods.rotation, np.asarray(methods.readings("warm-up")[0].expression))
    chosen = [photo_of(methods.identity, trust, person) for person in some_people(methods.identity, PEOPLE)]
    codes = {name: methods.codes(name) for name in names}
    shown = {name: [face(methods.model, codes[name][0][row]) for row in chosen] for name in names}
    tiles = [
        [
            drawings.crop_tile(readings.photo(methods.records, row)),
            *(drawings.clay(methods.model, shown[name][i]) for name in names),
        ]
        for i, row in enumerate(chosen)
    ]
    picture = compose(tiles, labels=[["photo", *(NAMED.get(name, name) for name in names)]])
    rows = []
    for name in names:
        length = measures.photo_interval(measures.lengths(codes[name], methods.std), methods.identity)
        spread = distinctiveness(
            codes[name][0] / methods.std, methods.std, methods.identity, methods.model.num_vertices
        )
        rows.append(
            [
                NAMED.get(name, label(name)),
                Estimate.of(length),
                Estimate(spread.inter_rmse, unit="mm"),
                Estimate(spread.intra_rmse, unit="mm"),
                *([methods.face_error(name)] if study.has_truth else []),
            ]
        )
    columns = ["shapes", "|alpha/sigma|", "between people", "within people"]
    triangles = np.asarray(methods.model.triangles)
    views = [MeshView(NAMED.get(name, name), shown[name][0], triangles) for name in names]
    return Outcome(
        protocol=methods.protocol,
        tables=[ResultTable("All photos", [*columns, "error of the face"][: len(rows[0])], rows)],
        sections=[
            drawings.as_section("The same people", picture, "Most neutral frontal photo of each; the first people."),
            Meshes("The first of them, to turn", views),
        ],
        pictures={"shapes": picture},
        settings=methods.settings,
    )
