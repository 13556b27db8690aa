"""Finds, builds, checks and registers the CUDA handlers; never raises on import and never needs a GPU to build.

The library is compiled by nvcc on first use, for every architecture from sm_75 on that this nvcc knows and as PTX of
the newest for those to come, and kept in the user's cache. A library that is there already is used without nvcc: a
login node can build it for machines that have no compiler (`sirjax doctor --build-cuda`).
"""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import jax

from sirjax.render.native.loader import (
    SOURCES,
    NativeUnavailable,
    cached_path,
    compile_into,
    open_library,
)

INTERFACE = 1  # raise it together with sirjax_interface() in rasterize_cuda.cu
HANDLERS = ("sirjax_rasterize_cuda", "sirjax_rasterize_gradient_cuda")
FILES = ("rasterize_cuda.cu", "triangle.h")
OLDEST = 75  # Turing; older ones lack nothing, but CUDA 13 dropped them
FLAGS = ("-std=c++17", "-O3", "-DNDEBUG", "-fmad=false", "-shared", "-Xcompiler", "-fPIC,-fvisibility=hidden")
BUILD_SECONDS = 1800  # a dozen architectures on a busy machine


@functools.cache
def unavailable() -> str:
    """Loads (on first use: builds) and registers the handlers for CUDA; returns "" or the reason why not.

    Stateless handlers: they may be registered before or after JAX starts its CUDA backend, also where there is none.
    """
    try:
        library = open_library(build_into_cache(), HANDLERS, INTERFACE)
        for name in HANDLERS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="CUDA")
    except NativeUnavailable as reason:
        return str(reason)
    return ""


def build_into_cache() -> Path:
    """The library in the user's cache, compiled by nvcc if it is not there yet.

    Raises:
      NativeUnavailable: without nvcc, or if it fails.
    """
    library = cached_path("rasterize_cuda", [SOURCES / name for name in FILES], FLAGS)
    if library.exists():
        return library
    nvcc = find_nvcc()
    command = [nvcc, *FLAGS, *code_for(known_architectures(nvcc)), "-isystem", jax.ffi.include_dir()]
    compile_into(library, [*command, str(SOURCES / FILES[0])], BUILD_SECONDS)
    return library


def find_nvcc() -> str:
    """CUDA's compiler: $CUDACXX, else on the PATH, else below $CUDA_HOME or /usr/local/cuda."""
    homes = [os.environ.get("CUDA_HOME", ""), os.environ.get("CUDA_PATH", ""), "/usr/local/cuda"]
    places = [os.environ.get("CUDACXX", ""), "nvcc", *(f"{home}/bin/nvcc" for home in homes if home)]
    for place in filter(None, places):
        if found := shutil.which(place):
            return found
    raise NativeUnavailable(
        "there is no nvcc to build it: install the CUDA toolkit of your driver's version (12 or newer), or set CUDACXX"
    )


def known_architectures(nvcc: str) -> list[int]:
    """Compute capabilities (times ten) that this nvcc compiles for, from sm_75 on, the oldest first."""
    try:
        listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, timeout=120, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise NativeUnavailable(f"{nvcc} --list-gpu-arch failed: {error}") from None
    known = sorted({int(number) for number in re.findall(r"compute_(\d+)\b", listed.stdout)})
    usable = [number for number in known if number >= OLDEST]
    if not usable:
        raise NativeUnavailable(f"{nvcc} knows no architecture from sm_{OLDEST} on: install a newer CUDA toolkit")
    return usable


def code_for(architectures: Sequence[int]) -> list[str]:
    """nvcc's options: machine code for each architecture, PTX of the newest for those after it."""
    machine_code = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in architectures]
    newest = max(architectures)
    return [*machine_code, f"-gencode=arch=compute_{newest},code=compute_{newest}", "--threads=0"]
