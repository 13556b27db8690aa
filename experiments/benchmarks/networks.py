"""How many images per second do the networks read and learn from?

    python -m experiments.benchmarks.networks --preset tiny --batch 64 --uv-size 64

Prints images/s of the forward pass and of forward and backward pass together (all outputs used), the best of several
runs, and the parameter count. The loss is a stand-in; nothing is rendered.
"""

import argparse
import math
import time
from collections.abc import Callable
from typing import get_args

import jax
import jax.numpy as jnp
from jax import Array

from sirjax.constants import IMAGE_SIZE
from sirjax.networks.model import Preset, make_networks
from sirjax.types import NetworkOutput


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=get_args(Preset), default="tiny")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--uv-size", type=int, default=64)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--runs", type=int, default=10)
    args = parser.parse_args()

    networks = make_networks(
        args.preset, num_shape=199, num_expression=29, uv_size=args.uv_size, dtype=jnp.dtype(args.dtype)
    )
    image = jax.random.uniform(jax.random.key(0), (args.batch, *IMAGE_SIZE, 3))
    params = jax.jit(networks.init)(jax.random.key(1), image)["params"]

    def loss(params: dict, image: Array) -> Array:
        output = networks.apply({"params": params}, image)
        assert isinstance(output, NetworkOutput)
        return sum((jnp.mean(jnp.square(array)) for array in jax.tree.leaves(output)), jnp.zeros(()))

    def forward(params: dict, image: Array) -> NetworkOutput:
        return networks.apply({"params": params}, image)

    count = sum(math.prod(array.shape) for array in jax.tree.leaves(params))
    print(f"{args.preset}, batch {args.batch}, {args.dtype}, {jax.devices()[0].device_kind}: {count:,} parameters")
    for name, function in (("forward", forward), ("forward and backward", jax.grad(loss))):
        seconds = best_seconds(jax.jit(function), params, image, runs=args.runs)
        print(f"{name}: {args.batch / seconds:.1f} images/s")


def best_seconds(function: Callable, *args: object, runs: int) -> float:
    """Wall time of the fastest of `runs` calls, after one that compiles."""
    jax.block_until_ready(function(*args))
    best = math.inf
    for _ in range(runs):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    main()
