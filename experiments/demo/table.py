"""The demo's closing table: what was measured on people never trained on, beside the baselines."""

from collections.abc import Sequence

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
    baseline_nme = "" if trained.baseline_nme is None else f"{trained.baseline_nme:.2%} (mean face in place)"
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
            _mean_face(trained.mean_face_face_rmse),
        ],
        [
            "neutral shape RMSE, with ears, neck and sides of the head",
            *(_shape_error(result.shape_rmse, result.mean_face_rmse) for result in both),
            _mean_face(trained.mean_face_rmse),
        ],
        [
            "landmark error (NME)",
            *(None if result.nme is None else Estimate.of(result.nme, "%", 2) for result in both),
            baseline_nme.replace("%", " %"),
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
    cells = [list(table.columns), *table.texts()]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.columns))]
    lines = [_line(row, widths) for row in cells]
    return "\n".join([f"{table.title}:", lines[0], "-" * max(map(len, lines)), *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _shape_error(error: Interval | None, baseline: float | None) -> str | None:
    """With the difference to the mean face's."""
    if error is None or baseline is None:
        return None
    return f"{Estimate.of(error, 'mm').text()}, {100 * (error.mean / baseline - 1):+.0f} %"


def _mean_face(error: float | None) -> str:
    return "" if error is None else f"{error:.2f} mm (mean face)"
