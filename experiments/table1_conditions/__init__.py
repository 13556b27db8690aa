"""Table I: do shape codes meet the four conditions for shapes that tell people apart?

Compared, as numbers instead of the paper's ticks: (1) codes separate people by Euclidean distance; (2) a person's
center is the code of their neutral frontal face; (3) the shape basis is orthonormal; (4) codes follow the model's
Gaussian. Methods: the warm-up, no SIR loss, each kind of centers with and without KL; and the true shapes, where they
are known.

Read it: 1: accuracy well above 50 %, and as good as by cosine. 2: distance of a trained person's center from the code
of their most neutral frontal photo, as a share of the distance between two people; 0 is perfect. 3: largest entry of
|B B^T - I|, and by how much distances of codes may be off as distances of faces. 4: mean |alpha / sigma| against
sqrt(m), and KL divergence per mode from N(0, 1), which is 0 for the prior.
"""

import numpy as np

from experiments.common import measures
from experiments.common.centers import center_distances
from experiments.common.methods import Methods, label
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share, verdict
from experiments.common.study import Study
from sirjax.evaluation.conditions import basis_condition

TITLE = "Table I: the four conditions as numbers"


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["warm-up", *study.among("none", "sm", "sm+c", "sm+wc", "sm+c+kl", "sm+wc+kl")]
    task, std = methods.tasks[0], methods.std
    ideal = float(np.sqrt(std.size))
    rows, relative = [], {}
    for name in [*names, *(["truth"] if study.has_truth else [])]:
        codes = methods.codes(name)
        euclid, cosine = (measures.verify(codes, task, distance).accuracy for distance in ("euclidean", "cosine"))
        center = None
        if name != "truth":
            found = [center_distances(r, study.identity, methods.model.num_vertices) for r in methods.runs(name)]
            relative[name] = np.mean([distances.center / distances.spread for distances in found], axis=0)
            center = Estimate.of(measures.photo_interval(relative[name], np.arange(len(relative[name]))))
        length = measures.photo_interval(measures.lengths(codes, std), methods.identity)
        divergence = float(np.mean([measures.kl_to_prior(shape / std) for shape in codes]))
        rows.append(
            [label(name), share(euclid), share(cosine), center, Estimate.of(length), Estimate(divergence, digits=3)]
        )
    people = len(np.unique(methods.identity))
    basis = basis_condition(np.asarray(methods.model.shape_basis))
    columns = ["codes", "1: Euclid", "1: cosine", "2: center to neutral frontal", "4: |alpha/sigma|", "4: KL per mode"]
    return Outcome(
        protocol=methods.protocol,
        tables=[
            ResultTable(
                "Conditions 1, 2 and 4",
                columns,
                rows,
                f"Condition 2: {len(relative['warm-up'])} people of the training set who have a neutral frontal photo; "
                "without center loss, the center is the mean code of the person's photos. "
                f"The prior has |alpha/sigma| {ideal:.1f}; as many people drawn from it, KL {1 / people:.3f}.",
            ),
            ResultTable(
                "Condition 3",
                ["face model", "largest entry of |B B^T - I|", "distances off by at most"],
                [[methods.model.name, f"{basis.error:.1e}", Estimate(basis.distortion, unit="%", digits=4)]],
            ),
        ],
        claims=_claims(relative),
        settings=methods.settings,
    )


def _claims(relative: dict[str, np.ndarray]) -> list[Claim]:
    claims = []
    for plain, weighted in (("sm+c", "sm+wc"), ("sm+c+kl", "sm+wc+kl")):
        if plain in relative and weighted in relative:
            gain = relative[plain] - relative[weighted]
            interval = measures.photo_interval(gain, np.arange(len(gain)))
            claims.append(
                Claim(
                    f"Weighted centers lie nearer the neutral frontal code than plain ones ({plain} to {weighted})",
                    verdict(interval),
                    f"{relative[plain].mean():.3f} plain, {relative[weighted].mean():.3f} weighted (shares of the "
                    f"distance between people); nearer by {interval.mean:.3f} [{interval.low:.3f}, "
                    f"{interval.high:.3f}]",
                )
            )
    return claims
