"""Class weights and centers spread over devices: each keeps ceil(C / D) of the C identities.

    features [N / D, S] of each device  --all_gather-->  [N, S] on every device: a few hundred kilobytes
    device d: logits [N, R] of its own R identities, and for its own targets the margin and the center loss
    softmax = exp(l - pmax) / psum(sum exp(l - pmax)); the target's logit and the center loss come by psum: [N] each

No device ever holds all logits, all class weights or all centers, and their gradients never travel: what the
replicated tables need all-reduced in every step is C x S numbers. Device d's row r is identity d R + r; rows from C on
are padding: zero, never chosen, never moved. Whole, a sharded table has shape [D, R, S], which `jax.pmap` splits.

Partial FC (An et al. 2021): with `sampled < 1` the softmax runs over the batch's identities and a random part of the
others. Which part depends on (seed, step) and the identity alone, so any number of devices draws the same.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax import Array
from jax.sharding import NamedSharding
from jaxtyping import Float, Int

from sirjax.constants import NO_IDENTITY
from sirjax.losses import sir
from sirjax.losses.margin import identity_logits
from sirjax.training.parallel import DEVICES, Tree, replicated_on, split_over

CLASS_WEIGHTS = "class_weights"  # name of the parameter
CHOICES = ("auto", "replicated", "sharded")
LARGE_BYTES = 32 << 20  # of one table: above, "auto" shards it
_NAMES = (CLASS_WEIGHTS, "centers")
_SAMPLING = 1  # folded into the step's key, so that sampling shares no randomness with anything else


@dataclasses.dataclass(frozen=True)
class ShardedTables:
    """How the tables of one run are spread.

    Attributes:
      num_identities: C.
      num_devices: D, of all hosts.
      sampled: share of the identities outside the batch that the softmax runs over, in (0, 1].
    """

    num_identities: int
    num_devices: int
    sampled: float = 1.0

    def __post_init__(self):
        if not 0 < self.sampled <= 1:
            raise ValueError(f"sir.sampled_negatives must be in (0, 1], got {self.sampled}; 1 takes all of them")

    @property
    def rows(self) -> int:
        """R, identities that each device keeps."""
        return -(-self.num_identities // self.num_devices)


def choose_tables(
    choice: str, *, num_identities: int, num_shape: int, num_devices: int, sampled: float
) -> ShardedTables | None:
    """How to keep the tables; None: one copy on each device.

    Args:
      choice: "replicated", "sharded", or "auto": sharded where there are several devices and one copy of a table takes
        more than `LARGE_BYTES`, or where negatives are sampled.
      num_identities: C; without identities there are no tables.
      num_shape: S.
      num_devices: D, of all hosts.
      sampled: see `ShardedTables`.

    Raises:
      ValueError: for an unknown choice, or replicated tables with sampled negatives.
    """
    if choice not in CHOICES:
        raise ValueError(f"unknown sir.tables {choice!r}; known: {', '.join(CHOICES)}")
    if choice == "replicated" and sampled != 1:
        raise ValueError(
            f"sir.sampled_negatives={sampled} needs sharded tables; set sir.tables=sharded, on one device, too"
        )
    if choice == "auto":
        large = num_devices > 1 and 4 * num_identities * num_shape > LARGE_BYTES
        choice = "sharded" if large or sampled != 1 else "replicated"
    if choice == "replicated" or not num_identities:
        return None
    return ShardedTables(num_identities, num_devices, sampled)


# Which leaves of a train state are tables


def is_table(path: Sequence[Any]) -> bool:
    """Whether the leaf at `path` of a train state, its parameters or its optimizer state has one row per identity."""
    return any(getattr(key, "key", getattr(key, "name", None)) in _NAMES for key in path)


def is_sharded(path: Sequence[Any], leaf: Any) -> bool:
    """Whether that leaf, seen whole, is a sharded table [D, R, S]."""
    return is_table(path) and leaf.ndim == 3


def shardings(state: Tree, devices: Sequence) -> Tree:
    """Where each leaf of a state lies: sharded tables a share per device, everything else a copy on each."""
    whole, shares = replicated_on(devices), split_over(devices)
    return jax.tree.map_with_path(lambda path, leaf: shares if is_sharded(path, leaf) else whole, state)


def place(state: Tree, devices: Sequence) -> Tree:
    """Puts each device's share of sharded tables on it, and a copy of everything else on each."""
    return jax.device_put(state, shardings(state, devices))


def flat_tables(state: Tree) -> Tree:
    """Sharded tables [D, R, S] as rows [D R, S], in the order of the identities; every device keeps its rows."""
    return jax.tree.map_with_path(
        lambda path, leaf: _moved(leaf, flat_shape(leaf)) if is_sharded(path, leaf) else leaf, state
    )


def sharded_tables(flat: Tree, like: Tree) -> Tree:
    """Undoes `flat_tables`; `like` holds the shapes."""
    return jax.tree.map(
        lambda leaf, whole: leaf if leaf.shape == whole.shape else _moved(leaf, whole.shape), flat, like
    )


def flat_shape(table: Array | jax.ShapeDtypeStruct) -> tuple[int, int]:
    """[D R, S] of a sharded table [D, R, S]."""
    return (table.shape[0] * table.shape[1], table.shape[2])


def devices_of(table: Array | jax.ShapeDtypeStruct) -> list:
    """The devices a sharded table is spread over, in the order of its rows."""
    sharding = table.sharding
    assert isinstance(sharding, NamedSharding)  # `split_over` made it
    return list(np.asarray(sharding.mesh.devices).flat)


def first_identity(table: Array) -> int:
    """The identity of the first row of this host's part of a table."""
    return jax.process_index() * math.prod(table.shape[:-1]) if table.ndim == 3 else 0


def _moved(table: Array, shape: tuple[int, ...]) -> Array:
    return jax.jit(lambda rows: rows.reshape(shape), out_shardings=split_over(devices_of(table)))(table)


# Inside the step of one device


@struct.dataclass
class Everyone:
    """The identity samples of all devices, the same on each."""

    whitened: Array  # [N, S] shape coefficients
    identity: Array  # int [N], or NO_IDENTITY
    row: Array  # int [N], of this device's tables, or NO_IDENTITY where another device keeps the identity


@struct.dataclass
class Classes:
    """Which of this device's rows the softmax runs over."""

    row: Array | None  # int [K]; None: all
    counts: Array  # bool [K]: neither padding nor filled up


def gather(whitened: Float[Array, "n S"], identity: Int[Array, " n"], num_rows: int) -> Everyone:
    """All devices' samples on every device; gradients return to the device a sample came from."""
    identity = jax.lax.all_gather(identity, DEVICES, tiled=True)
    whitened = jax.lax.all_gather(whitened, DEVICES, tiled=True)
    return Everyone(whitened, identity, _own_rows(identity, num_rows))


def choose_classes(
    tables: ShardedTables, identity: Int[Array, " n"], num_rows: int, *, seed: int, step: Int[Array, ""]
) -> Classes:
    """The identities the softmax of this step runs over: all, or the batch's and a sample of the others.

    Args:
      tables: how many there are and which share is sampled.
      identity: of this device's samples of the whole step, micro-batches together.
      num_rows: R.
      seed: of the run.
      step: steps taken.
    """
    exists = _first_row(num_rows) + jnp.arange(num_rows) < tables.num_identities
    if tables.sampled == 1:
        return Classes(None, exists)
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), step), _SAMPLING)
    # One draw per identity, not one per row of this device: any number of devices takes the same sample.
    luck = jax.vmap(lambda identity: jax.random.uniform(jax.random.fold_in(key, identity)))(
        _first_row(num_rows) + jnp.arange(num_rows)
    )
    everyone = jax.lax.all_gather(identity, DEVICES, tiled=True)
    own = _own_rows(everyone, num_rows)
    present = jnp.zeros(num_rows, bool).at[jnp.where(own == NO_IDENTITY, num_rows, own)].set(True, mode="drop")
    taken = exists & (present | (luck < tables.sampled))
    size = most_taken(num_rows, tables.sampled, len(everyone))
    (row,) = jnp.nonzero(taken, size=size, fill_value=0)
    return Classes(row, jnp.arange(size) < jnp.sum(taken))


def most_taken(num_rows: int, sampled: float, num_samples: int) -> int:
    """Room for one device's share of the classes: eight standard deviations above the mean sample, and the batch."""
    mean = sampled * num_rows
    return min(num_rows, num_samples + math.ceil(mean + 8 * math.sqrt(mean * (1 - sampled)) + 16))


def classification_loss(
    kind: str,
    embedding: Float[Array, "N S"],
    class_weights: Float[Array, "R S"],
    everyone: Everyone,
    classes: Classes,
    *,
    scale: float,
    margin: float,
) -> Float[Array, " N"]:
    """`margin.identity_loss` of all samples over the classes of all devices; the same on each. 0 without identity."""
    row = jnp.arange(len(class_weights)) if classes.row is None else classes.row
    weights = class_weights if classes.row is None else class_weights[classes.row]
    # NO_IDENTITY is no row; filled-up rows repeat row 0 and must not be taken for it.
    own = (everyone.row[:, None] == row[None]) & classes.counts[None]
    logits = identity_logits(kind, embedding, weights, own, scale=scale, margin=margin)
    logits = jnp.where(classes.counts[None], logits, -jnp.inf)
    highest = jax.lax.pmax(jax.lax.stop_gradient(jnp.max(logits, axis=-1)), DEVICES)
    mass = jnp.sum(jnp.exp(logits - highest[:, None]), axis=-1)
    target = jnp.sum(jnp.where(own, logits, 0.0), axis=-1)
    mass, target = jax.lax.psum((mass, target), DEVICES)
    return jnp.where(everyone.identity == NO_IDENTITY, 0.0, jnp.log(mass) + highest - target)


def center_loss(shape: Float[Array, "N S"], centers: Float[Array, "R S"], everyone: Everyone) -> Float[Array, " N"]:
    """`sir.center_loss` of all samples, each from the device that keeps its center; the same on each device."""
    return jax.lax.psum(sir.center_loss(shape, centers, everyone.row), DEVICES)


def update_centers(
    centers: Float[Array, "R S"],
    shape: Float[Array, "n S"],
    identity: Int[Array, " n"],
    weight: Float[Array, " n"],
    *,
    rate: float,
) -> Float[Array, "R S"]:
    """`sir.update_centers` of this device's centers, with the samples of all devices (Eq. 20)."""
    everyone = gather(shape, identity, len(centers))
    weight = jax.lax.all_gather(weight, DEVICES, tiled=True)
    return sir.update_centers(centers, everyone.whitened, everyone.row, weight, rate=rate)


def of_this_device(values: Float[Array, " N"]) -> Float[Array, " n"]:
    """This device's part of values that are the same on every device."""
    size = len(values) // jax.lax.axis_size(DEVICES)
    return jax.lax.dynamic_slice_in_dim(values, jax.lax.axis_index(DEVICES) * size, size)


def reduce_gradients(grads: Tree, *, sharded: bool) -> Tree:
    """The gradients of the global batch's loss, which every device holds a copy of.

    psum transposes to psum, so a device's gradient is that of all D copies together. Averaged over devices, parameters
    kept on each get their whole gradient. A sharded table's gradient is already whole, D times too long.

    Args:
      grads: of one device.
      sharded: whether the tables are.
    """
    num_devices = jax.lax.axis_size(DEVICES)
    return jax.tree.map_with_path(
        lambda path, leaf: leaf / num_devices if sharded and is_table(path) else jax.lax.pmean(leaf, DEVICES), grads
    )


def gradient_norm(tables: ShardedTables | None) -> Callable[[Any], Float[Array, ""]]:
    """The norm of all gradients together, where the tables are kept so."""
    return optax.tree.norm if tables is None else norm


def norm(updates: Any) -> Float[Array, ""]:
    """The Euclidean norm of gradients or updates whose tables are sharded; the same on every device."""
    parts = {False: [], True: []}
    jax.tree.map_with_path(lambda path, leaf: parts[is_table(path)].append(leaf), updates)
    own = jax.lax.psum(jnp.square(optax.tree.norm(parts[True])), DEVICES)
    return jnp.sqrt(jnp.square(optax.tree.norm(parts[False])) + own)


def _first_row(num_rows: int) -> Int[Array, ""]:
    return jax.lax.axis_index(DEVICES) * num_rows


def _own_rows(identity: Int[Array, " N"], num_rows: int) -> Int[Array, " N"]:
    row = identity - _first_row(num_rows)
    # Without identity, -1 lies before every device's rows but the first's, where it is no row either.
    return jnp.where((identity != NO_IDENTITY) & (row >= 0) & (row < num_rows), row, NO_IDENTITY)
