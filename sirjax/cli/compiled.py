"""Compiled programs are kept from one command to the next, in the user's cache: the second photo starts sooner.

The folder is $XDG_CACHE_HOME/sirjax (~/.cache/sirjax), with one folder for each kind of processor: programs for
another one would not run. SIRJAX_CACHE=off keeps nothing, SIRJAX_CACHE=DIR keeps it there; JAX's own setting,
JAX_COMPILATION_CACHE_DIR, wins. Only for the `sirjax` command: to other programs that import sirjax JAX stays as they
set it up.
"""

import contextlib
import hashlib
import os
import platform
import sys
from pathlib import Path

SWITCH = "SIRJAX_CACHE"
OFF = ("off", "0", "no")
MAX_BYTES = 256 << 20  # the programs used least recently go first
MIN_SECONDS = "0.1"  # of compiling, below which keeping a program gains nothing


def keep_compiled() -> None:
    """Tells JAX, which must not be imported yet, where compiled programs are kept; does nothing where it cannot."""
    switch = os.environ.get(SWITCH, "")
    if switch.lower() in OFF or "jax" in sys.modules or "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return
    root = Path(switch) if switch else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sirjax"
    folder = root / _processor()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        prune(folder, MAX_BYTES)
    except OSError:  # no home, a full or a read-only disk: compiled anew each time
        return
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(folder)
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", MIN_SECONDS)


def prune(folder: Path, max_bytes: int) -> None:
    """Removes the files used least recently until the rest is within `max_bytes`."""
    found = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
    used = sum(status.st_size for status, _ in found)
    for status, path in sorted(found, key=lambda entry: max(entry[0].st_atime, entry[0].st_mtime)):
        if used <= max_bytes:
            return
        with contextlib.suppress(FileNotFoundError):  # another command was faster
            path.unlink()
        used -= status.st_size


def _processor() -> str:
    """A name for this kind of processor, by the instructions it knows where that can be read."""
    facts = [platform.system(), platform.machine()]
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        facts += [next((line for line in lines if line.lower().startswith(("flags", "features"))), "")]
    return f"{platform.machine()}-{hashlib.sha256('|'.join(facts).encode()).hexdigest()[:8]}"
