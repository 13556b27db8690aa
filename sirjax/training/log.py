"""Metrics to a JSON-lines file and TensorBoard, pictures to files, and the checks that stop a run going wrong.

A full disk costs rows and pictures, not the run.
"""

import contextlib
import errno
import io
import json
import logging
import math
import os
import shutil
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import jax
import numpy as np
from tensorboardX import summary
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary
from tensorboardX.record_writer import masked_crc32c

from sirjax.files import write_bytes, write_text
from sirjax.types import Batch

METRICS = "metrics.jsonl"
COLLAPSE_FRACTION = 0.3  # of sqrt(S): below it shapes have shrunk toward the mean face

logger = logging.getLogger("sirjax")


class TrainingDivergedError(RuntimeError):
    """A loss or gradient was not finite; the message names step, term and the file with the batch."""


def read_metrics(workdir: Path) -> list[dict[str, float]]:
    """The rows that a run has logged, oldest first."""
    return [json.loads(line) for line in (workdir / METRICS).read_text(encoding="utf-8").splitlines()]


class MetricLog:
    """metrics.jsonl (a row per logged step), tensorboard/ and images/ of one run. A context manager.

    Args:
      workdir: the run directory.
      start_step: rows of later steps, from a run that was killed after its last checkpoint, are dropped.
    """

    def __init__(self, workdir: Path, *, start_step: int = 0):
        self._workdir = workdir
        self._path = workdir / METRICS
        self._images = workdir / "images"
        self._told: set[str] = set()  # what could not be written; one warning each
        self._drop_rows_after(start_step)
        # Both unbuffered: what fails is not tried again later.
        self._rows = self._path.open("ab", buffering=0)
        board = workdir / "tensorboard"
        board.mkdir(exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}"
        self._events = (board / name).open("ab", buffering=0)
        with self._going_on("tensorboard/"):
            restart = Event(step=start_step + 1, session_log=SessionLog(status=SessionLog.START))
            _append(self._events, _record(Event(file_version="brain.Event:2")) + _record(restart))

    def __enter__(self) -> "MetricLog":
        return self

    def __exit__(self, *_) -> None:
        self._rows.close()
        self._events.close()

    def write(self, step: int, metrics: dict[str, float], *, prefix: str = "train") -> None:
        """Appends one row and updates TensorBoard."""
        with self._going_on(METRICS):
            _append(self._rows, (json.dumps({"step": step, **metrics}) + "\n").encode())
        self._show(step, [summary.scalar(f"{prefix}/{name}", value) for name, value in metrics.items()])

    def write_image(self, step: int, name: str, image: np.ndarray) -> Path:
        """Saves a picture (u8 [H, W, 3] RGB) as images/<name>_<step>.png and in TensorBoard; returns its path."""
        path = self._images / f"{name}_{step:07d}.png"
        with self._going_on("images/"):
            self._images.mkdir(exist_ok=True)
            write_bytes(path, cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes())
        self._show(step, [summary.image(name, image, dataformats="HWC")])
        return path

    def _show(self, step: int, summaries: list[Summary]) -> None:
        with self._going_on("tensorboard/"):
            events = [Event(wall_time=time.time(), step=step, summary=item) for item in summaries]
            _append(self._events, b"".join(map(_record, events)))

    @contextlib.contextmanager
    def _going_on(self, what: str) -> Iterator[None]:
        """Turns a failure to write into a warning, once."""
        try:
            yield
        except OSError as error:
            if what not in self._told:
                self._told.add(what)
                free = shutil.disk_usage(self._workdir).free / 2**20
                logger.warning(
                    "%s cannot be written: %s; %s has %.1f MiB free: make room; training goes on without",
                    *(what, error.strerror or error, self._workdir, free),
                )

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


def _append(file: io.FileIO, data: bytes) -> None:
    """Appends all or nothing: half a row or event would spoil what follows."""
    size = os.fstat(file.fileno()).st_size
    if file.write(data) < len(data):
        file.truncate(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _record(event: Event) -> bytes:
    """An event as TensorBoard reads it, the TFRecord format.

    Not through tensorboardX's writer: its thread ends when the disk is full, and the training loop would wait for it
    forever.
    """
    data = event.SerializeToString()
    length = struct.pack("<Q", len(data))
    return b"".join([length, struct.pack("<I", masked_crc32c(length)), data, struct.pack("<I", masked_crc32c(data))])


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
    try:
        write_bytes(path, content.getvalue())
    except OSError as error:  # why the batch was to be kept matters more than that it could not be
        logger.warning("%s cannot be written: %s", path, error.strerror or error)
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
