"""Fig. 3: what does the length of a shape code look like?

Compared: the neutral shapes of three people with their codes multiplied by 0.1 to 1.2, as in the paper; the true shapes
where they are known (length as the prior has it), then what the method reads from photos of the same people.

Read it: toward 0 everybody becomes the mean face, beyond 1 a caricature. The table says how far the scaled faces are
from the mean face and from each other: both grow with the factor, so short codes are hard to tell apart by distance.
"""

import numpy as np

from experiments.common import drawings
from experiments.common.methods import Methods, label
from experiments.common.outcome import Estimate, Outcome, ResultTable
from experiments.common.people import mean_shapes, some_people
from experiments.common.scans import face
from experiments.common.study import Study
from sirjax.pictures.grid import compose

TITLE = "Fig. 3: shapes by the length of their code"
FACTORS = (0.1, 0.4, 0.6, 0.8, 1.0, 1.2)
PEOPLE = 3


def run(study: Study) -> Outcome:
    methods = Methods(study)
    people = some_people(methods.identity, PEOPLE)
    names = [*(["truth"] if study.has_truth else []), (["warm-up", *study.among("none", "sm+wc+kl")])[-1]]
    tiles, rows = [], []
    for name in names:
        shapes = mean_shapes(methods.codes(name)[0], methods.identity)
        size = np.sqrt(methods.model.num_vertices)
        between = np.sqrt(2 * np.sum((shapes - shapes.mean(axis=0)) ** 2) / (len(shapes) - 1)) / size
        for factor in FACTORS:
            rows.append(
                [
                    label(name),
                    f"{factor:g}",
                    Estimate(float(factor * np.linalg.norm(shapes, axis=1).mean()), unit="mm", digits=0),
                    Estimate(float(factor * np.linalg.norm(shapes / methods.std, axis=1).mean())),
                    Estimate(float(factor * np.linalg.norm(shapes, axis=1).mean() / size), unit="mm"),
                    Estimate(float(factor * between), unit="mm"),
                ]
            )
        for person in people:
            tiles.append([drawings.clay(methods.model, face(methods.model, f * shapes[person])) for f in FACTORS])
    shorts = ["truth" if name == "truth" else "read" for name in names]
    labels = [[f"{short} x {factor:g}" for factor in FACTORS] for short in shorts for _ in people]
    picture = compose(tiles, labels=labels)
    columns = ["shapes", "factor", "|alpha|", "|alpha/sigma|", "from the mean face, RMS", "between people, RMS"]
    return Outcome(
        protocol=f"mean code of each person's photos, {len(np.unique(methods.identity))} people; {methods.protocol}",
        tables=[ResultTable("Lengths and distances", columns, rows)],
        sections=[drawings.as_section("Scaled shapes", picture, "A row for each person.")],
        pictures={"shapes": picture},
        settings=methods.settings,
    )
