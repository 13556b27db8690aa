"""What does rendering cost on one CPU core, in C++ and in plain JAX?

    taskset -c 0 python -m experiments.benchmarks.rasterizer
    taskset -c 0 python -m experiments.benchmarks.rasterizer --mesh neutral.obj

Prints milliseconds of CPU time (not wall time: other work on the machine does not count) per image: the median over
runs of the whole process's time, for both backends in the same process, forward and with the gradient with respect to
the vertices (for `render`: to everything). Without --mesh the surface is a bumpy dome of 36,100 vertices and 71,442
triangles, all facing the viewer. Operations: `rasterize` alone, from clip space; `attributes` starts from pixels and
adds three interpolated channels; `render` is the whole image with UV, texture, normals and shading. Results go to a
JSON file too (--out).
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

# One thread for XLA too, or its idle workers would be counted. Before JAX starts.
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sirjax.geometry.camera import clip_positions
from sirjax.geometry.rotation import rotation_from_euler
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import available_backends, rasterize
from sirjax.render.renderer import render

CASES = (((112, 96), 1), ((112, 96), 32), ((224, 224), 32))
OPERATIONS = ("rasterize", "attributes", "render")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesh", type=Path, help="OBJ file to use instead of the dome")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=OPERATIONS)
    parser.add_argument("--backends", nargs="+", default=("cpu", "xla"))
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/rasterizer.json"))
    args = parser.parse_args()

    vertices, triangles = read_obj(args.mesh) if args.mesh else bumpy_dome()
    print(f"{len(vertices)} vertices, {len(triangles)} triangles; CPU ms per image, median of {args.runs} runs")
    print(f"{'operation':<11}{'size':<9}{'batch':>5}  " + "".join(f"{b:>9}{b + ' +grad':>12}" for b in args.backends))
    rows = []
    for operation in args.operations:
        for size, batch in CASES:
            row = {"operation": operation, "size": size, "batch": batch}
            for backend in args.backends:
                if reason := available_backends()[backend]:
                    raise SystemExit(f"backend {backend} does not work here: {reason}")
                forward, gradient, inputs = workload(operation, vertices, triangles, size, batch, backend)
                row[backend] = cpu_milliseconds(forward, inputs, args.runs) / batch
                row[f"{backend}_gradient"] = cpu_milliseconds(gradient, inputs, args.runs) / batch
            figures = "".join(f"{row[b]:>9.2f}{row[f'{b}_gradient']:>12.2f}" for b in args.backends)
            print(f"{operation:<11}{size[0]}x{size[1]:<5}{batch:>5}  {figures}", flush=True)
            rows.append(row)
    if {"cpu", "xla"} <= set(args.backends):
        ratios = [row["xla"] / row["cpu"] for row in rows] + [row["xla_gradient"] / row["cpu_gradient"] for row in rows]
        print(f"C++ is {min(ratios):.1f} to {max(ratios):.1f} times faster than plain JAX")
    args.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"mesh": args.mesh.name if args.mesh else "dome", "vertices": len(vertices), "triangles": len(triangles)}
    record |= {"jax": jax.__version__, "processor": platform.machine(), "unit": "CPU ms per image", "rows": rows}
    args.out.write_text(json.dumps(record, indent=1), encoding="utf-8")


def workload(operation: str, vertices, triangles, size, batch: int, backend: str) -> tuple[Callable, Callable, tuple]:
    """A jitted forward function, its value and gradient with respect to the vertices, and inputs for both."""
    rng = np.random.default_rng(0)
    projected, normals = (jnp.asarray(x, jnp.float32) for x in posed(vertices, triangles, size, batch, rng))
    albedo = jnp.asarray(rng.uniform(size=(batch, 256, 256, 3)), jnp.float32)
    light = jnp.asarray(rng.normal(size=(batch, 9, 3)) * 0.2 + 0.3, jnp.float32)
    uv = jnp.asarray((vertices[:, :2] + 1) / 2, jnp.float32)
    triangles = jnp.asarray(triangles)

    if operation == "rasterize":
        projected = clip_positions(projected, size)

    def rasterized(positions, normals, albedo, light):
        return rasterize(positions, triangles, size, backend=backend)

    def attributes(projected, normals, albedo, light):
        fragments = rasterize(clip_positions(projected, size), triangles, size, backend=backend)
        return interpolate(normals, triangles, fragments, backend=backend)

    def whole(projected, normals, albedo, light):
        mesh = {"triangles": triangles, "uv": uv, "uv_triangles": triangles}
        return render(projected, normals, albedo, light, **mesh, image_size=size, backend=backend).image

    function = {"rasterize": rasterized, "attributes": attributes, "render": whole}[operation]
    weight = jnp.asarray(rng.normal(size=(batch, *size, 3)), jnp.float32)

    def loss(*inputs):
        *inputs, weight = inputs
        result = function(*inputs)
        return jnp.sum((result.barycentric if operation == "rasterize" else result) * weight)

    wanted = (0, 1, 2, 3) if operation == "render" else 0
    gradient = jax.jit(jax.value_and_grad(loss, argnums=wanted))
    return jax.jit(lambda *inputs: function(*inputs[:-1])), gradient, (projected, normals, albedo, light, weight)


def cpu_milliseconds(function: Callable[..., Array], inputs: tuple, runs: int) -> float:
    """Median processor time of a call, after two calls to warm up."""
    for _ in range(2):
        jax.block_until_ready(function(*inputs))
    spent = []
    for _ in range(runs):
        start = time.process_time()
        jax.block_until_ready(function(*inputs))
        spent.append(time.process_time() - start)
    return 1e3 * statistics.median(spent)


def posed(vertices, triangles, size, batch: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """The mesh in random head poses filling 85 % of the image: projected vertices (pixels) and normals."""
    angles = rng.uniform(-1, 1, size=(3, batch)) * np.array([[0.3], [0.6], [0.2]])
    rotation = np.asarray(rotation_from_euler(*jnp.asarray(angles, jnp.float32)), np.float64)
    turned = np.einsum("bij,vj->bvi", rotation, vertices)
    height, width = size
    scale = 0.425 * height
    center = np.array([(width - 1) / 2, (height - 1) / 2, 0])
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, triangles[:, k], np.cross(b - a, c - a))
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return turned * scale * np.array([1, -1, 1]) + center, np.einsum("bij,vj->bvi", rotation, normals)


def bumpy_dome(grid: int = 190) -> tuple[np.ndarray, np.ndarray]:
    """A face-sized surface in [-1, 1]: half an ellipsoid with bumps, as dense as a head model's face."""
    x, y = np.meshgrid(np.linspace(-0.8, 0.8, grid), np.linspace(1, -1, grid))
    height = np.sqrt(np.maximum(1.1 - (x / 0.85) ** 2 - (y / 1.1) ** 2, 0.01)) + 0.03 * np.sin(9 * x) * np.cos(7 * y)
    number = np.arange(grid * grid).reshape(grid, grid)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    triangles = np.stack([np.stack([a, c, b], axis=-1), np.stack([d, b, c], axis=-1)]).reshape(-1, 3)
    return np.stack([x, y, 0.7 * height - 0.4], axis=-1).reshape(-1, 3), triangles.astype(np.int32)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vertices, scaled into [-1, 1], and triangles of an OBJ file; polygons become fans."""
    vertices, triangles = [], []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            kind, *values = line.split() or [""]
            if kind == "v":
                vertices.append([float(value) for value in values[:3]])
            elif kind == "f":
                corners = [int(value.split("/")[0]) - 1 for value in values]
                triangles += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    points = np.array(vertices)
    points -= (points.max(axis=0) + points.min(axis=0)) / 2
    return points / np.abs(points).max(), np.array(triangles, np.int32)


if __name__ == "__main__":
    main()
