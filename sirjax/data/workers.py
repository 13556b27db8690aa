"""Worker processes that neither outlive the training process nor end before it.

Ctrl-C and SIGTERM reach a whole group of processes; only the training process may answer them: it still writes a
checkpoint. Workers never see these signals and end when it closes the stream, or, if it was killed, by themselves.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from multiprocessing import resource_tracker

import cv2
from absl import flags

_FOR_THE_PARENT = (signal.SIGINT, signal.SIGTERM)
_DIED = "terminated unexpectedly"  # grain's words
_HINTS = {
    "-9": "the system killed it, most likely for want of memory: lower data.workers or data.batch_size",
    "-7": "shared memory is full: enlarge /dev/shm (docker run --shm-size=1g), or lower data.workers",
    "1": "a script that trains with data.workers > 0 must do so below `if __name__ == '__main__':`; or see above",
}


class WorkerDiedError(RuntimeError):
    """A worker process ended by itself; the message says how, and what helps."""


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """Processes started inside, also by threads started inside, never see Ctrl-C and SIGTERM."""
    if not flags.FLAGS.is_parsed():  # grain asks for its flags, which only programs started by absl have parsed
        flags.FLAGS.mark_as_parsed()
    resource_tracker.ensure_running()  # starting it later would unblock the signals again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_PARENT)  # inherited by threads and processes
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def prepare_worker(index: int, count: int) -> None:
    """What each of `count` worker processes does first."""
    del index, count
    cv2.setNumThreads(1)  # the other workers have the other cores
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent) -> None:
    parent.join()
    os._exit(1)


def explained(error: RuntimeError, step: int) -> RuntimeError:
    """The error that tells a user what to do about a worker that died; other errors as they are."""
    text = str(error)
    if _DIED not in text:
        return error
    code = text.partition("exit code ")[2].partition(".")[0].strip()
    hint = _HINTS.get(code, "its last words are above, if it had any")
    return WorkerDiedError(
        f"a worker process ended with exit code {code} before the batch of step {step} was ready: {hint}. "
        "The run can be started again and goes on; data.workers=0 decodes in threads instead"
    )
