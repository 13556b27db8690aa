"""Writing checkpoints in the background: one that fails is told at once, and the next one is tried as usual."""

import contextlib
import logging
import shutil
import threading
import time
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from sirjax.training import hosts, intact
from sirjax.training.orbax_log import without_dropped_failures, without_orbax

logger = logging.getLogger("sirjax")


class Saver:
    """Saves into one directory. A full disk costs a checkpoint and a warning, not the run.

    With several processes a failed save ends the run at the next one: they could not agree on what is on disk.

    Args:
      root: the directory of checkpoints; made if it is not there. Unfinished ones in it are removed.
      keep: how many of the newest checkpoints stay.
    """

    def __init__(self, root: Path, *, keep: int):
        self._root = root
        self._keep = keep
        self._writing: threading.Thread | None = None
        self._failure: tuple[int, str] | None = None  # step and reason, if the last save failed
        self.manager = self._open()
        without_dropped_failures()
        self._quiet = contextlib.ExitStack()
        self._quiet.enter_context(without_orbax(logging.ERROR))  # ten tracebacks for each failed save

    def save(self, step: int, args: ocp.args.CheckpointArgs) -> None:
        """Starts writing a checkpoint, once the one before is on disk; returns as soon as the arrays are copied."""
        self.settle()
        try:
            if self._failure is not None:
                self._require_alone()
                self._reopen()
            self._failure = None
            if step in self.manager.all_steps():
                return
            self.manager.save(step, args=args)
        except OSError as error:
            self._failed(step, error)
            return
        self._writing = threading.Thread(target=self._complete, args=(step,), name="checkpoint")
        self._writing.start()

    def settle(self) -> None:
        """Waits until the save under way is on disk, or has failed."""
        if self._writing is not None:
            self._writing.join()
            self._writing = None

    def close(self) -> None:
        """Waits until everything is on disk.

        Raises:
          CheckpointError: if the last save failed.
        """
        self.settle()
        with self._quiet, contextlib.suppress(Exception) if self._failure else contextlib.nullcontext():
            self.manager.close()
        self._require_written()

    def _open(self) -> ocp.CheckpointManager:
        options = ocp.CheckpointManagerOptions(max_to_keep=self._keep, create=True, cleanup_tmp_directories=True)
        return ocp.CheckpointManager(self._root, options=options)

    def _reopen(self) -> None:
        """After a failure orbax's manager counts a checkpoint that is not there, and raises the error once more."""
        with contextlib.suppress(Exception):
            self.manager.close()
        self.manager = self._open()

    def _complete(self, step: int) -> None:
        try:
            self.manager.wait_until_finished()
        except Exception as error:  # OSError from orbax, ValueError from what it writes arrays with
            self._failed(step, error)
            return
        if hosts.is_first():
            with contextlib.suppress(OSError):  # no room: the checkpoint is good without
                intact.sign(self._root / str(step))

    def _failed(self, step: int, error: Exception) -> None:
        self._failure = (step, _reason(error))
        _wait_for_writers()
        for half in self._root.glob(f"{step}.*"):  # what is left of it would keep the disk full
            shutil.rmtree(half, ignore_errors=True)
        logger.warning(
            "checkpoint of step %d not written: %s; %s has %s free: make room; training goes on, and the next "
            "checkpoint is tried as usual",
            *(step, self._failure[1], self._root, _free_space(self._root)),
        )

    def _require_alone(self) -> None:
        if jax.process_count() > 1:
            self._require_written()

    def _require_written(self) -> None:
        if self._failure is None:
            return
        step, reason = self._failure
        last = max((int(path.name) for path in self._root.glob("*") if path.name.isdigit()), default=0)
        raise intact.CheckpointError(
            f"the last checkpoint, of step {step}, was not written: {reason}; {self._root} has "
            f"{_free_space(self._root)} free; make room and start the same command again: it goes on from step {last}"
        )


def _wait_for_writers(seconds: float = 1.0) -> None:
    """orbax reports the first failure while its other threads still write, and would make again what is removed."""
    limit = time.monotonic() + seconds
    for thread in threading.enumerate():
        if type(thread).__module__.startswith("orbax."):
            threading.Thread.join(thread, max(0.0, limit - time.monotonic()))  # its own raises the error again


def _free_space(path: Path) -> str:
    return f"{shutil.disk_usage(path).free / 2**20:.1f} MiB"


def _reason(error: Exception) -> str:
    """The operating system's words: what orbax raises names each of the layers above, too."""
    text = str(error) or type(error).__name__
    known = ("No space left on device", "Read-only file system", "Disk quota exceeded", "File too large")
    return next((words for words in known if words in text), text.splitlines()[0])
