"""The CUDA kernels and handlers, run on the host: same pixels and same bits as the C++ handlers."""

import ctypes
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render import rasterize as rasterize_module
from sirjax.render.backends import Choice
from sirjax.render.native import cuda_loader, loader
from sirjax.render.rasterize import rasterize
from sirjax.types import Fragments
from tests.render.meshes import bumpy_sheet, grid_triangles, random_triangles

ON_HOST = Choice(cpu="cuda", cuda="cuda", other="xla")
SIZE = (20, 24)
FLAGS = ("-std=c++20", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off", "-pthread")


@pytest.fixture(scope="module", autouse=True)
def handlers():
    """The library of rasterize_cuda.cu for the host, built once into the user's cache, serving XLA:CPU."""
    simulator, source = Path(__file__).parent / "cuda_on_host.h", loader.SOURCES / "rasterize_cuda.cu"
    sources = [simulator, *(loader.SOURCES / name for name in cuda_loader.FILES)]
    library = loader.cached_path("cuda_on_host", sources, FLAGS)
    if not library.exists():
        included = ["-isystem", jax.ffi.include_dir(), "-include", str(simulator), "-x", "c++", str(source)]
        loader.compile_into(library, ["g++", *FLAGS, *included], 300)
    opened = loader.open_library(library, cuda_loader.HANDLERS, cuda_loader.INTERFACE)
    for name in cuda_loader.HANDLERS:
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(getattr(opened, name)), platform="cpu")
    return opened


def draw(positions, triangles, size=SIZE):
    forward = jax.jit(rasterize_module._forward(size, ON_HOST))
    return Fragments(*forward(jnp.asarray(positions), jnp.asarray(triangles)))


def gradient(positions, triangles, ids, by_barycentric):
    (moves,) = rasterize_module._backward(ON_HOST)(*map(jnp.asarray, (positions, triangles, ids, by_barycentric)))
    return np.asarray(moves)


def behind_the_eye(rng):
    positions, triangles = random_triangles(rng, num_triangles=60, num_images=2, perspective=True)
    positions[..., 3] -= 0.9  # about a third of all vertices
    return positions, triangles


def pixel_grid(rng):
    """Vertices exactly at pixel centers, so that edges run through many of them; two layers at the same depth."""
    height, width = SIZE
    x, y = np.meshgrid(2 * np.arange(width) + 1 - width, 2 * np.arange(height) + 1 - height)
    flat = np.stack([x / width, y / height, 0 * x + 0.25, 0 * x + 1], axis=-1)[1:-1:2, 1:-1:2]
    triangles = grid_triangles(*flat.shape[:2])
    return flat.reshape(1, -1, 4).astype(np.float32), np.concatenate([triangles, triangles[::-1]])


SCENES = {
    "random": lambda rng: random_triangles(rng, num_triangles=70, num_images=3),
    "perspective": lambda rng: random_triangles(rng, num_triangles=70, num_images=2, perspective=True),
    "behind the eye": behind_the_eye,
    "dense sheet": lambda rng: bumpy_sheet(rng, size=24, num_images=2),
    "edges through pixel centers": pixel_grid,
}


@pytest.mark.parametrize("name", SCENES)
def test_the_kernels_give_the_bits_of_the_cpp_handlers(rng, name):
    positions, triangles = SCENES[name](rng)
    got, expected = draw(positions, triangles), rasterize(positions, triangles, SIZE, backend="cpu")
    assert (np.asarray(expected.triangle_id) >= 0).mean() > 0.2
    for field in ("triangle_id", "barycentric", "depth"):
        np.testing.assert_array_equal(getattr(got, field), getattr(expected, field), err_msg=field)


@pytest.mark.parametrize("name", SCENES)
def test_the_gradient_agrees_and_does_not_depend_on_the_order_of_threads(rng, name):
    positions, triangles = SCENES[name](rng)
    fragments = rasterize(positions, triangles, SIZE, backend="cpu")
    weight = rng.normal(size=fragments.barycentric.shape).astype(np.float32)
    got = gradient(positions, triangles, fragments.triangle_id, weight)
    (expected,) = jax.vjp(lambda p: rasterize(p, triangles, SIZE, backend="cpu").barycentric, jnp.asarray(positions))[
        1
    ](jnp.asarray(weight))
    largest = np.abs(expected).max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(got / largest, expected / largest, atol=2e-6)
    np.testing.assert_array_equal(got, gradient(positions, triangles, fragments.triangle_id, weight))


def test_pixel_centers_on_shared_edges_are_drawn_exactly_once(rng):
    positions, triangles = pixel_grid(rng)
    once = triangles[: len(triangles) // 2]
    singles = [draw(positions, once[k : k + 1]).triangle_id[0] == 0 for k in range(0, len(once), 7)]
    together = np.asarray(draw(positions, once).triangle_id[0])
    for k, single in zip(range(0, len(once), 7), singles, strict=True):
        np.testing.assert_array_equal(together == k, single)  # nothing else claims its pixels
    assert (together[2:17, 2:21] >= 0).all()  # and inside the outermost vertices none is left out


def test_of_triangles_at_the_same_depth_the_first_is_seen(rng):
    positions, triangles = pixel_grid(rng)
    ids = np.asarray(draw(positions, triangles).triangle_id)
    assert ids.max() < len(triangles) // 2


def test_a_triangle_larger_than_the_image_is_shared_by_a_whole_warp():
    positions = np.array([[[-9, -9, 0, 1], [9, -9, 0, 1], [0, 9, 0, 1]]], np.float32)
    got = draw(positions, np.array([[0, 1, 2]], np.int32))
    assert (np.asarray(got.triangle_id) == 0).all()


def test_triangles_that_name_no_vertex_are_not_drawn(rng):
    positions, triangles = bumpy_sheet(rng, size=4)
    wrong = np.concatenate([triangles, [[0, 1, 16], [-1, 2, 3]]]).astype(np.int32)
    np.testing.assert_array_equal(draw(positions, wrong).triangle_id, draw(positions, triangles).triangle_id)


def test_values_of_very_different_size_do_not_get_lost(rng):
    # 1 pixel in 480 has a gradient a million times the others': float32 sums would keep no more of the small ones.
    positions, triangles = bumpy_sheet(rng, size=6)
    fragments = rasterize(positions, triangles, SIZE, backend="cpu")
    weight = rng.normal(size=fragments.barycentric.shape).astype(np.float32)
    weight[0, 10, 12] *= 1e6
    got = gradient(positions, triangles, fragments.triangle_id, weight)
    weight[0, 10, 12] = 0
    small = gradient(positions, triangles, fragments.triangle_id, weight)
    elsewhere = np.setdiff1d(np.arange(36), triangles[fragments.triangle_id[0, 10, 12]])
    np.testing.assert_allclose(got[0, elsewhere], small[0, elsewhere], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gradient_that_is_not_finite_spoils_its_image_only(rng, value):
    positions, triangles = bumpy_sheet(rng, size=4, num_images=2)
    ids = rasterize(positions, triangles, SIZE, backend="cpu").triangle_id
    weight = np.ones((2, *SIZE, 3), np.float32) * np.arange(3, dtype=np.float32)
    weight[1, 10, 12, 0] = value
    got = gradient(positions, triangles, ids, weight)
    assert np.isfinite(got[0]).all()
    assert np.isnan(got[1][:, [0, 1, 3]]).all()


def test_no_gradient_gives_zeros(rng):
    positions, triangles = bumpy_sheet(rng, size=4)
    ids = rasterize(positions, triangles, SIZE, backend="cpu").triangle_id
    np.testing.assert_array_equal(gradient(positions, triangles, ids, np.zeros((1, *SIZE, 3), np.float32)), 0.0)


def test_vmap_merges_into_the_image_axis(rng):
    positions, triangles = bumpy_sheet(rng, size=5, num_images=4)
    mapped = jax.vmap(lambda p: draw(p, triangles).barycentric)(positions.reshape(2, 2, -1, 4))
    np.testing.assert_array_equal(mapped.reshape(4, *SIZE, 3), draw(positions, triangles).barycentric)


class Metadata(ctypes.Structure):
    """XLA_FFI_Metadata."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("version_size", ctypes.c_size_t),
        ("version_extension", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
        ("traits", ctypes.c_uint32),
        ("state_type_id", ctypes.c_int64),
    )


class MetadataExtension(ctypes.Structure):
    """XLA_FFI_Metadata_Extension: asks a handler to describe itself instead of running."""

    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("kind", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("metadata", ctypes.POINTER(Metadata)),
    )


def describe(handler):
    """What XLA learns about a handler when it is registered; works without a GPU."""
    metadata = Metadata(struct_size=ctypes.sizeof(Metadata), version_size=24)
    extension = MetadataExtension(ctypes.sizeof(MetadataExtension), 1, None, ctypes.pointer(metadata))
    frame = (ctypes.c_uint64 * 64)()  # XLA_FFI_CallFrame: its size, then the extension; nothing else is read
    frame[0], frame[1] = 8 * 21, ctypes.addressof(extension)
    handler.restype = ctypes.c_void_p
    assert handler(ctypes.byref(frame)) is None
    return metadata


def test_the_handlers_may_be_captured_in_cuda_graphs(handlers):
    for name in cuda_loader.HANDLERS:
        metadata = describe(getattr(handlers, name))
        assert metadata.traits == 1  # XLA_FFI_HANDLER_TRAITS_COMMAND_BUFFER_COMPATIBLE
        assert (metadata.major, metadata.minor) <= loader.runtime_version()


def test_nothing_waits_for_the_device_or_allocates():
    text = (loader.SOURCES / "rasterize_cuda.cu").read_text()
    assert "Synchronize" not in text
    assert "Malloc" not in text
    assert "ScratchAllocator" not in text


def test_only_the_handlers_are_exported(handlers):
    listing = subprocess.run(["nm", "-D", "--defined-only", handlers._name], capture_output=True, text=True, check=True)
    names = {line.split()[-1] for line in listing.stdout.splitlines() if "sirjax" in line}
    assert {name for name in names if name.startswith("sirjax_")} == {
        *cuda_loader.HANDLERS,
        *("sirjax_ffi_api_major", "sirjax_ffi_api_minor", "sirjax_interface"),
    }
