"""Real processes: what they do when asked to stop, when they die and when the process that started them does."""

import collections
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sirjax.data import workers
from sirjax.data.augment import Augmentation
from sirjax.data.pipeline import Sources, batches
from tests.data.samples import identity_records, landmark_records

RUN = """
import contextlib, sys
from sirjax.data.pipeline import batches
from sirjax.data.sources import open_sources

def main():
    stream = batches(open_sources(landmark=sys.argv[1]), batch_size=4, seed=0, num_workers=1)
    with contextlib.closing(stream) if sys.argv[2] == "close" else contextlib.nullcontext():
        for step in range(10**9):
            next(stream)
            if step == 3:
                print("running", flush=True)
                if sys.argv[2] == "leave":
                    return

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def sources(tmp_path):
    return Sources(identity=identity_records(tmp_path / "id", 5, 4), landmark=landmark_records(tmp_path / "lm", 15))


def children(parent):
    """Living workers that `parent` started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, owner = stat.read_text().rpartition(")")[2].split()[:2]
            command = (stat.parent / "cmdline").read_bytes()
            if int(owner) == parent and state != "Z" and b"resource_tracker" not in command:
                found.append(int(stat.parent.name))
    return found


def is_alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def ended(pids, seconds=20.0):
    limit = time.monotonic() + seconds
    while any(map(is_alive, pids)) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(map(is_alive, pids))


@pytest.fixture
def start(tmp_path):
    """Starts a program that reads batches, in a group of its own; returns it once its workers deliver."""
    started = []

    def run(mode):
        landmark_records(tmp_path / "set", 6)
        (tmp_path / "reads.py").write_text(RUN)
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        program = subprocess.Popen(
            [sys.executable, str(tmp_path / "reads.py"), str(tmp_path / "set"), mode],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            start_new_session=True,
        )
        started.append(program)
        assert program.stdout.readline() == "running\n", program.stderr.read()
        return program

    yield run
    for program in started:
        # Python's resource tracker is the last of the group: it frees the shared memory of those that were killed.
        with contextlib.suppress(ProcessLookupError):
            for _ in range(200):
                os.killpg(program.pid, 0)
                program.poll()
                time.sleep(0.05)
            os.killpg(program.pid, signal.SIGKILL)
        program.communicate()


def test_processes_give_the_batches_that_threads_give_and_end_with_the_stream(sources):
    settings = {"batch_size": 8, "seed": 0, "start_step": 5, "augmentation": Augmentation(mirror=0.5, occlusion=0.5)}
    with (
        contextlib.closing(batches(sources, **settings, threads=1)) as plain,
        contextlib.closing(batches(sources, **settings, num_workers=2)) as parallel,
    ):
        for _ in range(5):
            left, right = next(plain), next(parallel)
            for field in ("image", "landmarks", "has_landmarks", "identity"):
                np.testing.assert_array_equal(getattr(left, field), getattr(right, field))
        processes = children(os.getpid())
        assert len(processes) == 2
    assert ended(processes)


def test_ctrl_c_ends_the_program_and_its_workers_without_their_noise(start):
    program = start("close")
    processes = children(program.pid)
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, errors = program.communicate(timeout=30)
    assert program.returncode != 0
    assert errors.count("Traceback") == 1  # the program's own KeyboardInterrupt
    assert ended(processes)


@pytest.mark.slow
def test_a_stream_left_open_does_not_keep_the_program(start):
    program = start("leave")
    processes = children(program.pid)
    _, errors = program.communicate(timeout=30)
    assert (program.returncode, errors) == (0, "")
    assert ended(processes)


def test_workers_do_not_outlive_a_killed_program(start):
    program = start("close")
    processes = children(program.pid)
    assert len(processes) == 1
    program.kill()
    program.wait()
    assert ended(processes)


def test_sigterm_is_left_to_the_program_and_a_killed_worker_is_explained(sources):
    with contextlib.closing(batches(sources, batch_size=8, seed=0, start_step=7, num_workers=1)) as stream:
        next(stream)
        (worker,) = children(os.getpid())
        os.kill(worker, signal.SIGTERM)
        os.kill(worker, signal.SIGINT)
        for _ in range(10):
            next(stream)
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(workers.WorkerDiedError, match=r"exit code -9 before the batch of step \d+ .*memory"):
            collections.deque(stream, maxlen=0)


def test_full_shared_memory_has_its_own_hint():
    died = RuntimeError("Worker process was terminated unexpectedly with exit code -7. Search the logs above")
    assert "enlarge /dev/shm" in str(workers.explained(died, 3))
    assert "before the batch of step 3 was ready" in str(workers.explained(died, 3))


def test_other_errors_stay_as_they_are():
    other = RuntimeError("something else")
    assert workers.explained(other, 3) is other
