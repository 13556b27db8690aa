"""Metrics to a JSON-lines file and TensorBoard, pictures to files, and the checks that stop a run going wrong."""

import io
import json
import logging
import math
from pathlib import Path

import cv2
import jax
import numpy as np
from tensorboardX import SummaryWriter

from sirjax.files import write_bytes, write_text
from sirjax.types import Batch

COLLAPSE_FRACTION = 0.3  # of sqrt(S): below it shapes have shrunk toward the mean face

logger = logging.getLogger("sirjax")


class TrainingDivergedError(RuntimeError):
    """A loss or gradient was not finite; the message names step, term and the file with the batch."""


class MetricLog:
    """metrics.jsonl (a row per logged step), tensorboard/ and images/ of one run. A context manager.

    Args:
      workdir: the run directory.
      start_step: rows of later steps, from a run that was killed after its last checkpoint, are dropped.
    """

    def __init__(self, workdir: Path, *, start_step: int = 0):
        self._path = workdir / "metrics.jsonl"
        self._images = workdir / "images"
        self._drop_rows_after(start_step)
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(workdir / "tensorboard"), purge_step=start_step + 1)

    def __enter__(self) -> "MetricLog":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()
        self._board.close()

    def write(self, step: int, metrics: dict[str, float], *, prefix: str = "train") -> None:
        """Appends one row and updates TensorBoard."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        for name, value in metrics.items():
            self._board.add_scalar(f"{prefix}/{name}", value, step)

    def write_image(self, step: int, name: str, image: np.ndarray) -> Path:
        """Saves a picture (u8 [H, W, 3] RGB) as images/<name>_<step>.png and in TensorBoard; returns its path."""
        self._images.mkdir(exist_ok=True)
        path = self._images / f"{name}_{step:07d}.png"
        cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        self._board.add_image(name, image, step, dataformats="HWC")
        return path

    def _drop_rows_after(self, step: int) -> None:
        if not self._path.exists():
            return
        rows = []
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:  # the process was killed while it wrote this line
                continue
            if row["step"] <= step:
                rows.append(line + "\n")
        write_text(self._path, "".join(rows))


def save_batch(workdir: Path, step: int, batch: Batch) -> Path:
    """Keeps a batch for inspection: bad_batch_<step>.npz with the arrays of `Batch`; each of several hosts its part."""
    part = f"_host{jax.process_index()}" if jax.process_count() > 1 else ""
    path = workdir / f"bad_batch_{step:07d}{part}.npz"
    content = io.BytesIO()
    np.savez_compressed(
        content,
        image=np.asarray(batch.image),
        landmarks=np.asarray(batch.landmarks),
        has_landmarks=np.asarray(batch.has_landmarks),
        identity=np.asarray(batch.identity),
    )
    write_bytes(path, content.getvalue())
    return path


def require_finite(metrics: dict[str, float], *, step: int, batch: Batch, workdir: Path) -> None:
    """Stops the run when a metric is not finite.

    Raises:
      TrainingDivergedError: naming the step, the terms and where the batch has been saved.
    """
    bad = [name for name, value in metrics.items() if not math.isfinite(value)]
    if not bad:
        return
    path = save_batch(workdir, step, batch)
    values = ", ".join(f"{name} = {metrics[name]}" for name in bad)
    raise TrainingDivergedError(
        f"step {step}: {values}; the state before this step is kept and its batch is in {path}: look at it, lower "
        "optimizer.learning_rate, or set run.non_finite=skip to leave such steps out"
    )


def warn_of_collapse(shape_norm: float, num_shape: int, step: int) -> bool:
    """Warns when shapes have shrunk to the mean face: faces of the prior have a mean |alpha / sigma| near sqrt(S)."""
    limit = COLLAPSE_FRACTION * math.sqrt(num_shape)
    if shape_norm >= limit:
        return False
    logger.warning(
        "step %d: mean |alpha/sigma| = %.2f is below %.2f (%.1f sqrt(%d)): shapes collapse to the mean face; raise "
        "sir.kl_weight or lower losses.shape_prior",
        step,
        shape_norm,
        limit,
        COLLAPSE_FRACTION,
        num_shape,
    )
    return True
