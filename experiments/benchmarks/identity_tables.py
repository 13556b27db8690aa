"""What do class weights and centers cost, as a function of the number of identities and devices?

    python -m experiments.benchmarks.identity_tables
    python -m experiments.benchmarks.identity_tables --time --identities 1e3 1e4 1e5 --devices 1 2 4 8

One step of the tables alone (classification loss, its gradients, Adam, centers of Eq. 20) for given shape codes.
Nothing is computed for the first table: each line is a program compiled for virtual CPU devices, the memory is the
compiler's own account per device (what it holds between steps, and what it needs besides while it runs), and what is
sent is read from its collectives. `--time` also runs each line; virtual devices share the processor, so times say how
work grows, not how fast a GPU is.
"""

import argparse
import os
import re
import statistics
import sys
import time
from typing import Any

BYTES = {"f32": 4, "s32": 4, "u32": 4, "bf16": 2, "pred": 1, "f64": 8, "s64": 8}
COLLECTIVE = re.compile(r"= (.*?) (?:all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(?:-start)?\(")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identities", type=float, nargs="+", default=[1e3, 1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--shape", type=int, default=199, help="shape coefficients")
    parser.add_argument("--batch", type=int, default=320, help="identity samples, over all devices")
    parser.add_argument("--sampled", type=float, default=0.1, help="share of negatives of the sampled variant")
    parser.add_argument("--time", action="store_true", help="run each line, too")
    args = parser.parse_args()
    # Virtual devices are counted when JAX starts.
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={max(args.devices)}"

    print(f"S = {args.shape}, N = {args.batch} identity samples; MiB per device, {sys.argv[0].rsplit('/', 1)[-1]}")
    print("| identities | devices | tables | kept | besides, in a step | sent | " + ("ms |" if args.time else ""))
    print("|---:|---:|---|---:|---:|---:|" + ("---:|" if args.time else ""))
    for num_identities in map(int, args.identities):
        for num_devices in args.devices:
            for kind in ("replicated", "sharded", f"sharded, {args.sampled:g} sampled"):
                print(line(args, num_identities, num_devices, kind), flush=True)


def line(args, num_identities: int, num_devices: int, kind: str) -> str:
    """One row of the table."""
    from sirjax.training.identity_table import ShardedTables

    tables = None
    if kind != "replicated":
        tables = ShardedTables(num_identities, num_devices, 1.0 if kind == "sharded" else args.sampled)
    step, shapes = make_step(args, num_identities, num_devices, tables)
    compiled = step.lower(*shapes).compile()
    memory = compiled.memory_analysis()
    kept = memory.argument_size_in_bytes
    values = [kept, memory.temp_size_in_bytes + max(memory.output_size_in_bytes - memory.alias_size_in_bytes, 0)]
    values.append(bytes_sent(compiled.as_text()) if num_devices > 1 else 0)
    row = f"| {num_identities:.0e} | {num_devices} | {kind} | " + " | ".join(f"{v / 2**20:,.1f}" for v in values)
    if args.time:
        row += f" | {1e3 * seconds_of(step, shapes):,.1f}"
    return row.replace("e+0", "e") + " |"


def make_step(args, num_identities: int, num_devices: int, tables) -> tuple[Any, tuple]:
    """(the step of all devices, abstract arguments): class weights, their Adam moments, centers, codes, identities."""
    import jax
    import jax.numpy as jnp

    from sirjax.losses import sir
    from sirjax.losses.margin import identity_loss
    from sirjax.training import identity_table
    from sirjax.training.optimizer import make_optimizer
    from sirjax.training.parallel import DEVICES

    optimizer = make_optimizer(lambda step: 1e-3, norm=identity_table.gradient_norm(tables))
    own_samples = args.batch // num_devices
    rows = num_identities if tables is None else tables.rows

    def loss(params, codes, identity, classes):
        weights = params[identity_table.CLASS_WEIGHTS]
        if tables is None:
            values = identity_loss("cosface", codes, weights, identity, scale=32.0, margin=0.2)
        else:
            everyone = identity_table.gather(codes, identity, rows)
            values = identity_table.classification_loss(
                "cosface", everyone.whitened, weights, everyone, classes, scale=32.0, margin=0.2
            )
            values = identity_table.of_this_device(values)
        return jax.lax.pmean(jnp.mean(values), DEVICES)

    def step(state, codes, identity, count):
        params, opt_state, centers = state
        classes = None
        if tables is not None:
            classes = identity_table.choose_classes(tables, identity, rows, seed=0, step=count)
        grads, of_codes = jax.grad(loss, (0, 1))(params, codes, identity, classes)
        grads = identity_table.reduce_gradients(grads, sharded=tables is not None)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        params = jax.tree.map(jnp.add, params, updates)
        trust = jnp.ones(own_samples)
        if tables is None:
            centers = sir.update_centers(centers, codes, identity, trust, rate=0.5, axis_name=DEVICES)
        else:
            centers = identity_table.update_centers(centers, codes, identity, trust, rate=0.5)
        return (params, opt_state, centers), of_codes

    table = jax.ShapeDtypeStruct((rows, args.shape), jnp.float32)
    params = {identity_table.CLASS_WEIGHTS: table}
    state = (params, jax.eval_shape(optimizer.init, params), table)
    axis = None if tables is None else 0
    if tables is not None:
        state = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((num_devices, *leaf.shape), leaf.dtype), state)
    whole = jax.pmap(
        step,
        axis_name=DEVICES,
        in_axes=(axis, 0, 0, None),
        out_axes=(axis, 0),
        donate_argnums=0,
        devices=jax.devices()[:num_devices],
    )
    codes = jax.ShapeDtypeStruct((num_devices, own_samples, args.shape), jnp.float32)
    identity = jax.ShapeDtypeStruct((num_devices, own_samples), jnp.int32)
    return whole, (state, codes, identity, jax.ShapeDtypeStruct((), jnp.int32))


def bytes_sent(program: str) -> int:
    """Bytes of the results of a program's collectives."""
    total = 0
    for result in COLLECTIVE.findall(program):
        for kind, dims in re.findall(r"([a-z]+\d+)\[([\d,]*)\]", result):
            size = BYTES[kind]
            for dim in filter(None, dims.split(",")):
                size *= int(dim)
            total += size
    return total


def seconds_of(step, shapes, repeats: int = 5) -> float:
    """The median of several steps, after one that is not counted."""
    import jax
    import jax.numpy as jnp

    state, codes, identity, count = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.5).astype(leaf.dtype), shapes)
    state, _ = jax.block_until_ready(step(state, codes, identity, count))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, codes, identity, count))
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
