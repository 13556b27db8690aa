"""Does the whole train step compile for a TPU pod, and what will it cost there? Nothing is allocated or run.

    python -m experiments.benchmarks.compile_step --lower              # one program for cpu, cuda and tpu
    pip install sirjax[tpu]                                            # libtpu: the compiler; needs no TPU
    python -m experiments.benchmarks.compile_step --tpu v5e:2x4 --preset sphere64 --batch 32
    python -m experiments.benchmarks.compile_step --tpu v5e:16x16 --dtype bfloat16 --tables sharded --identities 1e6
    python -m experiments.benchmarks.scaling                           # writes the tables of docs/scaling.md

The step is the one `sirjax train` runs (networks, face model, renderer, losses, gradients, all-reduce, optimizer,
centers; `parallel_step` under `jax.pmap`), with arrays that have a shape and a type but no values.

--lower writes one StableHLO program with every platform's rasterizer in it, and each platform's own, and lists which
custom calls are in which. --tpu compiles for the chips of a topology that libtpu knows and records the compiler's own
account: seconds, memory per device, FLOPs, bytes, collectives. Figures are added to compiled_steps.json (--out).
"""

import argparse
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp

from configs import default
from experiments.benchmarks.collectives import bytes_on_the_wire, collectives_of
from sirjax.constants import IMAGE_SIZE
from sirjax.files import write_text
from sirjax.morphable.builtin import builtin_face_model
from sirjax.networks.vgg16 import VGG16_LAYERS
from sirjax.render import backends
from sirjax.training import setup
from sirjax.training.identity_table import is_sharded, is_table
from sirjax.training.optimizer import make_schedule
from sirjax.training.parallel import parallel_step
from sirjax.training.state import TrainState, initial_state
from sirjax.training.terms import Frozen
from sirjax.types import Batch

RESULTS = Path(__file__).parent / "compiled_steps.json"
PLATFORMS = ("cpu", "cuda", "tpu")
# libtpu asks the network which TPU this machine has; these answers let it start where there is none. The kind that is
# named here does not limit the topologies it compiles for.
WITHOUT_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
    "TPU_ACCELERATOR_TYPE": "v5litepod-8",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One train step.

    Attributes:
      preset, dtype: of the networks.
      batch: images per device.
      devices: D.
      tables, identities: `sir.tables`, and C; 0: no identities.
      perceptual: whether VGG16 compares rendering and photo.
      remat, accumulate: see configs/default.py.
    """

    preset: str = "sphere64"
    dtype: str = "float32"
    batch: int = 32
    devices: int = 1
    tables: str = "replicated"
    identities: int = 8631
    perceptual: bool = True
    remat: bool = False
    accumulate: int = 1


@dataclasses.dataclass(frozen=True)
class AbstractStep:
    """The step of one device, and shapes and types of the arguments of the step of all."""

    of_one_device: Callable
    state: TrainState
    batch: Batch
    frozen: Frozen

    @property
    def arguments(self) -> tuple:
        return self.state, self.batch, self.frozen

    def on(self, devices: Sequence) -> Callable:
        """The step of all devices, as the training loop makes it."""
        return parallel_step(self.of_one_device, devices, is_split=is_sharded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lower", action="store_true", help="lower for cpu, cuda and tpu")
    parser.add_argument("--tpu", help="compile for this topology, such as v5e:2x4 or v5p:4x8x8")
    parser.add_argument("--preset", default=Case.preset)
    parser.add_argument("--dtype", default=Case.dtype, choices=("float32", "bfloat16"))
    parser.add_argument("--batch", type=int, default=Case.batch, help="images per device")
    parser.add_argument("--tables", default=Case.tables, choices=("replicated", "sharded"))
    parser.add_argument("--identities", type=float, default=Case.identities)
    parser.add_argument("--no-perceptual", action="store_true", help="without VGG16")
    parser.add_argument("--remat", action="store_true")
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--program", type=Path, help="also write the compiled program's text here")
    args = parser.parse_args()
    if not (args.lower or args.tpu):
        parser.error("say --lower, --tpu TOPOLOGY or both")
    case = Case(
        args.preset, args.dtype, args.batch, 1, args.tables, int(args.identities), not args.no_perceptual, args.remat,
        args.accumulate,
    )  # fmt: skip
    # libtpu first: it reads its surroundings when JAX starts.
    devices = tpu_devices(args.tpu) if args.tpu else []
    if args.lower:
        add_record(args.out, "lowered", lowered_record(case))
    if args.tpu:
        case = dataclasses.replace(case, devices=len(devices))
        record, program = compiled_record(case, args.tpu, devices)
        add_record(args.out, "compiled", record)
        if args.program:
            write_text(args.program, program)


def abstract_step(case: Case) -> AbstractStep:
    """The step of a case, and its arguments without values."""
    config = default.get_config()
    config.networks.preset, config.networks.dtype, config.networks.remat = case.preset, case.dtype, case.remat
    config.losses.perceptual = 0.25 if case.perceptual else 0.0
    config.sir.tables, config.optimizer.accumulate = case.tables, case.accumulate
    model = builtin_face_model()
    networks = setup.make_networks_for(config.networks, model, remat=case.remat)
    method = setup.make_method(config, model)
    sizes = {"num_identities": case.identities, "num_devices": case.devices}
    method = setup.with_tables(method, config.sir, model, **sizes)
    schedule = make_schedule("constant", learning_rate=1e-3, total_steps=1)
    optimizer = setup.make_optimizer_for(config.optimizer, schedule, method)
    config.losses.perceptual = 0.0  # VGG16's weights are not needed, only their shapes
    frozen = shapes_of(setup.make_frozen(config, model)).replace(vgg16=vgg16_shapes() if case.perceptual else None)

    def start() -> TrainState:
        return initial_state(networks, optimizer, num_identities=case.identities, num_shape=model.num_shape, seed=0)

    def share_out(path, leaf):
        if method.tables is None or not (is_table(path) and leaf.ndim == 2):
            return leaf
        return shape(leaf.dtype, case.devices, method.tables.rows, leaf.shape[1])

    return AbstractStep(
        of_one_device=setup.make_step_for(config.optimizer, networks, optimizer)(method),
        state=jax.tree.map_with_path(share_out, jax.eval_shape(start)),
        batch=batch_shapes(case.devices, case.batch),
        frozen=frozen,
    )


def shape(dtype: Any, *dims: int) -> Any:  # a ShapeDtypeStruct, which stands where arrays are declared
    return jax.ShapeDtypeStruct(dims, dtype)


def shapes_of(tree: Any) -> Any:
    """The tree with shapes and types in place of arrays."""
    return jax.tree.map(lambda leaf: shape(jnp.asarray(leaf).dtype, *leaf.shape), tree)


def batch_shapes(num_devices: int, per_device: int) -> Batch:
    lead = num_devices, per_device
    return Batch(
        image=shape(jnp.float32, *lead, *IMAGE_SIZE, 3),
        landmarks=shape(jnp.float32, *lead, 68, 2),
        has_landmarks=shape(bool, *lead),
        identity=shape(jnp.int32, *lead),
    )


def vgg16_shapes() -> dict:
    return {
        name: {"kernel": shape(jnp.float32, 3, 3, inputs, outputs), "bias": shape(jnp.float32, outputs)}
        for name, inputs, outputs in VGG16_LAYERS
    }


# Lowering: StableHLO, no compiler of the platform needed


def traced(step: AbstractStep) -> Any:
    """The step of as many of this process's devices as its batch is split over; `.lower(lowering_platforms=...)`.

    Raises:
      ValueError: if this process has fewer devices.
    """
    num_devices, here = len(step.batch.image), jax.devices()
    if len(here) < num_devices:
        raise ValueError(f"lowering for {num_devices} devices needs as many here, and there are {len(here)}")
    return jax.jit(step.on(here[:num_devices])).trace(*step.arguments)


@contextlib.contextmanager
def as_on_a_gpu_machine():
    """Lets the renderer take its CUDA library, as on a machine with a GPU and nvcc; programs can only be lowered."""
    with (
        mock.patch.object(backends, "has_gpu", return_value=True),
        mock.patch.object(backends.cuda_loader, "unavailable", return_value=""),
        mock.patch.object(backends.nvdiffrast, "unavailable", return_value="not installed"),
    ):
        yield


def custom_calls(program: str) -> list[str]:
    """The names of our handlers that a program calls."""
    return sorted(set(re.findall(r"\bsirjax_\w+", program)))


def lowered_record(case: Case) -> dict:
    """How large the program is, which handlers it calls on each platform, and its FLOPs by XLA's count on CPU."""
    step = abstract_step(case)
    with as_on_a_gpu_machine():
        start = time.process_time()
        whole = traced(step)
        program = whole.lower(lowering_platforms=PLATFORMS).as_text()
        seconds = time.process_time() - start
        alone = {platform: whole.lower(lowering_platforms=(platform,)) for platform in PLATFORMS}
    return {
        "case": dataclasses.asdict(case),
        "platforms": list(PLATFORMS),
        "cpu_seconds": round(seconds, 1),
        "megabytes": round(len(program) / 1e6, 2),
        "flops": alone["cpu"].cost_analysis()["flops"],
        "custom_calls": {"one program for all": custom_calls(program)}
        | {platform: custom_calls(lowered.as_text()) for platform, lowered in alone.items()},
        **sizes(step),
        **software(),
    }


def sizes(step: AbstractStep) -> dict:
    """What the cost model needs to know of the state."""
    parameters = sum(leaf.size for leaf in jax.tree.leaves(step.state.params["networks"]))
    return {"parameters": parameters, "num_shape": step.frozen.face_model.num_shape}


# Compiling for TPU: needs libtpu, no TPU


def tpu_devices(topology: str) -> list:
    """The chips of a topology.

    Raises:
      RuntimeError: if libtpu is not installed or does not know the topology.
    """
    from jax.experimental import topologies

    for name, value in WITHOUT_TPU.items():
        os.environ.setdefault(name, value)
    try:
        return list(topologies.get_topology_desc(topology, platform="tpu").devices)
    except Exception as error:
        remedy = "install libtpu with `pip install sirjax[tpu]`, and name a topology such as v5e:2x4"
        raise RuntimeError(f"cannot compile for TPU {topology}: {error}; {remedy}") from error


def compiled_record(case: Case, topology: str, devices: Sequence) -> tuple[dict, str]:
    """The compiler's account of a step on a TPU topology, and the compiled program's text."""
    step = abstract_step(case)
    seconds, lowered = timed(lambda: step.on(devices).lower(*step.arguments))
    record = {
        "case": dataclasses.asdict(case),
        "topology": topology,
        "device": devices[0].device_kind,
        "lower": seconds,
        **sizes(step),
    }
    seconds, compiled = timed(lowered.compile)
    return record | {"compile": seconds} | account(compiled, case.devices) | software(), compiled.as_text()


def account(compiled: Any, num_devices: int) -> dict:
    """Memory, work and traffic of a compiled program, of one device."""
    memory, costs, program = compiled.memory_analysis(), compiled.cost_analysis(), compiled.as_text()
    costs = costs[0] if isinstance(costs, list) else costs
    moved = collectives_of(program, num_devices)
    return {
        "memory": {
            "arguments": memory.argument_size_in_bytes,
            "results": memory.output_size_in_bytes,
            "in place": memory.alias_size_in_bytes,
            "temporary": memory.temp_size_in_bytes,
            "program": memory.generated_code_size_in_bytes,
        },
        "flops": costs.get("flops", 0.0),
        "bytes": costs.get("bytes accessed", 0.0),
        # The compiler's guess for each operation; a loop's body counts once, and gathers and scatters have none.
        "estimated_cycles": sum(map(int, re.findall(r'"estimated_cycles":"(\d+)"', program))),
        "collectives": [dataclasses.asdict(one) for one in moved],
        "wire_bytes": sum(bytes_on_the_wire(one, num_devices) for one in moved),
        "custom_calls": custom_calls(program),
    }


def timed(function: Callable) -> tuple[dict, Any]:
    """({"seconds": by the clock, "cpu_seconds": of all threads}, what the function returned)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    return {
        "seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
    }, result


def software() -> dict:
    versions = {name: importlib.metadata.version(name) for name in ("jax", "jaxlib")}
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        versions["libtpu"] = importlib.metadata.version("libtpu")
    return {"software": versions}


def add_record(path: Path, kind: str, record: dict) -> None:
    """Adds a record to the file, in place of one of the same case, and prints it."""
    records = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"lowered": [], "compiled": []}

    def key(one: dict) -> tuple:
        return one["case"], one.get("topology")

    records[kind] = [one for one in records[kind] if key(one) != key(record)] + [record]
    write_text(path, json.dumps(records, indent=1) + "\n")
    shown = {name: value for name, value in record.items() if name != "collectives"}
    print(json.dumps(shown, indent=1), flush=True)


if __name__ == "__main__":
    main()
