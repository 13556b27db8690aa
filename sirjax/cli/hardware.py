"""What this machine has and JAX does not use."""

import os
from pathlib import Path

import jax

NVIDIA = (Path("/dev/nvidia0"), Path("/proc/driver/nvidia/version"))


def idle_gpu() -> str:
    """Why the NVIDIA GPU of this machine lies idle, with the remedy; "" if it does not, or if there is none."""
    found = [path for path in NVIDIA if path.exists()]
    if not found or jax.default_backend() != "cpu":
        return ""
    chosen = os.environ.get("JAX_PLATFORMS", "")
    if chosen and "cuda" not in chosen and "gpu" not in chosen:
        return f"JAX_PLATFORMS={chosen} keeps JAX from the NVIDIA GPU of this machine; unset it"
    return (
        f"this machine has an NVIDIA GPU ({found[0]}) and JAX does not see it; for CUDA 13 (drivers from 580 on): "
        "pip install -U 'jax[cuda13]', for older drivers: pip install -U 'jax[cuda12]'"
    )
