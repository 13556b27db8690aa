"""Data parallelism through `jax.pmap`, in one place.

State is replicated without a leading device axis (`in_axes=None`, `out_axes=None`): what a step returns must be equal
on every device, so everything it returns is reduced over `DEVICES` before. Batches are split along their first axis.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

DEVICES = "devices"  # name of the pmap axis

Tree = TypeVar("Tree")


def parallel_step(step: Callable, devices: Sequence) -> Callable:
    """Makes the whole step from the step of one device, `step(state, batch, frozen) -> (state, metrics)`.

    The state is donated: the one passed in is gone afterwards.
    """
    return jax.pmap(
        step, axis_name=DEVICES, in_axes=(None, 0, None), out_axes=(None, None), donate_argnums=(0,), devices=devices
    )


def replicate(tree: Tree, devices: Sequence) -> Tree:
    """Puts one copy of every array on each device, once, so that later calls move nothing."""
    return jax.device_put(tree, NamedSharding(Mesh(np.array(devices), (DEVICES,)), PartitionSpec()))


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
