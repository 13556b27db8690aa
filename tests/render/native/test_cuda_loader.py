import os
import stat
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render import backends
from sirjax.render.native import cuda_loader, loader
from sirjax.render.rasterize import rasterize

# A compiler that lists architectures and, instead of compiling, writes down its command line.
FAKE = """#!{python}
import pathlib, sys
if sys.argv[1] == "--list-gpu-arch":
    print("compute_70\\ncompute_75\\ncompute_90\\ncompute_121\\ncompute_100")
else:
    pathlib.Path(sys.argv[-1]).write_text(" ".join(sys.argv[1:]))
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """An empty cache and no nvcc."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("CUDACXX", "CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cuda_loader.shutil, "which", lambda name: name if name == str(tmp_path / "nvcc") else None)
    return tmp_path


@pytest.fixture
def fake_nvcc(bare, monkeypatch):
    path = bare / "nvcc"
    path.write_text(FAKE.format(python=sys.executable))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CUDACXX", str(path))
    return path


def test_without_nvcc_the_reason_names_the_remedy(bare):
    with pytest.raises(
        loader.NativeUnavailable, match="there is no nvcc to build it: install the CUDA toolkit .*CUDACXX"
    ):
        cuda_loader.build_into_cache()


def test_every_known_architecture_from_turing_on_is_compiled_and_ptx_of_the_newest(fake_nvcc):
    command = cuda_loader.build_into_cache().read_text().split()
    code = [word.removeprefix("-gencode=") for word in command if word.startswith("-gencode")]
    real = [f"arch=compute_{n},code=sm_{n}" for n in (75, 90, 100, 121)]
    assert code == [*real, "arch=compute_121,code=compute_121"]
    assert "-fmad=false" in command  # else pixels on edges would be claimed twice or not at all


def test_a_library_that_is_there_needs_no_compiler(fake_nvcc, monkeypatch):
    first = cuda_loader.build_into_cache()
    monkeypatch.delenv("CUDACXX")
    assert cuda_loader.build_into_cache() == first


def test_changed_sources_are_built_anew(fake_nvcc, monkeypatch, tmp_path):
    first = cuda_loader.build_into_cache()
    for name in cuda_loader.FILES:
        (tmp_path / name).write_text((loader.SOURCES / name).read_text() + "// changed")
    monkeypatch.setattr(cuda_loader, "SOURCES", tmp_path)
    assert cuda_loader.build_into_cache() != first


def test_an_nvcc_for_old_gpus_only_is_refused(fake_nvcc):
    fake_nvcc.write_text(FAKE.format(python=sys.executable).replace("compute_", "compute_x"))
    with pytest.raises(loader.NativeUnavailable, match="knows no architecture from sm_75 on: install a newer CUDA"):
        cuda_loader.build_into_cache()


def test_a_failing_nvcc_is_quoted(fake_nvcc):
    fake_nvcc.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('fatal error: no licence')")
    with pytest.raises(loader.NativeUnavailable, match="--list-gpu-arch failed"):
        cuda_loader.build_into_cache()
    fake_nvcc.write_text(FAKE.format(python=sys.executable).replace("else:", "else: sys.exit('fatal error: no room')"))
    fake_nvcc.write_text(fake_nvcc.read_text().rsplit("\n", 2)[0] + "\n")
    with pytest.raises(loader.NativeUnavailable, match="failed: fatal error: no room"):
        cuda_loader.build_into_cache()


def test_a_library_that_is_none_is_a_reason_not_a_crash(fake_nvcc):
    cuda_loader.unavailable.cache_clear()
    try:
        assert "is not a library of this version" in cuda_loader.unavailable()
    finally:
        cuda_loader.unavailable.cache_clear()


def test_both_files_are_shipped_with_the_package():
    text = (loader.SOURCES.parents[2] / "setup.py").read_text()
    assert all(f'"render/native/*{suffix}"' in text for suffix in (".cu", ".h"))
    assert all((loader.SOURCES / name).is_file() for name in cuda_loader.FILES)


def test_programs_for_cuda_call_the_handlers_and_those_for_other_platforms_do_not(monkeypatch):
    monkeypatch.setattr(backends, "has_gpu", lambda: True)
    monkeypatch.setattr(backends.nvdiffrast, "unavailable", lambda: "not installed")
    monkeypatch.setattr(cuda_loader, "unavailable", lambda: "")
    triangles = np.array([[0, 1, 2]], np.int32)

    def loss(positions, weight):
        return jnp.sum(weight * rasterize(positions, triangles, (5, 6)).barycentric)

    traced = jax.jit(jax.grad(loss)).trace(jnp.zeros((2, 3, 4)), jnp.zeros((2, 5, 6, 3)))
    for_cuda = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert all(f"@{name}(" in for_cuda for name in cuda_loader.HANDLERS)
    assert "tensor<2x5x6x2xui32>" in for_cuda  # keys, 64 bits for each pixel
    assert "tensor<2x3x3x2xui32>" in for_cuda  # sums, 64 bits for each vertex and axis
    for platform in ("cpu", "tpu"):
        assert not any(name in traced.lower(lowering_platforms=(platform,)).as_text() for name in cuda_loader.HANDLERS)
    allowed = [jax.export.DisabledSafetyCheck.custom_call(name) for name in (*cuda_loader.HANDLERS, *loader.HANDLERS)]
    exported = jax.export.export(jax.jit(jax.grad(loss)), platforms=("cpu", "cuda", "tpu"), disabled_checks=allowed)(
        jax.ShapeDtypeStruct((2, 3, 4), jnp.float32), jax.ShapeDtypeStruct((2, 5, 6, 3), jnp.float32)
    )
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert cuda_loader.HANDLERS[0] in exported.mlir_module()


def test_handlers_are_registered_for_cuda_without_a_gpu(tmp_path):
    """In a process of its own: what is registered stays."""
    program = """
import jax
from sirjax.render.native import cuda_loader
from pathlib import Path
import ctypes, sys
asked = []
class Library:
    def __getattr__(self, name):
        return ctypes.cast(1, ctypes.c_void_p)
cuda_loader.build_into_cache = lambda: Path("library")
cuda_loader.open_library = lambda path, handlers, interface: Library()
jax.ffi.register_ffi_target = lambda name, capsule, platform: asked.append((name, platform))
jax.ffi.pycapsule = lambda pointer: pointer
assert cuda_loader.unavailable() == ""
print(asked, float(jax.numpy.ones(3).sum()))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == f"{[(name, 'CUDA') for name in cuda_loader.HANDLERS]} 3.0\n"


@pytest.mark.slow
def test_the_library_compiles_for_every_architecture_that_nvcc_knows():
    """With nvcc (kept in the user's cache); elsewhere the reason says what is missing."""
    nvcc, missing = "", ""
    try:
        nvcc = cuda_loader.find_nvcc()
    except loader.NativeUnavailable as reason:
        missing = str(reason)
    if not nvcc:
        assert missing.startswith("there is no nvcc to build it")
        return
    library = cuda_loader.build_into_cache()
    content = library.read_bytes()
    for number in cuda_loader.known_architectures(nvcc):
        assert f"sm_{number}".encode() in content
    # In a process of its own, with the real registration, before and after JAX starts.
    program = """
import jax
from sirjax.render.native import cuda_loader
assert cuda_loader.unavailable() == "", cuda_loader.unavailable()
print(float(jax.numpy.ones(3).sum()))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ, check=True)
    assert result.stdout == "3.0\n"
