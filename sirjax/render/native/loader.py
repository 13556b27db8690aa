"""Finds, checks and registers the C++ handlers; never raises, so that a machine without a compiler still renders.

Order: the library built at installation, then one built on first use against the running jaxlib's headers and kept in
the user's cache. A library whose FFI headers are newer than the running jaxlib's must not be registered: it would keep
JAX's CPU backend from starting at all. The environment variable SIRJAX_NATIVE=0 turns the C++ path off.
"""

import ctypes
import functools
import hashlib
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jax

INTERFACE = 1  # raise it together with sirjax_interface() in rasterize_cpu.cc
HANDLERS = (
    "sirjax_rasterize",
    "sirjax_rasterize_gradient",
    "sirjax_interpolate",
    "sirjax_interpolate_gradient_attributes",
    "sirjax_interpolate_gradient_barycentric",
    "sirjax_sample_texture",
    "sirjax_sample_texture_gradient_texture",
    "sirjax_sample_texture_gradient_uv",
)
SOURCES = Path(__file__).parent
PREBUILT = SOURCES / "_rasterize_cpu.so"
FLAGS = ("-std=c++17", "-O3", "-DNDEBUG", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off", "-pthread")
BUILD_SECONDS = 300

logger = logging.getLogger(__name__)


class NativeUnavailable(Exception):
    """Why the C++ handlers cannot be used, and what would help."""


@functools.cache
def unavailable() -> str:
    """Loads and registers the handlers on first call; returns "" on success, else the reason (logged once)."""
    try:
        if os.environ.get("SIRJAX_NATIVE", "1") == "0":
            raise NativeUnavailable("SIRJAX_NATIVE=0 turns it off; unset it")
        library = load_library()
        for name in HANDLERS:
            jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    except NativeUnavailable as reason:
        logger.warning("no C++ rasterizer, using the slower XLA one: %s", reason)
        return str(reason)
    return ""


def load_library() -> ctypes.CDLL:
    """The first library that exists, fits the running jaxlib and has all handlers.

    Raises:
      NativeUnavailable: if there is none, with the reason for each candidate.
    """
    try:
        return open_library(PREBUILT)
    except NativeUnavailable as reason:
        prebuilt_reason = reason
    try:
        return open_library(build_into_cache())
    except NativeUnavailable as reason:
        raise NativeUnavailable(f"{prebuilt_reason}; {reason}") from None


def open_library(path: Path, handlers: Sequence[str] = HANDLERS, expected_interface: int = INTERFACE) -> ctypes.CDLL:
    """Opens a library after checking that the running jaxlib accepts it."""
    if not path.exists():
        raise NativeUnavailable(f"{path.name} was not built at installation")
    try:
        library = ctypes.CDLL(str(path))
        version = (library.sirjax_ffi_api_major(), library.sirjax_ffi_api_minor())
        interface = library.sirjax_interface()
        for name in handlers:
            getattr(library, name)
    except (OSError, AttributeError) as error:
        raise NativeUnavailable(f"{path} is not a library of this version ({error})") from None
    if interface != expected_interface:
        raise NativeUnavailable(f"{path} has interface {interface}, not {expected_interface}: install again")
    running = runtime_version()
    if version[0] != running[0] or version[1] > running[1]:
        built, runs = (".".join(map(str, numbers)) for numbers in (version, running))
        raise NativeUnavailable(f"{path} was built for XLA FFI {built}, but the running jaxlib has {runs}")
    return library


def runtime_version() -> tuple[int, int]:
    """Major and minor version of the running jaxlib's FFI, read from the headers it ships."""
    header = Path(jax.ffi.include_dir()) / "xla" / "ffi" / "api" / "c_api.h"
    try:
        text = header.read_text(encoding="utf-8")
    except OSError:
        raise NativeUnavailable(f"jaxlib's header {header} is missing; install jaxlib again") from None
    numbers = [re.search(rf"#define XLA_FFI_API_{part} (\d+)", text) for part in ("MAJOR", "MINOR")]
    if not all(numbers):
        raise NativeUnavailable(f"jaxlib's header {header} names no FFI version")
    major, minor = (int(number.group(1)) for number in numbers if number)
    return major, minor


def build_into_cache() -> Path:
    """Compiles the sources against the running jaxlib's headers, once per source, flags, compiler and jaxlib."""
    compiler = os.environ.get("CXX") or next(filter(shutil.which, ("c++", "g++", "clang++")), None)
    if compiler is None:
        raise NativeUnavailable("there is no C++ compiler to build it now; install g++ or clang++, or set CXX")
    library = cached_path("rasterize_cpu", sorted(SOURCES.glob("*.cc")), FLAGS, compiler)
    if not library.exists():
        command = [compiler, *FLAGS, "-isystem", jax.ffi.include_dir(), str(SOURCES / "rasterize_cpu.cc")]
        compile_into(library, command, BUILD_SECONDS)
    return library


def cached_path(name: str, sources: Sequence[Path], *recipe: object) -> Path:
    """Where the library made of these sources by this recipe for the running jaxlib is kept."""
    text = repr((*recipe, runtime_version(), jax.__version__)).encode()
    digest = hashlib.sha256(b"\0".join([text, *(path.read_bytes() for path in sources)])).hexdigest()[:16]
    return cache_folder() / f"{name}-{digest}.so"


def compile_into(library: Path, command: Sequence[str], seconds: float) -> None:
    """Runs a compiler's command line, to which the output file is added.

    Several processes may do so at the same time: each writes a file of its own and renames it into place.
    """
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            fresh = Path(scratch) / library.name
            subprocess.run([*command, "-o", str(fresh)], check=True, capture_output=True, text=True, timeout=seconds)
            os.replace(fresh, library)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if "error" in line] or error.stderr.splitlines()
        raise NativeUnavailable(f"{command[0]} failed: {lines[0] if lines else 'no message'}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NativeUnavailable(f"building it with {command[0]} in {library.parent} failed: {error}") from None


def cache_folder() -> Path:
    """$XDG_CACHE_HOME/sirjax, by default ~/.cache/sirjax."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sirjax"
