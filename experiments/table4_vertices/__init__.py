"""Table IV: do parameters and vertices verify alike, and what if the basis is not orthonormal?

Compared: Euclidean distance of shape codes against that of the neutral faces' vertices, with the orthonormal basis;
with vertices of the face alone (the basis, cut to a part of the mesh, is no longer orthonormal there: what the paper
explains its own small gap with); and with a basis of the same faces that is deliberately not orthonormal: each mode
is shifted by a random part of the others, which leaves every face as it is and changes its parameters.

Read it: with an orthonormal basis both columns must be equal and the correlation 1. The skewed basis shows what
condition 3 of Table I is for: same faces, other parameters, other accuracy.
"""

import numpy as np

from experiments.common import measures
from experiments.common.methods import Methods, label
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share
from experiments.common.study import Study
from sirjax.evaluation import shape_error, verification
from sirjax.evaluation.codes import vertex_descriptors
from sirjax.evaluation.conditions import basis_condition

TITLE = "Table IV: parameters against vertices"
SKEW = 0.06  # size of the random parts of other modes
AGREE = 1e-4  # relative difference of distances that rounding explains


def run(study: Study) -> Outcome:
    methods = Methods(study)
    name = (["warm-up", *study.among("none", "sm+wc+kl")])[-1]
    basis = np.asarray(methods.model.shape_basis, np.float64)
    face = np.repeat(shape_error.face_region(np.asarray(methods.model.mean, np.float64)), 3)
    mixing = np.eye(len(basis)) + SKEW * np.random.default_rng(0).normal(size=(len(basis), len(basis)))
    shapes = methods.codes(name)
    # The same faces: (shape M^-1) (M B) = shape B.
    skewed = [shape @ np.linalg.inv(mixing) for shape in shapes]
    cases = [
        ("orthonormal basis, whole mesh", shapes, basis),
        ("the same, vertices of the face alone", shapes, basis[:, face]),
        ("skewed basis, whole mesh", skewed, mixing @ basis),
    ]
    rows, off = [], {}
    for case, codes, used in cases:
        vertices = [vertex_descriptors(shape, used) for shape in codes]
        by_code, by_vertex = (
            [
                verification.pair_distances(d[methods.tasks[0].pairs.first], d[methods.tasks[0].pairs.second])
                for d in all_
            ]
            for all_ in (codes, vertices)
        )
        off[case] = max(float(np.max(np.abs(a - b) / b)) for a, b in zip(by_code, by_vertex, strict=True))
        correlation = float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(by_code, by_vertex, strict=True)]))
        ratios = [b / a for a, b in zip(by_code, by_vertex, strict=True)]
        uneven = float(np.mean([ratio.std() / ratio.mean() for ratio in ratios]))
        accuracy = [[measures.verify(d, task).accuracy for task in methods.tasks[:2]] for d in (codes, vertices)]
        rows.append(
            [
                case,
                f"{basis_condition(used).error:.1e}",
                *(share(interval) for pair in zip(*accuracy, strict=True) for interval in pair),
                Estimate(correlation, digits=4),
                Estimate(uneven, unit="%", digits=1),
            ]
        )
    kinds = [f"{task.name}, {what}" for task in methods.tasks[:2] for what in ("parameters", "vertices")]
    columns = ["faces", "|B B^T - I|", *kinds, "correlation of distances", "ratio of distances varies by"]
    equal = off[cases[0][0]] < AGREE
    return Outcome(
        protocol=f"{methods.protocol}; shapes of {label(name)}",
        tables=[ResultTable("Verification by Euclidean distance", columns, rows)],
        claims=[
            Claim(
                "With an orthonormal basis, distance of parameters is distance of faces (Eq. 6)",
                "supported" if equal else "contradicted",
                f"distances of {len(methods.tasks[0].pairs.same)} pairs differ by {off[cases[0][0]]:.1e} at most",
            )
        ],
        settings={**methods.settings, "skew": SKEW},
    )
