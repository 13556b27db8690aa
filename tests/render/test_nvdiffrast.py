"""The plumbing to nvdiffrast on the CPU: stand-ins of torch and nvdiffrast that follow their functions' signatures."""

import contextlib
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.render import nvdiffrast
from sirjax.render import rasterize as rasterize_module
from sirjax.render.backends import Choice
from sirjax.render.native import cuda_loader
from sirjax.render.rasterize import rasterize
from tests.references import rasterizer as reference
from tests.render.meshes import bumpy_sheet

BY_NVDIFFRAST = Choice(cpu="nvdiffrast", cuda="nvdiffrast", other="xla")
SIZE = (10, 12)


class Tensor(np.ndarray):
    """A view of one of XLA's buffers, with what is used of torch.Tensor."""

    device = "cuda:0"

    def copy_(self, other):
        self[...] = other


class Torch(types.ModuleType):
    """Stands in for torch; notes which streams were entered."""

    def __init__(self):
        super().__init__("torch")
        self.streams = []
        self.cuda = types.SimpleNamespace(
            ExternalStream=lambda pointer, device: (pointer, device),
            device=lambda device: contextlib.nullcontext(),
            stream=self.enter_stream,
            is_available=lambda: True,
        )
        self.no_grad = contextlib.nullcontext

    @contextlib.contextmanager
    def enter_stream(self, stream):
        self.streams.append(stream)
        yield

    def from_dlpack(self, buffer):
        return np.from_dlpack(buffer).view(Tensor)


class Nvdiffrast(types.ModuleType):
    """Stands in for nvdiffrast.torch: the brute-force rasterizer and its gradient. No JAX: callbacks must not wait."""

    def __init__(self):
        super().__init__("nvdiffrast.torch")
        self.contexts, self.calls, self.positions = [], [], []
        self.ops = types.SimpleNamespace(_get_plugin=lambda: self)

    def RasterizeCudaContext(self, device=None):
        self.contexts.append(device)
        return ("context", device)

    def rasterize(self, context, pos, tri, resolution, ranges=None, grad_db=True):
        assert context == ("context", pos.device)
        assert (ranges, grad_db) == (None, False)
        self.calls.append(len(pos))
        self.positions.append(np.array(pos))
        out = np.zeros((len(pos), *resolution, 4), np.float32)
        for image, vertices in zip(out, np.array(pos), strict=True):
            found = reference.rasterize(vertices, np.array(tri), tuple(resolution))
            image[..., :2], image[..., 2] = found.barycentric[..., :2], found.depth
            image[..., 3] = found.triangle_id + 1
        return out.view(Tensor), np.zeros((*out.shape[:3], 0), np.float32).view(Tensor)

    def rasterize_grad(self, pos, tri, out, dy):
        pos, tri, out, dy = map(np.array, (pos, tri, out, dy))
        assert not dy[..., 2:].any()  # u and v only
        moves = np.zeros(pos.shape)
        x, y = reference.pixel_centers(out.shape[1:3])
        for n, i, j in np.argwhere(out[..., 3] > 0):
            corners = tri[int(out[n, i, j, 3]) - 1]
            moves[n, corners] += slope_of_corners(pos[n, corners].astype(np.float64), x[i, j], y[i, j], dy[n, i, j, :2])
        return moves.astype(np.float32).view(Tensor)


def slope_of_corners(corners, x, y, by_uv):
    """d(by_uv . (u, v)) / d corners [3, 4] by complex steps, which have no rounding."""
    slopes = np.zeros((3, 4))
    for place in np.ndindex(3, 4):
        moved = corners.astype(complex)
        moved[place] += 1e-20j
        areas, total = reference.edge_areas(moved, x, y)
        slopes[place] = (by_uv @ (areas[:2] / total)).imag / 1e-20
    return slopes


@pytest.fixture
def installed(monkeypatch):
    """Both modules as if installed; a newly loaded library before and after."""
    torch, ops = Torch(), Nvdiffrast()
    package = types.ModuleType("nvdiffrast")
    package.__version__ = "0.3.5"
    for name, module in {"torch": torch, "nvdiffrast": package, "nvdiffrast.torch": ops}.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch.ops", ops.ops)
    monkeypatch.setitem(sys.modules, "_nvdiffrast_c", None)  # not importable
    monkeypatch.setattr(nvdiffrast, "stream_of", lambda execution: 7)  # XLA:CPU has no streams
    forget()
    yield types.SimpleNamespace(torch=torch, ops=ops, package=package)
    forget()


def forget():
    nvdiffrast.library.cache_clear()
    nvdiffrast.unavailable.cache_clear()
    rasterize_module._forward.cache_clear()
    rasterize_module._backward.cache_clear()


def barycentric(positions, triangles, backend=BY_NVDIFFRAST):
    return rasterize_module._rasterize(SIZE, backend, jnp.asarray(positions), jnp.asarray(triangles))[1]


def test_images_arrive_in_our_convention(rng, installed):
    positions, triangles = bumpy_sheet(rng, size=5, num_images=3)
    expected = rasterize(positions, triangles, SIZE, backend="cpu")
    ids, weights, depth = rasterize_module._rasterize(
        SIZE, BY_NVDIFFRAST, jnp.asarray(positions), jnp.asarray(triangles)
    )
    np.testing.assert_array_equal(ids, expected.triangle_id)
    np.testing.assert_allclose(weights, expected.barycentric, atol=1e-6)
    np.testing.assert_allclose(depth, expected.depth, atol=1e-6)
    assert installed.torch.streams == [(7, "cuda:0")]


def test_positions_are_scaled_and_the_gradient_is_scaled_back(rng, installed):
    positions, triangles = bumpy_sheet(rng, size=5, num_images=2)
    weight = jnp.asarray(rng.normal(size=(2, *SIZE, 3)), jnp.float32)
    got = jax.jit(jax.grad(lambda p: jnp.sum(weight * barycentric(p, triangles))))(jnp.asarray(positions))
    np.testing.assert_array_equal(installed.ops.positions[0], 32 * positions)
    expected = jax.grad(lambda p: jnp.sum(weight * rasterize(p, triangles, SIZE, backend="cpu").barycentric))(
        jnp.asarray(positions)
    )
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_large_batches_go_in_chunks_through_one_context(rng, installed, monkeypatch):
    monkeypatch.setattr(nvdiffrast, "IMAGES_PER_CALL", 3)
    positions, triangles = bumpy_sheet(rng, size=4, num_images=7)
    whole = barycentric(positions, triangles)
    assert installed.ops.calls == [3, 3, 1]
    assert installed.ops.contexts == ["cuda:0"]
    np.testing.assert_allclose(whole, rasterize(positions, triangles, SIZE, backend="cpu").barycentric, atol=1e-6)


def test_vmap_is_one_call(rng, installed):
    positions, triangles = bumpy_sheet(rng, size=4, num_images=4)
    mapped = jax.jit(jax.vmap(lambda p: barycentric(p, triangles)))(positions.reshape(2, 2, -1, 4))
    assert installed.ops.calls == [4]
    np.testing.assert_array_equal(mapped.reshape(4, *SIZE, 3), barycentric(positions, triangles))


def test_gradients_under_vmap_pmap_and_shard_map(rng, installed):
    positions, triangles = bumpy_sheet(rng, size=4, num_images=4)
    weight = jnp.asarray(rng.normal(size=(4, *SIZE, 3)), jnp.float32)

    def gradient(p, weight):
        return jax.grad(lambda p: jnp.sum(weight * barycentric(p, triangles)))(p)

    pairs = [x.reshape(2, 2, *x.shape[1:]) for x in (jnp.asarray(positions), weight)]
    expected = gradient(jnp.asarray(positions), weight)
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2], axis_types=(jax.sharding.AxisType.Auto,))

    def shard_map(function):
        spec = jax.sharding.PartitionSpec("data")
        one = jax.shard_map(lambda *x: function(*(y[0] for y in x))[None], mesh=mesh, in_specs=spec, out_specs=spec)
        return jax.jit(one)

    for transform in (jax.vmap, jax.pmap, shard_map):
        np.testing.assert_allclose(transform(gradient)(*pairs).reshape(expected.shape), expected, atol=1e-5)


def test_programs_for_cuda_call_python_on_the_buffers(installed):
    traced = jax.jit(lambda p: barycentric(p, np.array([[0, 1, 2]], np.int32))).trace(jnp.zeros((1, 3, 4)))
    assert "xla_buffer_python_gpu_callback" in traced.lower(lowering_platforms=("cuda",)).as_text()


def test_too_many_triangles_are_refused(installed, monkeypatch):
    monkeypatch.setattr(nvdiffrast, "MAX_TRIANGLES", 1)
    with pytest.raises(ValueError, match="takes 1 triangles at most, got 2; use 'cuda'"):
        nvdiffrast.rasterize(jnp.zeros((1, 4, 4)), jnp.zeros((2, 3), jnp.int32), SIZE)


def test_an_installed_one_is_available(installed):
    assert nvdiffrast.unavailable() == ""


def test_a_missing_one_is_a_reason_with_remedy_and_licence(installed, monkeypatch):
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", None)
    assert nvdiffrast.unavailable().startswith("ModuleNotFoundError: ")
    assert "git+https://github.com/NVlabs/nvdiffrast` (research and evaluation only)" in nvdiffrast.unavailable()


def test_an_old_one_is_a_reason(installed):
    installed.package.__version__ = "0.3.1"
    assert nvdiffrast.unavailable().startswith("nvdiffrast 0.3.1 is older than 0.3.3; install torch for CUDA")


def test_a_torch_without_cuda_is_a_reason(installed):
    installed.torch.cuda.is_available = lambda: False
    assert nvdiffrast.unavailable().startswith("the installed torch was built without CUDA, or sees no GPU")


def test_the_compiled_module_of_newer_versions_gives_the_gradient(installed, monkeypatch):
    compiled = types.SimpleNamespace(rasterize_grad="its gradient")
    monkeypatch.setitem(sys.modules, "_nvdiffrast_c", compiled)
    assert nvdiffrast._gradient_function("0.4.0") == "its gradient"


def test_one_without_a_gradient_function_is_a_reason(installed):
    installed.ops.ops._get_plugin = lambda: object()  # as if a later version had renamed it
    assert nvdiffrast.unavailable().startswith("nvdiffrast 0.3.5 has no rasterize_grad (AttributeError: ")


def test_batches_sharded_under_jit_are_drawn_by_the_next_best_backend(rng, installed, monkeypatch):
    # The partitioner drops Python callbacks; one that it dropped would crash the process.
    monkeypatch.setattr(cuda_loader, "unavailable", lambda: "not built")
    positions, triangles = bumpy_sheet(rng, size=4, num_images=4)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    sharded = jax.device_put(positions, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data")))
    got = jax.jit(lambda p: barycentric(p, triangles))(sharded)
    assert installed.ops.calls == []
    np.testing.assert_allclose(got, rasterize(positions, triangles, SIZE, backend="xla").barycentric, atol=1e-6)
