"""The GPU rasterizers: do they agree, and how fast are they? The one command for a machine with an NVIDIA GPU.

    python -m experiments.benchmarks.gpu                 # everything; some minutes
    python -m experiments.benchmarks.gpu --quick         # small, to see that it runs

1. builds the CUDA rasterizer (nvcc) and asks every backend for its self-test;
2. compares `cuda`, `nvdiffrast`, `xla` and nvdiffrast's own torch operations with `cpu`: coverage, interpolated
   attributes, gradients (never triangle numbers: nvdiffrast moves vertices to sixteenths of a pixel);
3. wall milliseconds per image, forward and with the gradient, for each backend;
4. images per second of the whole train step in float32 and bfloat16, on random images.

What needs a GPU is marked "not measured: no GPU" on a machine without one. Writes results.json (--out).
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from configs import default
from experiments.benchmarks.rasterizer import bumpy_dome, posed
from experiments.benchmarks.train_step import random_batch
from sirjax.geometry.camera import clip_positions
from sirjax.morphable.builtin import builtin_face_model
from sirjax.render.backends import NAMES, PLATFORMS, available_backends, has_gpu
from sirjax.render.interpolate import interpolate
from sirjax.render.native import cuda_loader
from sirjax.render.native.loader import NativeUnavailable
from sirjax.render.rasterize import rasterize
from sirjax.render.self_test import self_test
from sirjax.training import setup
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step

NO_GPU = "not measured: no GPU"
GPU_BACKENDS = ("nvdiffrast", "cuda", "xla")
SIZES = ((112, 96), (224, 224))
BATCHES = (1, 32, 128)
# Shares of pixels, and relative sizes, that rounding explains. nvdiffrast snaps vertices: its outline moves by up to a
# sixteenth of a pixel, and so do values inside.
LIMITS = {
    "cuda": {"coverage": 0.0, "attributes": 1e-5, "gradients": 1e-4},
    "xla": {"coverage": 1e-3, "attributes": 1e-3, "gradients": 1e-2},
    "nvdiffrast": {"coverage": 0.01, "attributes": 0.02, "gradients": 0.2},
    "nvdiffrast in torch": {"coverage": 0.01, "attributes": 0.02, "gradients": 0.2},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/gpu"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128], help="batch sizes of the train step")
    parser.add_argument("--preset", default="sphere64", help="networks of the train step")
    parser.add_argument("--quick", action="store_true", help="a coarse mesh, one size, few runs")
    parser.add_argument(
        "--no-build", action="store_true", help="do not compile the CUDA rasterizer where there is no GPU"
    )
    args = parser.parse_args()

    results: dict = {
        "machine": machine(),
        "cuda_library": "not built" if args.no_build else build(),
        "backends": states(),
    }
    print(json.dumps(results, indent=1))
    mesh = bumpy_dome(20 if args.quick else 190)
    sizes, batches = (SIZES[:1], BATCHES[:1]) if args.quick else (SIZES, BATCHES)
    results["agreement"] = agreement(mesh, sizes[0])
    results["rasterizer"] = [row(mesh, size, batch, args.runs) for size in sizes for batch in batches]
    results["training"] = training(args.preset, args.batch)
    args.out.mkdir(parents=True, exist_ok=True)
    unfinished = args.out / "results.json.tmp"
    unfinished.write_text(json.dumps(results, indent=1), encoding="utf-8")
    unfinished.replace(args.out / "results.json")
    print(report(results))


def machine() -> dict:
    devices = [f"{device.platform}: {device.device_kind}" for device in jax.devices()]
    return {"python": platform.python_version(), "jax": jax.__version__, "devices": devices}


def build() -> str:
    """Compiles the CUDA rasterizer, which needs nvcc but no GPU; "" or why it cannot be built."""
    try:
        cuda_loader.open_library(cuda_loader.build_into_cache(), cuda_loader.HANDLERS, cuda_loader.INTERFACE)
    except NativeUnavailable as reason:
        return str(reason)
    return ""


def states() -> dict[str, str]:
    """Each backend's self-test: "" if it renders and its gradients are right, else what is wrong."""
    return {name: reason or self_test(name, PLATFORMS[name]) for name, reason in available_backends().items()}


def backends_here() -> list[str]:
    """Those that work on the machine's best device, and the reference."""
    wanted = NAMES if has_gpu() else ("cpu", "xla")
    return [name for name in wanted if not available_backends()[name]]


def scene(mesh, size: tuple[int, int], batch: int, backend: str) -> tuple[Callable, Callable, tuple]:
    """Functions to coverage and attributes, and to the gradient by vertices, and their inputs on the right device."""
    vertices, triangles = mesh
    rng = np.random.default_rng(0)
    projected, normals = (np.asarray(x, np.float32) for x in posed(vertices, triangles, size, batch, rng))
    weight = rng.normal(size=(batch, *size, 3)).astype(np.float32)

    def draw(projected, normals):
        fragments = rasterize(clip_positions(projected, size), jnp.asarray(triangles), size, backend=backend)
        return fragments.triangle_id >= 0, interpolate(normals, jnp.asarray(triangles), fragments, backend=backend)

    def loss(projected, normals, weight):
        return jnp.sum(draw(projected, normals)[1] * weight)

    device = jax.devices("cpu")[0] if backend == "cpu" else jax.devices()[0]
    inputs = tuple(jax.device_put(x, device) for x in (projected, normals, weight))
    return jax.jit(draw), jax.jit(jax.value_and_grad(loss)), inputs


def agreement(mesh, size: tuple[int, int], batch: int = 8) -> dict:
    """Of each backend against `cpu`: share of pixels whose coverage differs, differences of values and gradients."""

    def outcome(backend: str):
        forward, gradient, inputs = scene(mesh, size, batch, backend)
        return jax.device_get((*forward(*inputs[:2]), gradient(*inputs)[1]))

    expected = outcome("cpu") if "cpu" in backends_here() else outcome("xla")
    found = {name: compare(outcome(name), expected, name) for name in backends_here() if name != "cpu"}
    for name in ("cuda", "nvdiffrast", "nvdiffrast in torch"):
        found.setdefault(name, NO_GPU if not has_gpu() else f"not measured: {name} is not available")
    if has_gpu() and not available_backends()["nvdiffrast"]:
        name = "nvdiffrast in torch"
        found[name] = compare(by_torch(mesh, size, batch), expected, name)
    return found


def compare(got, expected, name: str) -> dict:
    both = got[0] & expected[0]
    attributes = np.abs(got[1] - expected[1])[both]
    scale = np.linalg.norm(expected[2])
    figures = {
        "coverage": float((got[0] != expected[0]).mean()),
        "attributes": float(attributes.mean()),
        "gradients": float(np.linalg.norm(got[2] - expected[2]) / scale),
    }
    agrees = all(figures[key] <= limit for key, limit in LIMITS[name].items())
    return figures | {"agrees": agrees, "limits": LIMITS[name]}


def by_torch(mesh, size: tuple[int, int], batch: int):
    """The same scene by nvdiffrast's own operations, without JAX."""
    import nvdiffrast.torch as dr
    import torch

    vertices, triangles = mesh
    rng = np.random.default_rng(0)
    projected, normals = (np.asarray(x, np.float32) for x in posed(vertices, triangles, size, batch, rng))
    weight = torch.tensor(rng.normal(size=(batch, *size, 3)).astype(np.float32), device="cuda")
    moves = jax.vjp(lambda p: clip_positions(p, size), jnp.asarray(projected))
    positions = torch.tensor(np.array(moves[0]), device="cuda", requires_grad=True)
    corners = torch.tensor(triangles, device="cuda")
    found, _ = dr.rasterize(dr.RasterizeCudaContext(), 32 * positions, corners, list(size), grad_db=False)
    values, _ = dr.interpolate(torch.tensor(normals, device="cuda"), found, corners)
    torch.sum(values * weight).backward()
    by_projected = moves[1](jnp.asarray(positions.grad.cpu().numpy()))[0]
    return (found[..., 3] > 0).cpu().numpy(), values.detach().cpu().numpy(), np.asarray(by_projected)


def row(mesh, size: tuple[int, int], batch: int, runs: int) -> dict:
    """Wall milliseconds per image of each backend on the GPU."""
    figures: dict = {"size": list(size), "batch": batch}
    for name in GPU_BACKENDS:
        if not has_gpu():
            figures[name] = NO_GPU
        elif reason := available_backends()[name]:
            figures[name] = f"not measured: {reason}"
        else:
            forward, gradient, inputs = scene(mesh, size, batch, name)
            figures[name] = {
                "forward": 1e3 * seconds(forward, inputs[:2], runs) / batch,
                "with gradient": 1e3 * seconds(gradient, inputs, runs) / batch,
            }
    return figures


def seconds(function: Callable, inputs: tuple, runs: int, calls: int = 10) -> float:
    """Median over runs of the time of one of several calls in a row, after two to warm up."""
    for _ in range(2):
        jax.block_until_ready(function(*inputs))
    spent = []
    for _ in range(runs):
        start = time.perf_counter()
        for _ in range(calls):
            result = function(*inputs)
        jax.block_until_ready(result)
        spent.append((time.perf_counter() - start) / calls)
    return statistics.median(spent)


def training(preset: str, batches: list[int]) -> list[dict]:
    """Images per second of the train step on one GPU, for each compute type and batch size."""
    cases = [(dtype, batch) for dtype in ("float32", "bfloat16") for batch in batches]
    return [
        {"preset": preset, "dtype": dtype, "batch": batch, "images_per_second": train_speed(preset, dtype, batch)}
        for dtype, batch in cases
    ]


def train_speed(preset: str, dtype: str, batch: int, steps: int = 20) -> float | str:
    if not has_gpu():
        return NO_GPU
    config = default.get_config()
    config.losses.perceptual = 0.0
    config.networks.preset, config.networks.dtype = preset, dtype
    model = builtin_face_model()
    networks = setup.make_networks_for(config.networks, model)
    frozen, method = setup.make_frozen(config, model), setup.make_method(config, model)
    optimizer = make_optimizer(make_schedule("constant", learning_rate=1e-4, total_steps=1))
    state = initial_state(networks, optimizer, num_identities=1000, num_shape=model.num_shape, seed=0)
    step = jax.jit(make_train_step(networks, optimizer, method), donate_argnums=0)
    inputs = jax.device_put(random_batch(batch))
    for _ in range(3):
        state, _ = jax.block_until_ready(step(state, inputs, frozen))
    start = time.perf_counter()
    for _ in range(steps):
        state, _ = step(state, inputs, frozen)
    jax.block_until_ready(state)
    return steps * batch / (time.perf_counter() - start)


def report(results: dict) -> str:
    """The results as tables to paste into a page."""
    lines = ["", "| against cpu | coverage differs | attributes | gradients | agrees |", "|---|---|---|---|---|"]
    for name, found in results["agreement"].items():
        if isinstance(found, str):
            lines.append(f"| {name} | {found} | | | |")
        else:
            numbers = " | ".join(f"{found[key]:.2g}" for key in ("coverage", "attributes", "gradients"))
            lines.append(f"| {name} | {numbers} | {'yes' if found['agrees'] else 'NO'} |")
    lines += ["", "| ms per image | batch | " + " | ".join(f"{n} | + gradient" for n in GPU_BACKENDS) + " |"]
    lines.append("|---" * (2 + 2 * len(GPU_BACKENDS)) + "|")
    for figures in results["rasterizer"]:
        cells = [milliseconds(figures[name]) for name in GPU_BACKENDS]
        lines.append(f"| {figures['size'][0]}x{figures['size'][1]} | {figures['batch']} | {' | '.join(cells)} |")
    lines += ["", "| train step | compute type | batch | images/s |", "|---|---|---|---|"]
    for case in results["training"]:
        speed = case["images_per_second"]
        lines.append(
            f"| {case['preset']} | {case['dtype']} | {case['batch']} | "
            f"{speed if isinstance(speed, str) else format(speed, '.0f')} |"
        )
    return "\n".join(lines)


def milliseconds(figures: dict | str) -> str:
    if isinstance(figures, str):
        return f"{figures} | "
    return f"{figures['forward']:.3f} | {figures['with gradient']:.3f}"


if __name__ == "__main__":
    main()
