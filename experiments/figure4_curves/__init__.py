"""Fig. 4: which share of the photos has an error on scans below x mm?

Compared: the shapes of Table V, by the cumulative distribution (CED) of the plane RMSE over photos.

Read it: higher and further left is better; where curves cross, none is better everywhere. The table gives the error
that half and nine tenths of the photos stay below.
"""

import numpy as np

from experiments.common.methods import Methods, label
from experiments.common.outcome import Estimate, Outcome, ResultTable
from experiments.common.scan_study import scan_figures
from experiments.common.scans import error_curve
from experiments.common.study import Study
from sirjax.report import Curve, Plot

TITLE = "Fig. 4: cumulative error on scans"


def run(study: Study) -> Outcome:
    methods = Methods(study)
    figures, _, protocol = scan_figures(study, methods)
    errors = {
        name: np.concatenate([[f.plane_rmse for f in found] for found in seeds]) for name, seeds in figures.items()
    }
    limits = np.linspace(0, max(float(values.max()) for values in errors.values()), 200)
    curves = [Curve(label(name), limits, 100 * error_curve(values.tolist(), limits)) for name, values in errors.items()]
    rows = [
        [label(name), *(Estimate(float(np.quantile(values, part)), unit="mm") for part in (0.5, 0.9))]
        for name, values in errors.items()
    ]
    return Outcome(
        protocol=f"{protocol}; {methods.protocol}",
        tables=[ResultTable("Errors that parts of the photos stay below", ["shapes", "half", "nine tenths"], rows)],
        sections=[Plot("Cumulative error", curves, "plane RMSE, mm", "photos below, %", y_range=(0, 100))],
        settings=methods.settings,
    )
