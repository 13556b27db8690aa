"""Gradient accumulation: the micro-batches of a step, one after the other, as if they were one batch.

Means over samples divide by the counts of the whole step, so that losses and gradients of parts add up. The KL term is
about the distribution of all samples: their shape codes are read once before, without gradient (a forward pass through
trunk and shape branch), and every part sees all of them. K parts then equal the batch of K times their size, but for
`losses.drawn_share` < 1, which draws the first samples of each part.
"""

from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from sirjax.constants import NO_IDENTITY
from sirjax.losses.total import count_members
from sirjax.training import identity_table
from sirjax.training.parallel import Tree
from sirjax.training.state import TrainState
from sirjax.training.terms import Method, WholeStep
from sirjax.types import Batch, NetworkOutput


def into_parts(tree: Tree, num_parts: int) -> Tree:
    """[B, ...] -> [K, B / K, ...] for every array.

    Raises:
      ValueError: if the device's batch does not divide evenly.
    """
    size = len(jax.tree.leaves(tree)[0])
    if size % num_parts:
        raise ValueError(
            f"a device's batch of {size} cannot be split evenly into {num_parts} parts; set data.batch_size to a "
            f"multiple of the number of devices times optimizer.accumulate"
        )
    return jax.tree.map(lambda leaf: leaf.reshape(num_parts, size // num_parts, *leaf.shape[1:]), tree)


def look_ahead(
    networks: nn.Module, method: Method, state: TrainState, parts: Batch, axis_name: str | None
) -> WholeStep:
    """What every part of a step must know of the others. `parts`: the device's batch, [K, M, ...]."""
    num_parts = len(parts.identity)
    identity = parts.identity.reshape(-1)
    classes = codes = None
    if method.uses_identities and method.tables is not None and state.centers is not None:
        rows = len(state.centers)
        classes = identity_table.choose_classes(method.tables, identity, rows, seed=method.seed, step=state.step)
    if num_parts > 1 and method.uses_identities and method.weights.kl > 0:
        params = {"params": state.params["networks"]}

        def shape_of(image: Array) -> Array:
            return cast(NetworkOutput, networks.apply(params, image)).shape

        codes = jax.lax.stop_gradient(jax.lax.map(shape_of, parts.image))
    with_identity = parts.identity != NO_IDENTITY
    return WholeStep(
        members=count_members(parts.has_landmarks.reshape(-1), with_identity.reshape(-1), axis_name),
        classes=classes,
        codes=codes,
        in_kl=with_identity if method.kl_scope == "identity" else jnp.ones_like(with_identity),
    )


def add_up(of_part: Callable[..., tuple[Any, Any]], parts: Any, num_parts: int) -> tuple[Any, Any]:
    """Sums the first result of `of_part(index, part)` over the parts and joins the second along its first axis."""
    if num_parts == 1:
        return of_part(jnp.zeros((), jnp.int32), jax.tree.map(lambda leaf: leaf[0], parts))

    def add(sums, index_and_part):
        summed, joined = of_part(*index_and_part)
        return jax.tree.map(jnp.add, sums, summed), joined

    everything = (jnp.arange(num_parts), parts)
    first = jax.eval_shape(lambda whole: of_part(*jax.tree.map(lambda leaf: leaf[0], whole))[0], everything)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)
    sums, joined = jax.lax.scan(add, zeros, everything)
    return sums, jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), joined)
