"""One differentiable-op building block: a function of image batches that any platform and any transformation can run.

    custom_vmap( custom_partitioning( platform_dependent(cpu=C++ handler, cuda=..., default=plain JAX) ) )

- platform_dependent picks the code when a program is lowered, so that one exported program runs anywhere;
- custom_partitioning keeps the work where the images are: jit over sharded batches needs no communication;
- custom_vmap merges a mapped axis into the image axis, because the handlers know one image axis only.

Gradients are added outside with jax.custom_vjp, whose backward pass is again such an operation.
"""

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from sirjax.render.backends import Choice, without_callbacks

Function = Callable[..., tuple[Array, ...]]


def image_operation(
    versions: dict[str, Function], *, ranks: Sequence[int | None], result_ranks: Sequence[int], backend: Choice
) -> Function:
    """Makes one operation of functions that take the same arrays and return the same results.

    Args:
      versions: by name of the backend; "xla", the plain twin, serves those that have none of their own.
      ranks: for each operand its rank when it has the leading image axis (with one dimension less it is shared by all
        images), or None for triangles [T, 3], which are always shared. At least one operand has the image axis.
      result_ranks: ranks of the results; all have the leading image axis.
      backend: as `resolve` returns it.
    """

    whole = _by_platform(versions, backend)

    def shared_out():
        return _by_platform(versions, without_callbacks(backend))

    @functools.cache
    def partitioned(has_images: tuple[bool, ...]):
        return _partitioned_along_images(whole, shared_out, ranks, has_images, result_ranks)

    @custom_vmap
    def operation(*operands: Array) -> tuple[Array, ...]:
        has_images = tuple(rank == operand.ndim for rank, operand in zip(ranks, operands, strict=True))
        return tuple(partitioned(has_images)(*operands))

    @operation.def_vmap
    def over_mapped_axis(axis_size: int, mapped: Sequence[bool], *operands: Array):
        results = _merge_mapped_axis(operation, ranks, axis_size, mapped, operands)
        return results, (True,) * len(result_ranks)

    return jax.jit(operation)  # outside jit each call would compile its loops anew


def _by_platform(versions: dict[str, Function], backend: Choice) -> Function:
    """The version for the platform that the program is lowered for."""
    named = {platform: versions.get(name, versions["xla"]) for platform, name in backend._asdict().items() if name}
    other = named.pop("other", None)
    special = {platform: version for platform, version in named.items() if version is not other}
    if other is not None and not special:
        return other
    return lambda *operands: lax.platform_dependent(*operands, default=other, **special)


def _merge_mapped_axis(operation, ranks, axis_size, mapped, operands) -> tuple[Array, ...]:
    """The operation for every index of a mapped axis, by making that axis a part of the image axis."""
    if any(is_mapped and rank is None for rank, is_mapped in zip(ranks, mapped, strict=True)):
        # Other triangles for each index: one call after another.
        def one(index):
            return operation(*(x[index] if is_mapped else x for x, is_mapped in zip(operands, mapped, strict=True)))

        return lax.map(one, jnp.arange(axis_size))
    kinds = list(zip(operands, ranks, mapped, strict=True))
    num_images = next(x.shape[int(is_mapped)] for x, rank, is_mapped in kinds if x.ndim - is_mapped == rank)

    def merge(operand: Array, rank: int | None, is_mapped: bool) -> Array:
        if operand.ndim - is_mapped == rank:
            whole = operand if is_mapped else jnp.broadcast_to(operand[None], (axis_size, *operand.shape))
            return whole.reshape(axis_size * num_images, *whole.shape[2:])
        return jnp.repeat(operand, num_images, axis=0) if is_mapped else operand

    results = operation(*(merge(*kind) for kind in kinds))
    return tuple(result.reshape(axis_size, num_images, *result.shape[1:]) for result in results)


def _partitioned_along_images(
    function: Function, shared_out: Callable[[], Function], ranks, has_images, result_ranks
) -> custom_partitioning:
    """The function with the rule that devices share out images, each with all vertices, texels and pixels.

    Where they do, each runs what `shared_out` returns.
    """
    first = has_images.index(True)

    def images_on(mesh, operands, rank: int, has_images: bool = True) -> NamedSharding:
        spec = getattr(operands[first].sharding, "spec", None)
        return NamedSharding(mesh, PartitionSpec(spec[0] if spec and has_images else None, *[None] * (rank - 1)))

    def infer(mesh, operands, results):
        return tuple(images_on(mesh, operands, result.ndim) for result in results)

    def partition(mesh, operands, results):
        wanted = (images_on(mesh, operands, x.ndim, images) for x, images in zip(operands, has_images, strict=True))
        return mesh, shared_out(), infer(mesh, operands, results), tuple(wanted)

    kinds = zip(ranks, has_images, strict=True)
    operand_ranks = [2 if rank is None else rank - (not images) for rank, images in kinds]
    partitioned = custom_partitioning(function)
    partitioned.def_partition(
        partition=partition,
        infer_sharding_from_operands=infer,
        sharding_rule=_sharding_rule(operand_ranks, has_images, result_ranks),
    )
    return partitioned


def _sharding_rule(ranks: Sequence[int], has_images: Sequence[bool], result_ranks: Sequence[int]) -> str:
    """Einsum-like: only the image axis "n" is common, every other dimension stands for itself."""
    count = itertools.count()

    def names(rank: int, images: bool) -> str:
        own = [f"d{next(count)}" for _ in range(rank - images)]
        return " ".join(["n", *own] if images else own)

    operands = ", ".join(names(rank, images) for rank, images in zip(ranks, has_images, strict=True))
    return f"{operands} -> {', '.join(names(rank, True) for rank in result_ranks)}"


def call_handler(name: str, results: Sequence[tuple[tuple[int, ...], Any]], *operands: Array) -> tuple[Array, ...]:
    """Calls a registered C++ handler; `results` are the shapes and dtypes it fills."""
    shapes = tuple(jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results)
    return tuple(vary_like(result, *operands) for result in jax.ffi.ffi_call(name, shapes)(*operands))


def vary_like(x: Array, *others: Array) -> Array:
    """Marks `x` as different on the devices where any of `others` differs; shard_map's type check asks for it."""
    missing = frozenset().union(*map(_varying_axes, others)) - _varying_axes(x)
    return lax.pcast(x, tuple(missing), to="varying") if missing else x


def same_axes(*arrays: Array) -> tuple[Array, ...]:
    """All arrays, marked as varying over the same device axes (the gradient of the mark is the sum over devices)."""
    return tuple(vary_like(x, *arrays) for x in arrays)


def _varying_axes(x: Array) -> frozenset:
    kind = jax.typeof(x)
    if hasattr(kind, "mat"):  # newer JAX keeps them in a manual-axes record
        return frozenset(kind.mat.varying)
    return frozenset(getattr(kind, "vma", ()))
