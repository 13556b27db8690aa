"""A run goes on exactly where it was killed, writes what it promises, and stops with a reason."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jax
import numpy as np
import pytest

from sirjax.training import checkpoint
from sirjax.training.log import TrainingDivergedError
from sirjax.training.loop import make_batches, open_sources, train
from tests.data.test_workers import children, ended
from tests.training.full_disk import full_disk

NEVER = 1e6  # epochs: nothing is drawn, and the step compiles in half the time


def assert_same_state(got, expected):
    jax.tree.map(np.testing.assert_array_equal, jax.device_get(got), jax.device_get(expected))


def test_a_run_writes_settings_metrics_pictures_and_checkpoints(small_config, tmp_path):
    small_config.run.image_every = 3
    state = train(small_config, tmp_path / "run", progress=False)
    run = tmp_path / "run"
    assert int(state.step) == 6
    assert checkpoint.load_config(run)["schedule"]["steps"] == 6
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert {"total", "pixel", "landmark", "softmax", "center", "kl", "shape_norm", "gradient_norm"} <= rows[-1].keys()
    assert rows[-1]["images_per_second"] > 0
    assert sorted(path.name for path in (run / "images").iterdir()) == ["faces_0000003.png", "faces_0000006.png"]
    assert cv2.imread(str(run / "images" / "faces_0000006.png")).std() > 5  # something is drawn
    assert list((run / "tensorboard").iterdir())


def test_going_on_equals_never_having_stopped(small_config, tmp_path):
    small_config.optimizer.schedule = "constant"  # a cosine would depend on the length of the run
    whole = train(small_config, tmp_path / "whole", progress=False)
    small_config.schedule.steps = 3
    train(small_config, tmp_path / "parts", progress=False)
    small_config.schedule.steps = 6
    assert_same_state(train(small_config, tmp_path / "parts", progress=False), whole)


@pytest.mark.slow
def test_a_run_begun_with_sharded_tables_in_parts_goes_on_with_replicated_ones(small_config, tmp_path):
    small_config.optimizer.schedule = "constant"
    small_config.losses.drawn_share = 1.0  # parts draw the first samples of each
    small_config.optimizer.ema_decay = 0.5
    small_config.sir.tables = "replicated"
    whole = train(small_config, tmp_path / "whole", progress=False)
    small_config.sir.tables = "sharded"
    small_config.optimizer.accumulate = 2
    small_config.networks.remat = True
    small_config.schedule.steps = 3
    begun = train(small_config, tmp_path / "parts", progress=False)
    assert begun.centers.ndim == 3
    small_config.sir.tables = "replicated"
    small_config.optimizer.accumulate = 1
    small_config.networks.remat = False
    small_config.schedule.steps = 6
    ended = train(small_config, tmp_path / "parts", progress=False)
    for part in ("centers", "averaged"):
        expected = jax.device_get(getattr(whole, part))
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3 * np.abs(b).max()),
            jax.device_get(getattr(ended, part)),
            expected,
        )


def test_the_first_stage_feeds_the_second(small_config, tmp_path):
    small_config.schedule.pixel_from = NEVER
    small_config.sir.weight = 0.0
    small_config.data.identity = ""
    warm = train(small_config, tmp_path / "warmup", progress=False)
    assert set(warm.params) == {"networks"}
    second = small_config.copy_and_resolve_references()
    second.init_from = str(tmp_path / "warmup")
    second.optimizer.learning_rate = 1e-12  # so that what it starts from is still there after a step
    second.optimizer.warmup_steps = 0
    second.schedule.steps = 1
    started = train(second, tmp_path / "sir", progress=False)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
        jax.device_get(started.params["networks"]),
        jax.device_get(warm.params["networks"]),
    )


def test_sir_without_identities_is_refused(small_config, tmp_path):
    small_config.data.identity = ""
    with pytest.raises(ValueError, match="sir.weight is positive but data.identity names no records"):
        train(small_config, tmp_path / "run", progress=False)


def test_a_run_without_records_is_refused(small_config, tmp_path):
    small_config.data.identity = small_config.data.landmark = ""
    with pytest.raises(ValueError, match="data.landmark and data.identity are both empty"):
        train(small_config, tmp_path / "run", progress=False)


def test_divergence_stops_with_the_batch_saved(small_config, tmp_path):
    small_config.schedule.pixel_from = NEVER
    small_config.optimizer.learning_rate = 1e30
    small_config.optimizer.warmup_steps = 0
    with pytest.raises(TrainingDivergedError, match=r"step \d+: .*its batch is in .*bad_batch_"):
        train(small_config, tmp_path / "run", progress=False)
    assert list((tmp_path / "run").glob("bad_batch_*.npz"))


def test_skipping_has_a_limit(small_config, tmp_path, caplog):
    small_config.schedule.pixel_from = NEVER
    small_config.optimizer.learning_rate = 1e30
    small_config.optimizer.warmup_steps = 0
    small_config.run.non_finite = "skip"
    small_config.run.max_skipped = 1
    with (
        caplog.at_level(logging.WARNING, logger="sirjax"),
        pytest.raises(TrainingDivergedError, match="2 steps were not finite, more than run.max_skipped=1"),
    ):
        train(small_config, tmp_path / "run", progress=False)
    assert "skipped: not finite" in caplog.text


def test_batches_depend_on_the_step_alone(small_config):
    sources = open_sources(small_config.data)
    first = make_batches(small_config, sources, start_step=0)
    later = make_batches(small_config, sources, start_step=2)
    next(first), next(first)
    jax.tree.map(np.testing.assert_array_equal, next(first), next(later))
    first.close(), later.close()


SHARED_MEMORY = Path("/dev/shm")
RUN = """
import sys
from pathlib import Path
from ml_collections import ConfigDict
from sirjax.training.checkpoint import load_config
from sirjax.training.loop import train
if __name__ == "__main__":  # worker processes import the program as well
    train(ConfigDict(load_config(Path(sys.argv[1]))).lock(), Path(sys.argv[2]), progress=False)
"""


@pytest.mark.slow
def test_killed_fifty_times_it_ends_as_if_undisturbed(small_config, tmp_path):
    small_config.optimizer.kind = "adam"
    small_config.optimizer.schedule = "constant"
    small_config.sir.start = "paper"
    small_config.schedule.pixel_from = NEVER
    small_config.schedule.steps = 250
    small_config.run.checkpoint_every = 1
    (tmp_path / "settings").mkdir()
    checkpoint.save_config(tmp_path / "settings", small_config.to_dict())
    environment = os.environ | {
        "XLA_FLAGS": "",  # one device
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def run(folder, kills):
        command = [sys.executable, "-m", "tests.training.lives", tmp_path / "settings", tmp_path / folder, str(kills)]
        root = Path(__file__).parents[2]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, timeout=1800)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout), done.stderr.decode()

    run("whole", 0)
    seen, told = run("disturbed", 50)
    print(seen)
    assert seen["starting"] + seen["saving"] + seen["going on"] == 50
    assert min(seen["starting"], seen["going on"], seen["without list"]) >= 1
    assert seen["saving"] >= 10  # an unfinished checkpoint was left behind
    assert "damaged" not in told
    assert newest_step(tmp_path / "disturbed") == newest_step(tmp_path / "whole") == 250
    got, expected = (read_all(tmp_path / folder) for folder in ("disturbed", "whole"))
    jax.tree.map(np.testing.assert_array_equal, got, expected)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # as in test_saving
def test_a_full_disk_costs_checkpoints_not_the_run(small_config, tmp_path, caplog, monkeypatch):
    small_config.schedule.pixel_from = NEVER
    save = checkpoint.CheckpointStore.save

    def save_on_a_disk_full_at_step_2(store, step, state):
        with full_disk() if step == 2 else contextlib.nullcontext():
            save(store, step, state)
            store.settle()

    monkeypatch.setattr(checkpoint.CheckpointStore, "save", save_on_a_disk_full_at_step_2)
    with caplog.at_level(logging.WARNING, logger="sirjax"):
        state = train(small_config, tmp_path / "run", progress=False)
    assert int(state.step) == 6
    assert [record.getMessage()[:34] for record in caplog.records if record.name == "sirjax"] == [
        "checkpoint of step 2 not written: "
    ]
    assert sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir()) == ["4", "6"]


def newest_step(run) -> int:
    folder = run / "checkpoints"
    return (
        max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) if folder.is_dir() else 0
    )


def read_all(run):
    """Everything in the newest checkpoint: networks, class weights, optimizer, centers, counters."""
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager((run / "checkpoints").absolute()) as manager:
        parts = {name: ocp.args.StandardRestore() for name in ("networks", "training")}
        return dict(manager.restore(manager.latest_step(), args=ocp.args.Composite(**parts)).items())


@pytest.fixture
def run_with_workers(small_config, tmp_path):
    """A run without an end and with two workers, once it has made its first steps; leaves nothing behind."""
    small_config.schedule.steps = 100_000
    small_config.run.checkpoint_every = 4
    small_config.data.workers = 2
    small_config.schedule.pixel_from = NEVER
    (tmp_path / "settings").mkdir()
    checkpoint.save_config(tmp_path / "settings", small_config.to_dict())
    (tmp_path / "trains.py").write_text(RUN)
    before = set(SHARED_MEMORY.iterdir())
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "trains.py"), str(tmp_path / "settings"), str(tmp_path / "run")],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 300
        while newest_step(tmp_path / "run") == 0:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        workers = children(process.pid)
        assert len(workers) == 2
        yield process, workers
        assert ended(workers)
        assert freed(set(SHARED_MEMORY.iterdir()) - before)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def freed(blocks, seconds=30.0):
    """Whether all blocks are gone after a while: other tests have some, too, but only for moments."""
    limit = time.monotonic() + seconds
    while any(block.exists() for block in blocks) and time.monotonic() < limit:
        time.sleep(0.05)
    return not any(block.exists() for block in blocks)


@pytest.mark.slow
def test_sigterm_to_the_whole_group_checkpoints_and_leaves_nothing_behind(run_with_workers, tmp_path):
    process, _ = run_with_workers
    os.killpg(process.pid, signal.SIGTERM)  # as a scheduler does: to all of them
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Traceback" not in errors
    assert "leaked" not in errors  # what Python's resource tracker says when it has to free shared memory
    step = newest_step(tmp_path / "run")
    assert f"stopped at step {step} of 100000" in errors


@pytest.mark.slow
def test_a_killed_worker_ends_the_run_with_its_reason_and_leaves_nothing_behind(run_with_workers, tmp_path):
    process, workers = run_with_workers
    os.kill(workers[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "WorkerDiedError: a worker process ended with exit code -9 before the batch of step" in errors
    assert "most likely for want of memory: lower data.workers or data.batch_size" in errors
    assert newest_step(tmp_path / "run") >= 4
