"""A full disk costs a checkpoint and a warning; only a run that ends without its last checkpoint fails."""

import gc
import logging
import re

import numpy as np
import pytest

from sirjax.training.checkpoint import CheckpointStore
from sirjax.training.intact import SUMS, CheckpointError
from tests.training.full_disk import full_disk
from tests.training.test_checkpoint import assert_equal, state_after

# Of what tensorstore still has to say to an event loop that orbax has closed after the first failure.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def folders(run):
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def test_a_failed_save_is_told_once_and_the_next_one_succeeds(tmp_path, rng, caplog):
    states = {step: state_after(step, rng) for step in (1, 2, 3, 4)}
    with (
        CheckpointStore(tmp_path, fingerprint="abc", keep=2) as store,
        caplog.at_level(logging.WARNING),
    ):
        store.save(1, states[1])
        store.settle()
        with full_disk():
            for step in (2, 3):
                store.save(step, states[step])
                store.settle()
                assert folders(tmp_path) == ["1"]  # no half of it is left, and nothing else was given up for it
        store.save(4, states[4])
    gc.collect()  # asyncio tells of what it finds forgotten
    assert not [record for record in caplog.records if "never retrieved" in record.getMessage()]
    told = [record.getMessage() for record in caplog.records if record.name == "sirjax"]
    assert len(told) == 2
    for step, line in zip((2, 3), told, strict=True):
        assert re.fullmatch(
            rf"checkpoint of step {step} not written: File too large; .*/checkpoints has \d+\.\d MiB free: make room; "
            r"training goes on, and the next checkpoint is tried as usual",
            line,
        )
    assert folders(tmp_path) == ["1", "4"]
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert_equal(store.restore_latest(state_after(0, rng)), states[4])


def test_a_run_whose_last_save_failed_fails(tmp_path, rng):
    with (  # noqa: PT012
        pytest.raises(
            CheckpointError,
            match=r"the last checkpoint, of step 5, was not written: File too large; .*/checkpoints has .* MiB free; "
            r"make room and start the same command again: it goes on from step 4",
        ),
        CheckpointStore(tmp_path, fingerprint="abc") as store,
    ):
        store.save(4, state_after(4, rng))
        store.settle()
        with full_disk():
            store.save(5, state_after(5, rng))
            store.settle()


def test_what_ended_a_run_is_not_hidden_by_a_failed_save(tmp_path, rng):
    with pytest.raises(KeyError, match="the reason"), CheckpointStore(tmp_path, fingerprint="abc") as store:  # noqa: PT012
        with full_disk():
            store.save(5, state_after(5, rng))
            store.settle()
        raise KeyError("the reason")


def test_a_checkpoint_counts_without_its_list(tmp_path, rng, monkeypatch):
    def fails(path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sirjax.training.intact.sign", fails)
    state = state_after(1, rng)
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        store.save(1, state)
    assert not (tmp_path / "checkpoints" / "1" / SUMS).exists()
    with CheckpointStore(tmp_path, fingerprint="abc") as store:
        assert_equal(store.restore_latest(state_after(0, np.random.default_rng(1))), state)
