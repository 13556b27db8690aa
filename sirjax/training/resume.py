"""Where a run starts: fresh, from another run's networks, or where it was killed."""

import logging
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from sirjax.training import checkpoint, hosts, weights
from sirjax.training.state import TrainState

# Settings that may change between a run and its continuation: they do not alter what a step computes.
FREE = (
    "run.",
    "sir.tables",
    "networks.remat",
    "optimizer.accumulate",
    "schedule.epochs",
    "schedule.steps",
    "data.cache_megabytes",
    "data.workers",
    "render.backend",
    "init_from",
)

logger = logging.getLogger("sirjax")


def claim(workdir: Path, config: ConfigDict) -> None:
    """Writes the settings into a new run directory, or checks them against the run already there.

    Of several hosts the first writes, and the others check their settings against it.

    Raises:
      ValueError: if a setting that changes the result differs from the run in `workdir`.
    """
    _require_same(workdir, config)
    hosts.wait_for_all("settings checked")
    if hosts.is_first():
        workdir.mkdir(parents=True, exist_ok=True)
        checkpoint.save_config(workdir, config.to_dict())
    hosts.wait_for_all("settings written")
    if hosts.is_first():
        return
    if not (workdir / checkpoint.CONFIG).exists():
        raise ValueError(f"{workdir} is another directory on the first host; --workdir must be one that all hosts see")
    _require_same(workdir, config)


def _require_same(workdir: Path, config: ConfigDict) -> None:
    if not (workdir / checkpoint.CONFIG).exists():
        return
    now, before = flatten(config.to_dict()), flatten(checkpoint.load_config(workdir))
    for name in sorted(now.keys() | before.keys()):
        if not name.startswith(FREE) and now.get(name) != before.get(name):
            raise ValueError(
                f"{workdir} holds a run with {name} = {before.get(name)!r}, this one has {now.get(name)!r}; "
                "give the same settings to go on, or name another --workdir"
            )


def starting_state(
    store: checkpoint.CheckpointStore, fresh: TrainState, *, init_from: str, fingerprint: str
) -> TrainState:
    """The newest checkpoint of the run; else `fresh`, with the networks of a run or weights file `init_from`."""
    restored = store.restore_latest(fresh)
    if restored is not None:
        logger.info("going on from step %d", int(restored.step))
        return restored
    if not init_from:
        return fresh
    networks, step = _networks_of(weights.locate(init_from), fingerprint)
    logger.info("networks from %s, step %d", init_from, step)
    # A copy: a step gives its state's buffers away, each once.
    averaged = None if fresh.averaged is None else jax.tree.map(jnp.copy, networks)
    return fresh.replace(params={**fresh.params, "networks": networks}, averaged=averaged)


def _networks_of(path: Path, fingerprint: str) -> tuple[dict, int]:
    """Network parameters and step of a run directory or a weights file, if they were made for this face model."""
    if not weights.is_weights_file(path):
        return checkpoint.load_network_params(path, fingerprint=fingerprint)
    params, about = weights.load_weights(path)
    weights.check_face_model(path, about, fingerprint)
    return params, about.step


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; sequences become lists, as JSON would have them."""
    flat = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = list(value) if isinstance(value, tuple) else value
    return flat
