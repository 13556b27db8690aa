"""The demo's closing table: what was measured on people never trained on, beside the baselines."""

from experiments.common.outcome import Estimate, ResultTable, share
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.shape_error import FACE_RADIUS
from sirjax.evaluation.summary import EvaluationResult


def closing_table(warmup: EvaluationResult, trained: EvaluationResult, *, sir: bool) -> ResultTable:
    """The figures of both stages.

    Args:
      warmup: of the first stage.
      trained: of the second one.
      sir: whether that had the SIR loss.
    """
    both = (trained, warmup)
    spread = trained.distinctiveness
    rows = [
        [
            "verification accuracy, Euclidean distance of shape codes",
            *(share(result.euclidean_interval, result.euclidean.accuracy) for result in both),
            "50.0 % (chance)",
        ],
        [
            "the same, cosine",
            *(share(result.cosine_interval, result.cosine.accuracy) for result in both),
            "50.0 % (chance)",
        ],
        [
            f"neutral shape RMSE, face ({FACE_RADIUS:.0f} mm around the nose tip)",
            *(_shape_error(result.face_rmse, result.mean_face_face_rmse) for result in both),
            _baseline(trained.mean_face_face_rmse, "mm", "mean face"),
        ],
        [
            "neutral shape RMSE, with ears, neck and sides of the head",
            *(_shape_error(result.shape_rmse, result.mean_face_rmse) for result in both),
            _baseline(trained.mean_face_rmse, "mm", "mean face"),
        ],
        [
            "landmark error (NME)",
            *(None if result.nme is None else Estimate.of(result.nme, "%", 2) for result in both),
            _baseline(trained.baseline_nme, "%", "mean face in place"),
        ],
        [
            "mean length of whitened shape codes",
            *(f"{result.distinctiveness.mean_length:.1f}" for result in both),
            f"{spread.ideal_length:.1f} (prior)",
        ],
    ]
    return ResultTable(
        f"On {trained.num_samples} rendered photos of {trained.num_identities} people never trained on",
        ["", "after SIR" if sir else "after as many steps without SIR", "after the warm-up", "baseline"],
        rows,
    )


def as_text(table: ResultTable) -> str:
    """For a terminal."""
    lines = table.lines()
    return "\n".join([f"{table.title}:", lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _shape_error(error: Interval | None, baseline: float | None) -> str | None:
    """With the difference to the mean face's."""
    if error is None or baseline is None:
        return None
    return f"{Estimate.of(error, 'mm').text()}, {100 * (error.mean / baseline - 1):+.0f} %"


def _baseline(error: float | None, unit: str, name: str) -> str | None:
    return None if error is None else f"{Estimate(error, unit=unit).text()} ({name})"
