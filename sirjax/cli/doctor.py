"""`sirjax doctor`: what works on this machine, what does not, and what would help."""

import argparse
import platform
from importlib import metadata

import jax

from sirjax.render.backends import PLATFORMS, available_backends, resolve
from sirjax.render.native import cuda_loader
from sirjax.render.native.loader import NativeUnavailable
from sirjax.render.self_test import self_test

PACKAGES = ("sirjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "torch", "nvdiffrast")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `sirjax doctor`."""
    parser.add_argument("--backend", help="check this rendering backend only")
    parser.add_argument(
        "--build-cuda",
        action="store_true",
        help="compile the CUDA rasterizer into the cache, also on a machine without a GPU, and stop",
    )


def run(args: argparse.Namespace) -> int:
    """Prints versions, devices and the state of each rendering backend.

    Returns 0 if at least one backend (or the one asked for) renders and differentiates correctly, else 1.
    """
    if args.build_cuda:
        return _build_cuda()
    print(f"Python {platform.python_version()} on {platform.platform()}")
    for name in PACKAGES:
        print(f"  {name} {_version(name)}")
    print("Devices: " + ", ".join(str(device) for device in jax.devices()))
    print("Rendering backends:")
    reasons = available_backends()
    if args.backend and args.backend not in reasons:
        print(f"  {args.backend}: there is no such backend; choose one of {', '.join(reasons)}")
        return 1
    working = 0
    for name, reason in reasons.items():
        if args.backend in (None, name):
            problem = reason or self_test(name, PLATFORMS[name])
            working += not problem
            print(f"  {name}: {problem or 'works (rendered a triangle, gradients match finite differences)'}")
    if not args.backend:
        chosen = resolve("auto")
        print(
            f'"auto" takes {chosen.cpu} in programs for CPUs, {chosen.cuda} for NVIDIA GPUs, {chosen.other} for others.'
        )
    if not working:
        print("No backend works: training and rendering are not possible.")
    return 0 if working else 1


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


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"
