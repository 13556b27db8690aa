"""Checkpoints through orbax: written in the background, complete or not at all, the newest undamaged one wins."""

import contextlib
import json
import logging
from pathlib import Path

import jax
import orbax.checkpoint as ocp

from sirjax.files import write_text
from sirjax.training import hosts, intact
from sirjax.training.identity_table import devices_of, flat_shape, flat_tables, is_sharded, sharded_tables
from sirjax.training.orbax_log import without_orbax
from sirjax.training.parallel import split_over, to_global, to_local
from sirjax.training.saving import Saver
from sirjax.training.state import TrainState

DIRECTORY = "checkpoints"
CONFIG = "config.json"
# What to do about a checkpoint of another face model, in a training.
OWN_MODEL = "set config.face_model to the model of the run, or train into a new --workdir"


class CheckpointStore:
    """The checkpoints of one run directory. A context manager: leaving it waits for writes under way.

    Args:
      workdir: the run directory.
      fingerprint: of the face model; a checkpoint made with another one is refused.
      keep: how many of the newest checkpoints stay.
      num_identities: rows of the state's tables that count; sharded ones have some for nobody at the end.
    """

    def __init__(self, workdir: Path, *, fingerprint: str, keep: int = 3, num_identities: int = 0):
        self._root = (workdir / DIRECTORY).absolute()
        self._fingerprint = fingerprint
        self._num_identities = num_identities
        self._saver = Saver(self._root, keep=keep)

    def __enter__(self) -> "CheckpointStore":
        return self

    def __exit__(self, kind: type | None, *_) -> None:
        # What ended the run says more than a failed save, of which a warning told.
        with contextlib.suppress(intact.CheckpointError) if kind else contextlib.nullcontext():
            self.close()

    def save(self, step: int, state: TrainState) -> None:
        """Starts writing `state` in the background; returns as soon as it has been copied. Failures: see `Saver`."""
        networks, rest = _split(flat_tables(to_global(jax.tree.map(_one_copy, state))))
        metadata = {"face_model": self._fingerprint, "shapes": self._shapes(state)}
        self._saver.save(
            step,
            ocp.args.Composite(
                networks=ocp.args.StandardSave(networks),  # alone, so that prediction reads nothing else
                training=ocp.args.StandardSave(rest),
                metadata=ocp.args.JsonSave(metadata),
            ),
        )

    def restore_latest(self, like: TrainState) -> TrainState | None:
        """The newest undamaged checkpoint, shaped and placed like `like`; None if there is none.

        Tables are stored as rows of identities: saved on one number of devices, sharded or not, they are restored on
        any other.

        Raises:
          CheckpointError: if all checkpoints are damaged.
          ValueError: if the checkpoint was made with another face model, or does not fit `like`.
        """
        if hosts.is_first():
            intact.set_damaged_aside(self._root)
        hosts.wait_for_all("checkpoints looked through")
        manager = self._saver.manager
        manager.reload()
        step = manager.latest_step()
        if step is None:
            return None
        metadata = check_fingerprint(manager, step, self._fingerprint, self._root)
        _check_shapes(metadata["shapes"], self._shapes(like), self._root / str(step))
        like = to_global(jax.tree.map(_described, like))
        networks, rest = _split(jax.tree.map_with_path(_flat, like))
        restored = manager.restore(
            step,
            args=ocp.args.Composite(
                networks=ocp.args.StandardRestore(networks),
                # Not strict: rows for nobody at the end of a table are cut off or filled up with zeros.
                training=ocp.args.StandardRestore(rest, strict=False),
            ),
        )
        return to_local(sharded_tables(_joined(restored["networks"], restored["training"]), like))

    def settle(self) -> None:
        """Waits until the save under way is on disk, or has failed."""
        self._saver.settle()

    def close(self) -> None:
        """Waits until everything is on disk.

        Raises:
          CheckpointError: if the last save failed.
        """
        self._saver.close()

    def _shapes(self, state: TrainState) -> dict[str, list[int]]:
        """Shapes of a state's leaves; of tables without the rows for nobody."""
        return {
            jax.tree_util.keystr(path): [self._num_identities, leaf.shape[-1]]
            if is_sharded(path, leaf)
            else list(leaf.shape)
            for path, leaf in jax.tree.leaves_with_path(state)
        }


def load_network_params(workdir: Path, *, fingerprint: str | None = None, remedy: str = OWN_MODEL) -> tuple[dict, int]:
    """Network parameters and step of the newest checkpoint in a run directory.

    Args:
      workdir: the run directory.
      fingerprint: of the face model; None takes parameters of any.
      remedy: what to do if the checkpoint was made with another one, for the error.

    Raises:
      FileNotFoundError: if there is no checkpoint.
      CheckpointError: if the newest is damaged: which one to use instead is for the user to say.
      ValueError: if `fingerprint` is given and the checkpoint was made with another face model.
    """
    root = (Path(workdir) / DIRECTORY).absolute()
    if not root.is_dir():
        raise FileNotFoundError(
            f"{workdir} is not a run directory: it has no {DIRECTORY}/; name the --workdir of a `sirjax train` run"
        )
    options = ocp.CheckpointManagerOptions(read_only=True, save_interval_steps=0, create=False)
    handlers = {"networks": ocp.StandardCheckpointHandler(), "metadata": ocp.JsonCheckpointHandler()}
    with (
        without_orbax(logging.WARNING),  # that a directory opened for reading is read-only
        ocp.CheckpointManager(root, options=options, item_handlers=handlers) as manager,
    ):
        step = manager.latest_step()
        if step is None:
            raise FileNotFoundError(f"{root} holds no complete checkpoint yet; let the run reach its first one")
        intact.require_intact(root / str(step), (intact.NETWORKS, intact.METADATA))
        if fingerprint is not None:
            check_fingerprint(manager, step, fingerprint, root, remedy)
        # Onto one device of this machine: by itself orbax wants the devices that the run was trained on.
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        saved = manager.item_metadata(step)["networks"]
        wanted = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), dict(saved))
        restored = manager.restore(step, args=ocp.args.Composite(networks=ocp.args.StandardRestore(wanted)))
        return restored["networks"], step


def check_fingerprint(
    manager: ocp.CheckpointManager, step: int, fingerprint: str, root: Path, remedy: str = OWN_MODEL
) -> dict:
    """Refuses a checkpoint that another face model made: its codes would mean other shapes. Returns its metadata."""
    metadata = manager.restore(step, args=ocp.args.Composite(metadata=ocp.args.JsonRestore()))["metadata"]
    if metadata["face_model"] != fingerprint:
        raise ValueError(
            f"{root / str(step)} was trained with face model {metadata['face_model'][:12]}, this one is "
            f"{fingerprint[:12]}; {remedy}"
        )
    return metadata


def save_config(workdir: Path, config: dict) -> None:
    """Writes the resolved settings beside the checkpoints, whole or not at all."""
    write_text(workdir / CONFIG, json.dumps(config, indent=2) + "\n")


def load_config(workdir: Path) -> dict:
    """The resolved settings of a run.

    Raises:
      FileNotFoundError: if `workdir` is not a run directory.
    """
    path = Path(workdir) / CONFIG
    if not path.is_file():
        raise FileNotFoundError(f"{workdir} is not a run directory: it has no {CONFIG}; name a run's --workdir")
    return json.loads(path.read_text(encoding="utf-8"))


def _split(state: TrainState) -> tuple[dict, TrainState]:
    """(networks to evaluate, all the rest). With a moving average the networks still in training are of the rest."""
    if state.averaged is not None:
        return state.averaged, state.replace(averaged=None)
    return state.params["networks"], state.replace(params={**state.params, "networks": None})


def _joined(networks: dict, rest: TrainState) -> TrainState:
    if rest.params.get("networks") is not None:
        return rest.replace(averaged=networks)
    return rest.replace(params={**rest.params, "networks": networks})


def _check_shapes(saved: dict, wanted: dict, path: Path) -> None:
    for name in sorted(saved.keys() | wanted.keys()):
        if saved.get(name) != wanted.get(name):
            raise ValueError(
                f"{path} does not fit these settings: {name} is {saved.get(name)} there and {wanted.get(name)} here "
                "(another network preset, number of identities or optimizer?); restore the settings, or train into a "
                "new --workdir"
            )


def _one_copy(leaf: jax.Array) -> jax.Array:
    """One device's copy where one host has several: of copies orbax would cut a slice from each, for every shape."""
    if jax.process_count() > 1 or not leaf.is_fully_replicated:
        return leaf
    return leaf.addressable_shards[0].data


def _described(leaf: jax.Array) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None))


def _flat(path, leaf: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    if is_sharded(path, leaf):
        return jax.ShapeDtypeStruct(flat_shape(leaf), leaf.dtype, sharding=split_over(devices_of(leaf)))
    return leaf
