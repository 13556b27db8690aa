"""Table III: how well do shapes of different methods verify people?

Compared: the mean face for everybody; the warm-up (landmarks and pixels, no identities: how 3DDFA-like regressors are
trained); the second stage without SIR loss (photometric fitting, as MGCNet or D3FR); CosFace with plain and weighted
centers; and, where true shapes are known, the truth with noise of 1 to 4 mm in every photo, which says how accurate
shapes must be for an accuracy. The paper's other methods need weights that are not ours to give.

Read it: accuracy of 10-fold verification, 50 % is chance. A method's row beside the noise rows: a method verifies as
well as true shapes with that much noise, whatever its own error, which contains what is the same in all photos.
"""

from experiments.common import measures
from experiments.common.methods import Methods, label
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, share, verdict
from experiments.common.study import Study

TITLE = "Table III: verification beside other shapes"
NOISES = (1, 2, 3, 4)  # mm


def run(study: Study) -> Outcome:
    methods = Methods(study)
    names = ["mean face", "warm-up", *study.among("none", "sm+c+kl", "sm+wc+kl")]
    if study.has_truth:
        names += [*(f"truth + {noise} mm" for noise in reversed(NOISES)), "truth"]
    rows, correct = [], {}
    for name in names:
        codes = methods.codes(name)
        verified = [measures.verify(codes, task) for task in methods.tasks]
        cosine = measures.verify(codes, methods.tasks[0], "cosine")
        correct[name] = verified[0].correct
        rows.append(
            [
                label(name),
                *(share(v.accuracy) for v in verified),
                share(cosine.accuracy),
                Estimate(verified[0].auc, unit="%", digits=1),
                *([methods.face_error(name)] if study.has_truth else []),
            ]
        )
    columns = ["shapes", *(f"{task.name}, Euclid" for task in methods.tasks), "photos, cosine", "photos, AUC"]
    if study.has_truth:
        columns.append("error of the face")
    claims = []
    for other in ("warm-up", "none"):
        if other in correct and "sm+wc+kl" in correct:
            interval = measures.pair_interval(correct["sm+wc+kl"] - correct[other], methods.tasks[0])
            low, mean, high = (100 * value for value in (interval.low, interval.mean, interval.high))
            claims.append(
                Claim(
                    f"The method verifies better than {label(other)}",
                    verdict(interval),
                    f"{mean:+.1f} [{low:+.1f}, {high:+.1f}] points of accuracy on the same pairs",
                )
            )
    return Outcome(
        protocol=methods.protocol,
        tables=[ResultTable("Verification", columns, rows)],
        claims=claims,
        settings=methods.settings,
    )
