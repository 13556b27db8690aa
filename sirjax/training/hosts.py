"""Several hosts as one run: how they find each other, and what one of them does for all.

Every host runs the same command and the same steps; it reads its own slice of each batch and writes its own share of
each checkpoint. One of them, the first, also writes what a run has only once: settings, metrics, pictures.
"""

import contextlib
import json
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Collection
from pathlib import Path

import jax
from jax.experimental import multihost_utils

from sirjax.files import write_text

AUTO = "auto"
HEARTBEAT_SECONDS = 60  # after which a host that died is missed
HUNG = 75  # exit status, EX_TEMPFAIL of sysexits.h: start the same command again
DIRECTORY = "hosts"  # in the run directory, while a run has several
STARTING, READING, COMPUTING = ORDER = ("starting", "reading its batch", "computing")  # in a step's order

logger = logging.getLogger("sirjax")


def connect(coordinator: str, *, num_hosts: int | None = None, host_index: int | None = None) -> None:
    """Joins the other hosts. Before JAX is used for anything else; afterwards `jax.devices()` are those of all hosts.

    Args:
      coordinator: "HOST:PORT" of the first host, or "auto" where the environment says everything: SLURM, Open MPI,
        Cloud TPU pods and GKE.
      num_hosts: how many processes run this command; not with "auto".
      host_index: of this one, from 0 at the coordinator; not with "auto".

    Raises:
      ValueError: for arguments that do not fit together, or if "auto" finds nothing.
      RuntimeError: if the other hosts do not answer.
    """
    where: dict = {"heartbeat_timeout_seconds": HEARTBEAT_SECONDS}
    if coordinator == AUTO:
        if num_hosts is not None or host_index is not None:
            raise ValueError("--coordinator auto finds the number of hosts and the index itself; leave them out")
    else:
        _require_address(coordinator)
        if num_hosts is None or host_index is None:
            raise ValueError(f"--coordinator {coordinator} needs --num-hosts and --host-index, too")
        if not 0 <= host_index < num_hosts:
            raise ValueError(f"--host-index must be in [0, {num_hosts}), got {host_index}; --num-hosts is {num_hosts}")
        where |= {"coordinator_address": coordinator, "num_processes": num_hosts, "process_id": host_index}
    try:
        jax.distributed.initialize(**where)
    except ValueError as error:
        raise ValueError(
            "--coordinator auto found no SLURM, Open MPI, TPU pod or GKE job here; give --coordinator HOST:PORT "
            "--num-hosts N --host-index I on every host"
        ) from error
    counts = {len(jax.local_devices(index)) for index in range(jax.process_count())}
    if len(counts) > 1:
        raise ValueError(f"every host must have the same number of devices, here they have {sorted(counts)}")


def _require_address(coordinator: str) -> None:
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"--coordinator must be HOST:PORT or auto, got {coordinator!r}")


def is_first() -> bool:
    """Whether this host writes what a run has only once. True where there is one host."""
    return jax.process_index() == 0


def wait_for_all(moment: str) -> None:
    """Returns when every host has come to this `moment`."""
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices(f"sirjax: {moment}")


class StopRequest:
    """SIGTERM as a request to checkpoint and leave, at the same step on all hosts, whichever was told.

    A context manager: where there is one host, the handler before is put back on exit. Where there are several, JAX
    carries the news from host to host, from `connect` on.
    """

    def __init__(self):
        self._requested = False
        self._before = None

    def __enter__(self) -> "StopRequest":
        if jax.process_count() == 1:
            with contextlib.suppress(ValueError):  # signals can only be set in the main thread
                self._before = signal.signal(signal.SIGTERM, self._request)
        return self

    def __exit__(self, *_) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def at(self, step: int) -> bool:
        """Whether to leave after `step`. All hosts must ask at every step."""
        if jax.process_count() > 1:
            return multihost_utils.reached_preemption_sync_point(step)
        return self._requested

    def _request(self, *_) -> None:
        self._requested = True


class HangWatch:
    """Ends this process when the run stands still, and names the host the others wait for.

    Steps are collective: when one host hangs, for a dead disk or a stuck reader, all stand still without an error.
    Every host notes in `hosts/` of the run directory how far it has come; the one that is furthest behind is named.
    A context manager, idle where there is one host.

    Args:
      workdir: the run directory, which all hosts see.
      timeout: seconds without a new step, compilation included; 0: never.
    """

    def __init__(self, workdir: Path, *, timeout: float):
        self._directory = workdir / DIRECTORY
        self._timeout = timeout if jax.process_count() > 1 else 0
        self._place = (0, STARTING)
        self._since = time.monotonic()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="hang watch", daemon=True)

    def __enter__(self) -> "HangWatch":
        if self._timeout:
            self._directory.mkdir(exist_ok=True)
            self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._closed.set()
        if self._timeout:
            self._thread.join()

    def reached(self, step: int, doing: str) -> None:
        """Notes that this host has come to `doing` of `step`."""
        self._place = (step, doing)
        self._since = time.monotonic()

    def _watch(self) -> None:
        own = self._directory / f"{jax.process_index():04}.json"
        while True:
            step, doing = self._place
            write_text(own, json.dumps({"host": socket.gethostname(), "step": step, "doing": doing}) + "\n")
            if self._closed.wait(self._timeout / 8):
                return
            if time.monotonic() - self._since > self._timeout:
                logger.error("%s", self._verdict())
                logging.shutdown()
                os._exit(HUNG)  # the main thread waits in a collective and cannot be interrupted

    def _verdict(self) -> str:
        count = jax.process_count()
        return blame(*read_places(self._directory, count, self._timeout / 2), count, self._timeout)


Place = tuple[int, int, int, str]  # step, index into `ORDER`, host index, host name


def read_places(directory: Path, num_hosts: int, patience: float) -> tuple[list[Place], set[int]]:
    """How far every host has come by its note, and which of them have stopped renewing theirs.

    Args:
      directory: the run's `hosts/`.
      num_hosts: of the run.
      patience: seconds by which a note may be older than the newest one. Times are those of the shared disk.
    """
    places, written = [], {}
    for index in range(num_hosts):
        note = directory / f"{index:04}.json"
        with contextlib.suppress(OSError, ValueError, KeyError):
            seen = json.loads(note.read_text(encoding="utf-8"))
            written[index] = note.stat().st_mtime
            places.append((seen["step"], ORDER.index(seen["doing"]), index, seen["host"]))
    newest = max(written.values(), default=0.0)
    return places, {index for index, time_written in written.items() if time_written < newest - patience}


def blame(places: list[Place], silent: Collection[int], num_hosts: int, timeout: float) -> str:
    """Whom a run that stands still waits for: hosts that give no sign of life, else those furthest behind.

    Args:
      places: of every host that has noted how far it is.
      silent: indices of hosts that no longer renew their note: stopped, frozen, or cut off from the disk.
      num_hosts: of the run.
      timeout: seconds it has stood still.
    """
    remedy = "look at it, then start the same command again on every host"
    waited_for = [place for place in places if place[2] in silent] or places
    furthest_behind = min(place[:2] for place in waited_for)
    step, doing = furthest_behind
    behind = [f"host {place[2]} of {num_hosts} ({place[3]})" for place in waited_for if place[:2] == furthest_behind]
    if len(behind) == len(places):
        return f"no host has come further than step {step}, {ORDER[doing]}, for {timeout:g} s (run.host_timeout)"
    return f"{', '.join(behind)} has not come further than step {step}, {ORDER[doing]}, for {timeout:g} s; {remedy}"
