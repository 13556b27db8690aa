"""Which checkpoints of a run are still what was written: SHA-256 of every file, checked before one is read.

orbax notices most damage by itself, as one error or another, but not all: a flipped bit in a shape reads as other
settings, a missing list of arrays as none. Each checkpoint has a list of its files beside them, which
`sha256sum --check SHA256SUMS` reads, too. One without, from a run killed at that very moment, is read through instead.
"""

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts
from etils import epath

from sirjax.files import write_bytes

SUMS = "SHA256SUMS"
NETWORKS, TRAINING, METADATA = PARTS = ("networks", "training", "metadata")

logger = logging.getLogger("sirjax")


class CheckpointError(RuntimeError):
    """A checkpoint could not be written, or is not what was written; the message names it and says what helps."""


def sign(checkpoint: Path) -> None:
    """Writes the list of a complete checkpoint's files into it.

    Raises:
      OSError: if that cannot be written; the checkpoint is good without.
    """
    names = sorted(path.relative_to(checkpoint).as_posix() for path in checkpoint.rglob("*") if path.is_file())
    lines = [f"{_digest(checkpoint / name)}  {name}\n" for name in names if name != SUMS]
    write_bytes(checkpoint / SUMS, "".join(lines).encode(), durable=True)


def damage(checkpoint: Path, parts: Sequence[str] = PARTS) -> str | None:
    """What is wrong with a checkpoint, in a few words; None if its `parts` are as they were written."""
    sums = checkpoint / SUMS
    try:
        lines = sums.read_text(encoding="ascii").splitlines() if sums.exists() else []
        if not lines:
            return _unreadable(checkpoint, parts)
        for line in lines:
            digest, name = line.split("  ", 1)
            if name.split("/")[0] not in parts:
                continue
            if not (checkpoint / name).is_file():
                return f"{name} is missing"
            if _digest(checkpoint / name) != digest:
                return f"{name} is not what was written"
    except (OSError, ValueError) as error:
        return f"{SUMS} cannot be used ({_first_line(error)})" if isinstance(error, ValueError) else _first_line(error)
    return None


def require_intact(checkpoint: Path, parts: Sequence[str] = PARTS) -> None:
    """Refuses a damaged checkpoint.

    Raises:
      CheckpointError: naming the damage and what helps.
    """
    reason = damage(checkpoint, parts)
    if reason is not None:
        raise CheckpointError(
            f"{checkpoint} is damaged: {reason}; move it out of {checkpoint.parent.name}/ to use the one before, or "
            "put a copy in its place"
        )


def set_damaged_aside(root: Path) -> None:
    """Makes the newest usable checkpoint the newest one: damaged ones move to `<root>-damaged/`, with a warning each.

    One process does this for all that read `root`; nothing is moved if none is usable.

    Raises:
      CheckpointError: if there are checkpoints, and all are damaged.
    """
    damaged = {}
    for step in _steps(root):
        reason = damage(root / str(step))
        if reason is None:
            break
        damaged[step] = reason
    else:
        if damaged:
            raise CheckpointError(
                f"every checkpoint in {root} is damaged: "
                + "; ".join(f"step {step}: {reason}" for step, reason in damaged.items())
                + f"; put a copy of one in its place, or delete {root.name}/ to train from the start"
            )
        return
    for bad, reason in damaged.items():
        aside = _free_path(root.with_name(f"{root.name}-damaged") / str(bad))
        aside.parent.mkdir(exist_ok=True)
        os.rename(root / str(bad), aside)
        logger.warning(
            "checkpoint of step %d is damaged: %s; moved to %s, going on from step %d", bad, reason, aside, step
        )


def _unreadable(checkpoint: Path, parts: Sequence[str]) -> str | None:
    """Reads everything, without a device; what goes wrong, or None."""
    checkpoint = checkpoint.resolve()  # orbax refuses relative paths, tensorstore those with ".."
    for part in parts:
        try:
            if part == METADATA:
                json.loads((checkpoint / METADATA / "metadata").read_text(encoding="utf-8"))
                continue
            _read_arrays(checkpoint / part)
            handler = ocp.PyTreeCheckpointHandler()
            tree = handler.metadata(epath.Path(checkpoint / part)).tree
            as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
            handler.restore(epath.Path(checkpoint / part), args=ocp.args.PyTreeRestore(restore_args=as_numpy))
        except MemoryError:
            raise
        except Exception as error:  # orbax has no error of its own: damage comes as any of a dozen
            return f"{part} cannot be read ({_first_line(error)})"
    return None


def _read_arrays(part: Path) -> None:
    """Reads one array after the other: orbax reads all at once, and leaves the rest behind when one fails."""
    store = {"driver": "ocdbt", "base": {"driver": "file", "path": f"{part}/"}}
    for key in ts.KvStore.open(store).result().list().result():
        name, _, kind = key.decode().rpartition("/")
        if kind == ".zarray":
            ts.open({"driver": "zarr", "kvstore": {**store, "path": f"{name}/"}}).result().read().result()


def _steps(root: Path) -> list[int]:
    """Newest first. Unfinished ones have other names."""
    return sorted((int(path.name) for path in root.iterdir() if path.name.isdigit() and path.is_dir()), reverse=True)


def _free_path(path: Path) -> Path:
    taken = [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000))]
    return next(candidate for candidate in taken if not candidate.exists())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0]
    return line if len(line) <= 100 else f"{line[:97]}..."
