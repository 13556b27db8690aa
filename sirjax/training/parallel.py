"""Data parallelism through `jax.pmap`, in one place.

State is replicated without a leading device axis (`in_axes=None`, `out_axes=None`): what a step returns must be equal
on every device, so everything it returns is reduced over `DEVICES` before. The exception are leaves that `is_split`
names: they have a leading device axis, and each device keeps its own share. Batches are split along their first axis.

With several hosts, every process holds arrays of its own devices only, as `jax.pmap` takes and returns them;
`to_global` and `to_local` turn them into arrays over the devices of all hosts and back, without copying.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

DEVICES = "devices"  # name of the pmap axis

Tree = TypeVar("Tree")


def parallel_step(step: Callable, devices: Sequence, *, is_split: Callable[..., bool] | None = None) -> Callable:
    """Makes the whole step from the step of one device, `step(state, batch, frozen) -> (state, metrics)`.

    The state is donated: the one passed in is gone afterwards. `.lower(state, batch, frozen)` compiles without running.

    Args:
      step: of one device.
      devices: of this host; all hosts' together are the axis `DEVICES`.
      is_split: (path, leaf) -> whether that leaf of the state has a leading axis of one share per device. None: none.
    """

    def of_one_device(split, whole, batch, frozen):
        new_state, metrics = step(_join(split, whole), batch, frozen)
        # Sorted as the state that came in: what is split there has lost its device axis here.
        mine = jax.tree.map(lambda own, leaf: None if own is None else leaf, split, new_state, is_leaf=_is_none)
        shared = jax.tree.map(lambda own, leaf: None if own is None else leaf, whole, new_state, is_leaf=_is_none)
        return mine, shared, metrics

    # Two trees instead of one with a tree of axes: axes that contain dictionaries are refused with several hosts.
    whole_step = jax.pmap(
        of_one_device,
        axis_name=DEVICES,
        in_axes=(0, None, 0, None),
        out_axes=(0, None, None),
        donate_argnums=(0, 1),
        devices=devices if jax.process_count() == 1 else None,
    )

    def arguments(state, batch, frozen):
        split = jax.tree.map_with_path(lambda path, leaf: leaf if is_split and is_split(path, leaf) else None, state)
        whole = jax.tree.map(lambda own, leaf: leaf if own is None else None, split, state, is_leaf=_is_none)
        return split, whole, batch, frozen

    def run(state, batch, frozen):
        split, whole, metrics = whole_step(*arguments(state, batch, frozen))
        return _join(split, whole), metrics

    run.lower = lambda *state_batch_frozen: whole_step.lower(*arguments(*state_batch_frozen))
    return run


def _join(split: Tree, whole: Tree) -> Tree:
    return jax.tree.map(lambda own, shared: shared if own is None else own, split, whole, is_leaf=_is_none)


def _is_none(leaf) -> bool:
    return leaf is None


def replicated_on(devices: Sequence) -> NamedSharding:
    """One copy on each device."""
    return NamedSharding(Mesh(np.array(devices), (DEVICES,)), PartitionSpec())


def split_over(devices: Sequence) -> NamedSharding:
    """The first axis spread over the devices."""
    return NamedSharding(Mesh(np.array(devices), (DEVICES,)), PartitionSpec(DEVICES))


def replicate(tree: Tree, devices: Sequence) -> Tree:
    """Puts one copy of every array on each device, once, so that later calls move nothing."""
    return jax.device_put(tree, replicated_on(devices))


def to_global(tree: Tree) -> Tree:
    """Arrays over this host's devices as arrays over those of all hosts; abstract ones stay abstract."""
    return jax.tree.map(lambda leaf: _spread(leaf, jax.devices()), tree)


def to_local(tree: Tree) -> Tree:
    """This host's part of arrays over the devices of all hosts: undoes `to_global`."""
    return jax.tree.map(lambda leaf: _spread(leaf, jax.local_devices()), tree)


def _spread(leaf, devices: Sequence):
    if jax.process_count() == 1:
        return leaf
    spec = leaf.sharding.spec
    sharding = NamedSharding(Mesh(np.array(devices), (DEVICES,)), spec)
    shape = (len(devices), *leaf.shape[1:]) if DEVICES in spec else leaf.shape
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(shape, leaf.dtype, sharding=sharding)
    shards = [shard.data for shard in leaf.addressable_shards]
    return jax.make_array_from_single_device_arrays(shape, sharding, shards)


def split_batch(batch: Tree, num_devices: int) -> Tree:
    """[N, ...] -> [num_devices, N / num_devices, ...] for every array.

    Raises:
      ValueError: if the batch does not divide evenly.
    """
    size = jax.tree.leaves(batch)[0].shape[0]
    if size % num_devices:
        raise ValueError(
            f"a batch of {size} cannot be split evenly over {num_devices} devices; "
            f"set data.batch_size to a multiple of {num_devices}"
        )
    return jax.tree.map(lambda leaf: leaf.reshape(num_devices, size // num_devices, *leaf.shape[1:]), batch)
