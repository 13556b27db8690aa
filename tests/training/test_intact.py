"""Damage of any kind to any file is seen; the run goes on from the newest checkpoint without any, and says so."""

import hashlib
import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from sirjax.training import checkpoint, intact
from sirjax.training.checkpoint import CheckpointStore
from tests.training.test_checkpoint import assert_equal, state_after

HARMS = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "flipped bit": lambda path: path.write_bytes(flipped(path.read_bytes())),
}


def flipped(data):
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run with checkpoints of steps 1, 2 and 3, and their states."""
    run, rng = tmp_path_factory.mktemp("saved"), np.random.default_rng(0)
    states = {step: state_after(step, rng) for step in (1, 2, 3)}
    with CheckpointStore(run, fingerprint="abc") as store:
        for step, state in states.items():
            store.save(step, state)
    return run, states


@pytest.fixture
def run(saved, tmp_path):
    shutil.copytree(saved[0], tmp_path / "run")
    return tmp_path / "run"


def data_files(part):
    return sorted((part / "d").iterdir())


def restored(run):
    with CheckpointStore(run, fingerprint="abc") as store:
        return store.restore_latest(state_after(0, np.random.default_rng(1)))


def test_what_was_written_is_intact(run):
    folder = run / "checkpoints" / "3"
    lines = (folder / intact.SUMS).read_text().splitlines()
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {intact.SUMS}
    assert {line[66:] for line in lines} == names
    assert all(hashlib.sha256((folder / line[66:]).read_bytes()).hexdigest() == line[:64] for line in lines)
    assert intact.damage(folder) is None


@pytest.mark.parametrize("harm", HARMS)
def test_harm_to_any_file_is_seen(run, tmp_path, harm):
    folder = run / "checkpoints" / "3"
    whole = shutil.copytree(folder, tmp_path / "whole")
    harmed = 0
    for path in sorted(path for part in intact.PARTS for path in (folder / part).rglob("*") if path.is_file()):
        if not path.stat().st_size:
            continue
        HARMS[harm](path)
        name = path.relative_to(folder).as_posix()
        assert intact.damage(folder) == f"{name} is {'missing' if harm == 'missing' else 'not what was written'}"
        shutil.copy(whole / name, path)
        harmed += 1
    assert harmed > 15
    assert intact.damage(folder) is None


@pytest.mark.parametrize("harm", HARMS)
def test_without_a_list_everything_is_read(run, harm):
    folder = run / "checkpoints" / "3"
    (folder / intact.SUMS).unlink()
    assert intact.damage(folder) is None
    HARMS[harm](data_files(folder / "training")[0])
    assert re.match(r"training cannot be read \(.+\)", intact.damage(folder))


def test_everything_is_read_by_any_path(run, monkeypatch):
    (run / "checkpoints" / "3" / intact.SUMS).unlink()
    (run / "link").symlink_to(run / "checkpoints" / "3")
    monkeypatch.chdir(run)
    for path in (run / ".." / "run" / "checkpoints" / "3", run / "link", Path("checkpoints/3")):
        assert intact.damage(path) is None


def test_a_missing_part_is_seen_without_a_list(run):
    for part in intact.PARTS:
        folder = shutil.copytree(run / "checkpoints" / "3", run / part)
        (folder / intact.SUMS).unlink()
        shutil.rmtree(folder / part)
        assert intact.damage(folder).startswith(f"{part} cannot be read")


def test_a_run_goes_on_from_the_newest_one_without_damage(run, saved, caplog):
    for step in (2, 3):
        HARMS["flipped bit"](data_files(run / "checkpoints" / str(step) / "training")[0])
    with caplog.at_level(logging.WARNING, logger="sirjax"):
        assert_equal(restored(run), saved[1][1])
    told = [record.getMessage() for record in caplog.records if record.name == "sirjax"]
    assert len(told) == 2
    assert re.fullmatch(
        r"checkpoint of step 3 is damaged: training/d/\w+ is not what was written; "
        r"moved to .*/run/checkpoints-damaged/3, going on from step 1",
        told[0],
    )
    assert sorted(path.name for path in (run / "checkpoints-damaged").iterdir()) == ["2", "3"]


def test_steps_with_a_damaged_checkpoint_are_saved_again(run, saved):
    _, states = saved
    for _ in range(2):
        HARMS["missing"](data_files(run / "checkpoints" / "3" / "networks")[0])
        with CheckpointStore(run, fingerprint="abc") as store:
            assert int(store.restore_latest(state_after(0, np.random.default_rng(1))).step) == 2
            store.save(3, states[3])
    assert_equal(restored(run), states[3])
    assert sorted(path.name for path in (run / "checkpoints-damaged").iterdir()) == ["3", "3-2"]


def test_a_run_with_damaged_checkpoints_alone_does_not_start_anew(run):
    for step in (1, 2, 3):
        HARMS["missing"](run / "checkpoints" / str(step) / "metadata" / "metadata")
    for _ in range(2):  # and says so again
        with pytest.raises(
            intact.CheckpointError,
            match=r"every checkpoint in .*/checkpoints is damaged: step 3: metadata/metadata is missing; step 2: .*; "
            r"step 1: .*; put a copy of one in its place, or delete checkpoints/ to train from the start",
        ):
            restored(run)
    assert not (run / "checkpoints-damaged").exists()


def test_settings_that_do_not_fit_are_no_damage(run):
    with (
        CheckpointStore(run, fingerprint="another") as store,
        pytest.raises(ValueError, match="was trained with face model abc, this one is another"),
    ):
        store.restore_latest(state_after(0, np.random.default_rng(1)))
    assert not (run / "checkpoints-damaged").exists()


def test_prediction_refuses_a_damaged_checkpoint_and_says_how_to_use_the_one_before(run, saved):
    HARMS["flipped bit"](data_files(run / "checkpoints" / "3" / "training")[0])
    assert checkpoint.load_network_params(run)[1] == 3  # the networks are as they were
    HARMS["flipped bit"](data_files(run / "checkpoints" / "3" / "networks")[0])
    with pytest.raises(
        intact.CheckpointError,
        match=r"checkpoints/3 is damaged: networks/d/\w+ is not what was written; move it out of checkpoints/ to use "
        "the one before, or put a copy in its place",
    ):
        checkpoint.load_network_params(run)
    shutil.move(run / "checkpoints" / "3", run / "aside")
    params, step = checkpoint.load_network_params(run)
    assert step == 2
    assert_equal(params, saved[1][2].params["networks"])
