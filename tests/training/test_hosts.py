"""Several processes are one run: the same numbers, one log, a common end, and a name for the one that hangs."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from sirjax.training import hosts
from sirjax.training.checkpoint import load_network_params
from sirjax.training.hosts import COMPUTING, ORDER, READING, HangWatch, StopRequest, blame, connect, read_places
from sirjax.training.loop import train
from tests import compiling

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("node0", {}), "--coordinator must be HOST:PORT or auto, got 'node0'"),
        (("node0:99999", {}), "--coordinator must be HOST:PORT or auto, got 'node0:99999'"),
        (("node0:9876", {"num_hosts": 2}), "--coordinator node0:9876 needs --num-hosts and --host-index, too"),
        (
            ("node0:9876", {"num_hosts": 2, "host_index": 2}),
            r"--host-index must be in \[0, 2\), got 2; --num-hosts is 2",
        ),
        (("auto", {"num_hosts": 2}), "--coordinator auto finds the number of hosts and the index itself"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(arguments, message):
    coordinator, others = arguments
    with pytest.raises(ValueError, match=message):
        connect(coordinator, **others)


def test_auto_without_a_cluster_says_what_to_give(monkeypatch):
    def finds_nothing(**_):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", finds_nothing)
    with pytest.raises(ValueError, match="found no SLURM, Open MPI, TPU pod or GKE job here; give --coordinator HOST"):
        connect("auto")


def test_the_host_furthest_behind_is_named():
    reading, computing = ORDER.index(READING), ORDER.index(COMPUTING)
    behind = [(12, computing, 0, "node-0"), (12, reading, 1, "node-1"), (13, reading, 2, "node-2")]
    assert blame(behind, set(), 3, 900) == (
        "host 1 of 3 (node-1) has not come further than step 12, reading its batch, for 900 s; "
        "look at it, then start the same command again on every host"
    )


def test_hosts_that_stand_together_are_not_blamed():
    places = [(12, ORDER.index(COMPUTING), index, "node") for index in (0, 1)]
    assert (
        blame(places, set(), 2, 900) == "no host has come further than step 12, computing, for 900 s (run.host_timeout)"
    )


def test_a_host_without_a_sign_of_life_is_named_before_all_others(tmp_path):
    now = time.time()
    for index, (step, age) in enumerate(((12, 0), (12, 40), (11, 5))):
        note = tmp_path / f"{index:04}.json"
        note.write_text(json.dumps({"host": f"node-{index}", "step": step, "doing": COMPUTING}))
        os.utime(note, (now - age, now - age))
    places, silent = read_places(tmp_path, 4, patience=10)  # the fourth has not begun
    assert silent == {1}
    assert blame(places, silent, 4, 900).startswith(
        "host 1 of 4 (node-1) has not come further than step 12, computing,"
    )
    assert blame(places, set(), 4, 900).startswith("host 2 of 4 (node-2) has not come further than step 11,")


def test_one_host_watches_nobody(tmp_path):
    with HangWatch(tmp_path, timeout=1e-3) as pace:
        time.sleep(0.05)
        pace.reached(1, READING)
    assert not list(tmp_path.iterdir())


def test_sigterm_is_a_request_while_one_host_trains():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest() as stop:
        assert not stop.at(1)
        signal.raise_signal(signal.SIGTERM)
        assert stop.at(2)
    assert signal.getsignal(signal.SIGTERM) is before


class Run:
    """A run of several processes on this machine, four virtual devices together."""

    def __init__(self, config, workdir: Path, num_hosts: int):
        workdir.parent.mkdir(exist_ok=True)
        self.workdir = workdir
        self._config = workdir.parent / "config.py"
        self._config.write_text(
            "import json\nfrom ml_collections import ConfigDict\n\n\ndef get_config():\n"
            f"    return ConfigDict(json.loads({json.dumps(config.to_dict())!r}))\n"
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            coordinator = f"127.0.0.1:{free.getsockname()[1]}"
        environment = os.environ | {"XLA_FLAGS": compiling.flags(4 // num_hosts)}
        command = [sys.executable, "-m", "sirjax.cli.main", "train", "--config", str(self._config), "--quiet"]
        command += ["--workdir", str(workdir), "--coordinator", coordinator, "--num-hosts", str(num_hosts)]
        self.processes = [
            subprocess.Popen(
                [*command, "--host-index", str(index)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in range(num_hosts)
        ]

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_) -> None:
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.communicate()

    def wait_for_a_step(self, number: int) -> None:
        metrics = self.workdir / "metrics.jsonl"
        while not (metrics.exists() and f'{{"step": {number},' in metrics.read_text()):
            assert all(process.poll() is None for process in self.processes), self.ends()
            time.sleep(0.02)

    def ends(self) -> list[tuple[int, str]]:
        """[(exit status, what it said)] of every host."""
        said = [process.communicate(timeout=300)[1] for process in self.processes]
        return [(process.returncode, text) for process, text in zip(self.processes, said, strict=True)]


@pytest.fixture
def quick_config(small_config):
    """Sharded tables, nothing drawn: programs that compile in seconds."""
    small_config.optimizer.schedule = "constant"
    small_config.schedule.pixel_from = 1e6
    small_config.sir.tables = "sharded"
    small_config.run.log_every = 1
    small_config.run.checkpoint_every = 1_000_000
    small_config.schedule.steps = 1_000_000
    return small_config


@pytest.mark.slow
def test_two_hosts_of_which_one_hangs_and_four_that_go_on_are_one_run(quick_config, tmp_path):
    run = tmp_path / "hosts" / "run"
    quick_config.run.checkpoint_every = 1
    quick_config.run.host_timeout = 25  # more than compiling takes
    with Run(quick_config, run, num_hosts=2) as two:
        two.wait_for_a_step(2)
        two.processes[1].send_signal(signal.SIGSTOP)
        said = two.processes[0].communicate(timeout=300)[1]
        assert two.processes[0].returncode == hosts.HUNG, said
    assert f"host 1 of 2 ({socket.gethostname()}) has not come further than step" in said
    assert "for 25 s; look at it, then start the same command again on every host" in said
    hung_at = max(int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdigit())

    quick_config.run.checkpoint_every = 1_000_000
    quick_config.run.host_timeout = 300
    with Run(quick_config, run, num_hosts=4) as four:
        four.wait_for_a_step(hung_at + 4)  # none of the two logged as many
        four.processes[3].send_signal(signal.SIGTERM)
        ends = four.ends()
    assert [status for status, _ in ends] == [0] * 4, ends
    left_at = max(int(path.name) for path in (run / "checkpoints").iterdir() if path.name.isdigit())
    assert all(f"stopped at step {left_at} of" in said for _, said in ends), ends

    quick_config.schedule.steps = left_at
    alone = train(quick_config, tmp_path / "alone", progress=False)
    rows, rows_alone = (
        [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        for folder in (run, tmp_path / "alone")
    )
    assert [row["step"] for row in rows] == list(range(1, left_at + 1))  # one host logs
    for name in ("total", "softmax", "center", "kl", "landmark"):
        assert [row[name] for row in rows] == pytest.approx([row[name] for row in rows_alone], rel=1e-4)
    networks, step = load_network_params(run)  # saved by processes that are not here
    assert step == left_at
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4 * np.abs(b).max()),
        networks,
        jax.device_get(alone.params["networks"]),
    )
    gone_on = train(quick_config, run, progress=False)  # nothing left to do: the tables, read by one process
    got, expected = np.asarray(gone_on.centers), np.asarray(alone.centers)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
