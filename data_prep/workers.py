"""A pool of processes that makes parts and survives what images can do to a process.

Every worker is a fresh (spawned) process with one thread: the bytes must not depend on how many there are. A worker
that dies while it decodes an image takes nothing else with it: every process notes what it reads, so the image is known
and rejected.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from data_prep.part_worker import Settings, make_rows
from data_prep.parts import DIGEST_BYTES, PartsError, Row, storage_advice, write_part
from data_prep.source import Entry, Source

DIED = "the process that read this image died of it: a damaged file, or more memory than there is"
LOST_DISK_ROWS = 16  # a part of at least so many entries, all of them unreadable, is not the images' fault
_KILLED = (
    "a worker process ended, not by an image it was reading: see its message above, if there is one; if memory ran "
    "out, start the same command again with fewer --workers, it goes on where it stopped"
)
_MARK = "tmp-reading-"  # a process notes here, beside the parts, what it is reading
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


def make_parts(source: Source, tasks: Sequence[Task], settings: Settings, workers: int) -> Generator[Made, None, None]:
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
            folder = tasks[0].path.parent
            names = _take_marks(folder)  # what the processes were reading, the dead one and the others
            suspects = [task for task in remaining.values() if names & {entry.name for entry in task.entries}]
            if not suspects:
                raise PartsError(_KILLED) from None
            for task in suspects:
                yield _make_carefully(source, remaining.pop(task.index), settings, names)


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


def _make_carefully(source: Source, task: Task, settings: Settings, suspects: set[str]) -> Made:
    """Makes a part in a process of its own, without the images during which two processes died."""
    deaths = Counter(suspects)
    while True:
        deadly = frozenset(name for name, count in deaths.items() if count > 1)
        try:
            with _pool(source, settings, 1) as pool:
                return pool.submit(_make, task, deadly).result()
        except BrokenProcessPool:
            names = _take_marks(task.path.parent)
            if not names:
                raise PartsError(_KILLED) from None
            deaths.update(names)


def _take_marks(folder: Path) -> set[str]:
    """The names of the images that processes were reading when they ended; forgets them."""
    names = set()
    for mark in folder.glob(f"{_MARK}*"):
        names.add(mark.read_text(encoding="utf-8"))
        mark.unlink()
    return names - {""}


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
    mark = task.path.parent / f"{_MARK}{os.getpid()}"
    try:
        with open(mark, "wb", buffering=0) as file:
            made = iter(make_rows(source, safe, settings, partial(_note, file)))
        mark.unlink()
    except OSError as error:
        raise PartsError(storage_advice(mark.parent, error)) from None
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


def _note(mark: BinaryIO, name: str) -> None:
    mark.seek(0)
    mark.truncate()
    mark.write(name.encode())


def _here() -> tuple[Source, Settings]:
    if _worker is None:
        raise RuntimeError("this runs in worker processes only")
    return _worker
