"""A pool of processes that makes parts and survives what images can do to a process.

Every worker is a fresh (spawned) process with one thread: the bytes must not depend on how many there are. A worker
that dies while it decodes an image takes nothing else with it: the image is found by halving the part and rejected.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from data_prep.part_worker import Settings, make_rows
from data_prep.parts import DIGEST_BYTES, PartsError, Row, write_part
from data_prep.source import Entry, Source

DIED = "the process that read this image died of it: a damaged file, or more memory than there is"
LOST_DISK_ROWS = 16  # a part of at least so many entries, all of them unreadable, is not the images' fault
_IN_FLIGHT = 3  # parts handed out per worker: enough to keep all busy
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NPROC": "1",  # XLA's thread pool
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "JAX_PLATFORMS": "cpu",
}


@dataclass(frozen=True)
class Task:
    """One part to make."""

    index: int
    path: Path
    entries: Sequence[Entry]


@dataclass(frozen=True)
class Made:
    """A part that was written."""

    index: int
    entries: int
    rejected: int


def make_parts(source: Source, tasks: Sequence[Task], settings: Settings, workers: int) -> Iterator[Made]:
    """Makes and writes the parts, in any order; yields what was made.

    Raises:
      PartsError: if a part cannot be written, or if nothing of it can be read any more.
    """
    remaining = {task.index: task for task in tasks}
    while remaining:
        try:
            for made in _run(source, list(remaining.values()), settings, workers):
                del remaining[made.index]
                yield made
        except BrokenProcessPool:
            # The dead process had one of the first unfinished parts: these go one by one, each in its own process.
            for task in list(remaining.values())[: workers * _IN_FLIGHT]:
                yield _make_carefully(source, remaining.pop(task.index), settings)


def _run(source: Source, tasks: Sequence[Task], settings: Settings, workers: int) -> Iterator[Made]:
    queue = iter(tasks)
    with _pool(source, settings, min(workers, len(tasks))) as pool:
        running: set[Future[Made]] = set()
        for task in queue:
            running.add(pool.submit(_make, task))
            if len(running) >= workers * _IN_FLIGHT:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()


def _make_carefully(source: Source, task: Task, settings: Settings) -> Made:
    """Makes a part that may have killed a process: finds the deadly entries first, then does without them."""
    deadly = frozenset(_deadly(source, task.entries, settings))
    with _pool(source, settings, 1) as pool:
        return pool.submit(_make, task, deadly).result()


def _deadly(source: Source, entries: Sequence[Entry], settings: Settings) -> list[str]:
    try:
        with _pool(source, settings, 1) as pool:
            pool.submit(_rehearse, entries).result()
        return []
    except BrokenProcessPool:
        if len(entries) == 1:
            return [entries[0].name]
        middle = len(entries) // 2
        return _deadly(source, entries[:middle], settings) + _deadly(source, entries[middle:], settings)


@contextlib.contextmanager
def _pool(source: Source, settings: Settings, workers: int) -> Iterator[ProcessPoolExecutor]:
    others = set(multiprocessing.active_children())
    with _environment(_ONE_THREAD):
        pool = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(source, settings)
        )
        try:
            yield pool
        except BaseException:
            # Without waiting for parts that will not be used: whoever pressed Ctrl-C wants the prompt back.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        pool.shutdown()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Sets environment variables for processes started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# In the worker processes ---------------------------------------------------------------------------------------------

_worker: tuple[Source, Settings] | None = None


def _start_worker(source: Source, settings: Settings) -> None:
    global _worker
    import cv2

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process
    cv2.setNumThreads(1)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _worker = source, settings


def _die_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(task: Task, deadly: frozenset[str] = frozenset()) -> Made:
    source, settings = _here()
    safe = [entry for entry in task.entries if entry.name not in deadly]
    made = iter(make_rows(source, safe, settings))
    rows = [
        Row(entry.name, bytes(DIGEST_BYTES), reason=DIED) if entry.name in deadly else next(made)
        for entry in task.entries
    ]
    if len(rows) >= LOST_DISK_ROWS and all(row.unreadable for row in rows):
        raise PartsError(
            f"none of {len(rows)} images in a row can be read ({rows[0].name}: {rows[0].reason}): see whether the data "
            "set is still there, then start the same command again, it goes on where it stopped"
        )
    write_part(task.path, rows)
    return Made(task.index, len(rows), sum(row.sample is None for row in rows))


def _rehearse(entries: Sequence[Entry]) -> None:
    make_rows(_here()[0], entries, _here()[1])


def _here() -> tuple[Source, Settings]:
    if _worker is None:
        raise RuntimeError("this runs in worker processes only")
    return _worker
