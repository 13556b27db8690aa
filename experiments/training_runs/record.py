"""What is kept of a training: its history as weights files have it, and its metrics, thinned."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sirjax.training.history import training_history
from sirjax.training.log import METRICS, read_metrics

CURVES = ("landmark_error_px", "pixel", "shape_norm", "softmax", "center", "kl", "teacher")
POINTS = 60  # of a curve


def record(stages: Sequence[Path]) -> list[dict[str, Any]]:
    """Each stage's settings, sets, speed and curves, in order. Of folders nothing is kept.

    Raises:
      FileNotFoundError: if one is no run directory with metrics.
    """
    return [stage(run) for run in stages]


def stage(run: Path) -> dict[str, Any]:
    """One run directory.

    Raises:
      FileNotFoundError: if it has no metrics.
      ValueError: if they are empty.
    """
    if not (run / METRICS).is_file():
        raise FileNotFoundError(f"{run / METRICS} is missing: name the --workdir of a training run")
    rows = read_metrics(run)
    if not rows:
        raise ValueError(f"{run / METRICS} is empty: train for at least run.log_every steps")
    last = training_history(run)[-1]
    batch = last["settings"]["data"]["batch_size"]
    return {**last, "steps": rows[-1]["step"], **speed(rows, batch), "curves": curves(rows)}


def speed(rows: Sequence[dict[str, Any]], batch_size: int) -> dict[str, float]:
    """Median images/s and the hours that all steps took at the speeds noted; compilation and pauses do not count."""
    noted = [row["images_per_second"] for row in rows if row.get("images_per_second")]
    if not noted:
        return {"images_per_second": math.nan, "hours": math.nan}
    usual = float(np.median(noted))
    steps = np.diff([0, *(row["step"] for row in rows)])
    each = np.array([row.get("images_per_second") or usual for row in rows])
    return {"images_per_second": usual, "hours": float(np.sum(steps * batch_size / each) / 3600)}


def curves(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Means over as many rows as leave `POINTS` points of each curve; "step" is the last one of each mean."""
    groups = np.array_split(np.arange(len(rows)), min(POINTS, len(rows)))
    found: dict[str, list[float]] = {"step": [rows[group[-1]]["step"] for group in groups]}
    for name in CURVES:
        if all(name in row for row in rows):
            means = [np.mean([rows[i][name] for i in group]) for group in groups]
            found[name] = [float(f"{mean:.5g}") for mean in means]
    return found
