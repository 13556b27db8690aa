import ctypes
import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sirjax.render.native import loader

# A library that answers the loader's questions and has empty handlers; compiles in no time.
STUB = """
extern "C" int sirjax_ffi_api_major() {{ return {major}; }}
extern "C" int sirjax_ffi_api_minor() {{ return {minor}; }}
extern "C" int sirjax_interface() {{ return {interface}; }}
"""


def write_stub(folder, *, major=0, minor=0, interface=loader.INTERFACE, handlers=loader.HANDLERS):
    text = STUB.format(major=major, minor=minor, interface=interface)
    text += "".join(f'extern "C" void {name}() {{}}\n' for name in handlers)
    (folder / "rasterize_cpu.cc").write_text(text)
    return folder


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """No prebuilt library, stub sources and an empty cache."""
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setattr(loader, "SOURCES", write_stub(sources))
    monkeypatch.setattr(loader, "PREBUILT", sources / "_rasterize_cpu.so")
    monkeypatch.setattr(loader, "FLAGS", ("-O0", "-fPIC", "-shared"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return sources


def cached(bare):
    return sorted((bare.parent / "cache" / "sirjax").iterdir())


def test_the_library_of_this_installation_is_used():
    library = loader.load_library()
    assert library.sirjax_interface() == loader.INTERFACE
    assert (library.sirjax_ffi_api_major(), library.sirjax_ffi_api_minor()) <= loader.runtime_version()


def test_without_a_prebuilt_library_one_is_built_once_and_kept(bare, monkeypatch):
    assert isinstance(loader.load_library(), ctypes.CDLL)
    (library,) = cached(bare)
    assert library.suffix == ".so"
    monkeypatch.setattr(loader.subprocess, "run", lambda *_, **__: pytest.fail("compiled again"))
    assert loader.build_into_cache() == library


def test_changed_sources_are_built_anew(bare):
    first = loader.build_into_cache()
    (bare / "sampling.cc").write_text("// included by the main source")
    assert loader.build_into_cache() != first
    assert len(cached(bare)) == 2


def test_a_library_with_newer_headers_than_the_running_jaxlib_is_refused(bare, monkeypatch):
    write_stub(bare, minor=loader.runtime_version()[1] + 1)
    built, running = (f"0.{loader.runtime_version()[1] + n}" for n in (1, 0))
    message = f"built for XLA FFI {built}, but the running jaxlib has {running}"
    with pytest.raises(loader.NativeUnavailable, match=message):
        loader.load_library()


def test_a_library_of_another_version_of_sirjax_is_refused(bare):
    write_stub(bare, interface=loader.INTERFACE + 1)
    with pytest.raises(loader.NativeUnavailable, match=f"has interface {loader.INTERFACE + 1}, not {loader.INTERFACE}"):
        loader.load_library()


def test_a_library_without_all_handlers_or_a_broken_one_is_refused(bare):
    write_stub(bare, handlers=loader.HANDLERS[1:])
    with pytest.raises(loader.NativeUnavailable, match=r"not a library of this version .*sirjax_rasterize"):
        loader.open_library(loader.build_into_cache())
    broken = bare / "broken.so"
    broken.write_bytes(b"not a library")
    with pytest.raises(loader.NativeUnavailable, match="not a library of this version"):
        loader.open_library(broken)


def test_without_a_compiler_the_reason_names_the_remedy(bare, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(loader.shutil, "which", lambda name: None)
    message = r"_rasterize_cpu\.so was not built at installation; there is no C\+\+ compiler .* install g\+\+"
    with pytest.raises(loader.NativeUnavailable, match=message):
        loader.load_library()


def test_a_failing_compiler_is_quoted(bare):
    (bare / "rasterize_cpu.cc").write_text("this is not C++\n")
    with pytest.raises(loader.NativeUnavailable, match="failed: .*error"):
        loader.build_into_cache()
    assert cached(bare) == []  # nothing half-built is left


def test_a_cache_that_cannot_be_written_is_a_reason(bare, monkeypatch):
    blocked = bare.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    with pytest.raises(loader.NativeUnavailable, match=r"building it with .* in .*/file/sirjax failed"):
        loader.build_into_cache()


def test_the_fallback_is_logged_once(bare, monkeypatch, caplog):
    monkeypatch.setenv("SIRJAX_NATIVE", "0")
    loader.unavailable.cache_clear()
    try:
        with caplog.at_level(logging.WARNING):
            assert loader.unavailable() == loader.unavailable() == "SIRJAX_NATIVE=0 turns it off; unset it"
    finally:
        loader.unavailable.cache_clear()
    assert [r.getMessage() for r in caplog.records if r.name == loader.__name__] == [
        "no C++ rasterizer, using the slower XLA one: SIRJAX_NATIVE=0 turns it off; unset it"
    ]


def build(arguments):
    sources, cache = arguments
    os.environ["XDG_CACHE_HOME"] = cache
    loader.SOURCES, loader.FLAGS = Path(sources), ("-O0", "-fPIC", "-shared")
    return str(loader.open_library(loader.build_into_cache())._name)


def test_processes_that_build_at_the_same_time_share_one_whole_library(bare):
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        paths = pool.map(build, [(str(bare), str(bare.parent / "cache"))] * 3)
    (library,) = cached(bare)
    assert paths == [str(library)] * 3


def test_everything_renders_without_the_library():
    program = """
import logging
logging.basicConfig(format="%(name)s %(message)s")
import numpy as np
from sirjax.render.rasterize import available_backends, rasterize
positions = np.array([[[-1, -1, 0, 1], [1, -1, 0, 1], [0, 1, 0, 1]]], np.float32)
fragments = rasterize(positions, np.array([[0, 1, 2]], np.int32), (4, 4))
print(int((fragments.triangle_id == 0).sum()), available_backends()["cpu"])
"""
    environment = os.environ | {"SIRJAX_NATIVE": "0"}
    command = [sys.executable, "-W", "error", "-c", program]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert result.stdout == "8 SIRJAX_NATIVE=0 turns it off; unset it\n"
    assert result.stderr.count("no C++ rasterizer, using the slower XLA one") == 1


def test_every_source_file_is_shipped_with_the_package():
    pattern = "render/native/*.cc"
    assert f'"{pattern}"' in (Path(loader.__file__).parents[3] / "setup.py").read_text()
    others = [
        p.name for p in loader.PREBUILT.parent.iterdir() if p.suffix not in (".cc", ".cu", ".h", ".py", ".so", "")
    ]
    assert others == []
