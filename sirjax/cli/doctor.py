"""`sirjax doctor`: what works on this machine, what does not, and what would help."""

import argparse
import platform
from importlib import metadata

import jax

from sirjax.render.backends import available_backends
from sirjax.render.self_test import self_test

PACKAGES = ("sirjax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `sirjax doctor`."""
    parser.add_argument("--backend", help="check this rendering backend only")


def run(args: argparse.Namespace) -> int:
    """Prints versions, devices and the state of each rendering backend.

    Returns 0 if at least one backend (or the one asked for) renders and differentiates correctly, else 1.
    """
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
            problem = reason or self_test(name)
            working += not problem
            print(f"  {name}: {problem or 'works (rendered a triangle, gradients match finite differences)'}")
    if not working:
        print("No backend works: training and rendering are not possible.")
    return 0 if working else 1


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"
