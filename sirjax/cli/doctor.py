"""What works on this machine, what does not, and what would help.

examples:
  sirjax doctor
  sirjax doctor --backend cpu         one rendering backend only
  sirjax doctor --json | jq .advice   for machines

Exit code 0 if at least one rendering backend (or the one asked for) draws and differentiates correctly, else 1.
"""

import argparse
import importlib.util
import json
import platform
from importlib import metadata
from typing import Any

import jax

from sirjax.cli.errors import EXTRAS
from sirjax.cli.hardware import idle_gpu
from sirjax.cli.parsing import nearest
from sirjax.render.backends import PLATFORMS, available_backends, resolve
from sirjax.render.native import cuda_loader
from sirjax.render.native.loader import NativeUnavailable
from sirjax.render.self_test import self_test

PACKAGES = ("sirjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "torch", "nvdiffrast")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `sirjax doctor`."""
    parser.add_argument("--backend", help="check this rendering backend only")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument(
        "--build-cuda",
        action="store_true",
        help="compile the CUDA rasterizer into the cache, also on a machine without a GPU, and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Prints versions, devices and the state of each rendering backend; returns the exit code."""
    if args.build_cuda:
        return _build_cuda()
    reasons = available_backends()
    if args.backend and args.backend not in reasons:
        like = nearest(args.backend, reasons)
        hint = f"did you mean {like}? Choose" if like else "choose"
        print(f"  {args.backend}: there is no such backend; {hint} one of {', '.join(reasons)}")
        return 1
    found = examine({name: reason for name, reason in reasons.items() if args.backend in (None, name)})
    print(json.dumps(found, indent=2) if args.json else "\n".join(described(found, whole=not args.backend)))
    return 0 if any(not problem for problem in found["backends"].values()) else 1


def examine(reasons: dict[str, str]) -> dict[str, Any]:
    """All that is to be known, as plain JSON.

    Args:
      reasons: rendering backends and why they are not available; those that are get tested.
    """
    problems = {name: reason or self_test(name, PLATFORMS[name]) for name, reason in reasons.items()}
    chosen = resolve("auto")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "devices": [str(device) for device in jax.devices()],
        "backends": problems,  # "" for those that work
        "auto": {"cpu": chosen.cpu, "cuda": chosen.cuda, "other": chosen.other},
        "missing_extras": missing_extras(),
        "advice": [advice for advice in (idle_gpu(),) if advice],
    }


def described(found: dict[str, Any], *, whole: bool = True) -> list[str]:
    """What `examine` found, as lines; without the choice of a backend if not all were looked at."""
    works = "works (rendered a triangle, gradients match finite differences)"
    auto = found["auto"]
    lines = [
        f"Python {found['python']} on {found['platform']}",
        *(f"  {name} {version or 'is not installed'}" for name, version in found["packages"].items()),
        "Devices: " + ", ".join(found["devices"]),
        "Rendering backends:",
        *(f"  {name}: {problem or works}" for name, problem in found["backends"].items()),
    ]
    if whole:
        programs = f"{auto['cpu']} in programs for CPUs, {auto['cuda']} for NVIDIA GPUs, {auto['other']} for others"
        lines.append(f'"auto" takes {programs}.')
    if all(found["backends"].values()):
        lines.append("No backend works: training and rendering are not possible.")
    if found["missing_extras"]:
        lines.append("Extras that are not installed:")
    lines += [f"  {name}: pip install 'sirjax[{name}]'" for name in found["missing_extras"]]
    return lines + [f"Advice: {advice}" for advice in found["advice"]]


def missing_extras() -> list[str]:
    """The extras of which a module is missing."""
    missing = {extra for module, extra in EXTRAS.items() if importlib.util.find_spec(module) is None}
    return [extra for extra in dict.fromkeys(EXTRAS.values()) if extra in missing]


def _build_cuda() -> int:
    """Compiles the CUDA rasterizer and says where it is, or why it cannot be built; returns the exit status."""
    try:
        library = cuda_loader.build_into_cache()
        cuda_loader.open_library(library, cuda_loader.HANDLERS, cuda_loader.INTERFACE)
    except NativeUnavailable as reason:
        print(f"The CUDA rasterizer cannot be built: {reason}")
        return 1
    print(f"The CUDA rasterizer is in {library} ({library.stat().st_size / 1e6:.1f} MB).")
    return 0


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
