"""Rasterization by the user's own nvdiffrast (https://github.com/NVlabs/nvdiffrast), called from XLA programs.

Nothing of nvdiffrast is copied, shipped or built here: the callback hands XLA's buffers to the installed
`nvdiffrast.torch` without a copy, on XLA's stream. nvdiffrast's licence allows research and evaluation only; for
commercial use take the backend `cuda`.

It waits for its stream while it holds Python's lock: use one process per GPU. Its rasterizer moves vertices to
sixteenths of a pixel, so that on dense meshes one pixel in ten or twenty names a neighboring triangle.
"""

import functools
import importlib
import threading
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.buffer_callback import buffer_callback
from jaxtyping import Array, Float, Int

from sirjax.constants import NO_TRIANGLE

OLDEST = (0, 3, 3)  # the first one without limits on the image size
INSTALL = (
    "install torch for CUDA, then `pip install --no-build-isolation git+https://github.com/NVlabs/nvdiffrast` "
    "(research and evaluation only), or use the backend 'cuda'"
)
# Its gradient adds 1e-6 to the triangle's area in homogeneous coordinates, which damps gradients of small triangles at
# w = 1. Multiplying all four coordinates does not move a pixel but makes areas larger.
CLIP_SCALE = 32.0
IMAGES_PER_CALL = 32  # it keeps about 5 MB per image outside XLA's memory
MAX_TRIANGLES = 2**24 - 1  # it counts them in float32


class Unavailable(Exception):
    """Why nvdiffrast cannot be used, and what would help."""


class Library:
    """The functions of torch and nvdiffrast that are called, and a rasterizer context for each device."""

    def __init__(self, torch: Any, ops: Any, gradient: Any):
        self._torch, self._ops, self._gradient = torch, ops, gradient
        self._contexts: dict[str, tuple[Any, threading.Lock]] = {}
        self._lock = threading.Lock()

    def rasterize(self, execution, out, positions, triangles) -> None:
        """Callback: fills out [N, H, W, 4] with u, v, z/w and the triangle's number + 1 (0 where nothing is hit)."""

        def fill(device, out, positions, triangles):
            context, lock = self._context_of(device)
            with lock:  # a context has one set of buffers
                for images in _chunks(len(out)):
                    rows, columns = out.shape[1:3]
                    size = [int(rows), int(columns)]
                    found, _ = self._ops.rasterize(context, positions[images], triangles, size, grad_db=False)
                    out[images].copy_(found)

        self._on_stream(execution, fill, out, positions, triangles)

    def rasterize_gradient(self, execution, out, positions, triangles, found, gradient) -> None:
        """Callback: fills out [N, V, 4] with the gradient for that of `found`, the output of `rasterize`."""

        def fill(device, out, positions, triangles, found, gradient):
            out.copy_(self._gradient(positions, triangles, found, gradient))

        self._on_stream(execution, fill, out, positions, triangles, found, gradient)

    def _on_stream(self, execution, fill, *buffers) -> None:
        torch = self._torch
        tensors = [torch.from_dlpack(buffer) for buffer in buffers]
        device = tensors[0].device
        stream = torch.cuda.ExternalStream(stream_of(execution), device=device)
        with torch.cuda.device(device), torch.cuda.stream(stream), torch.no_grad():
            fill(device, *tensors)

    def _context_of(self, device) -> tuple[Any, threading.Lock]:
        with self._lock:
            if str(device) not in self._contexts:
                self._contexts[str(device)] = self._ops.RasterizeCudaContext(device=device), threading.Lock()
            return self._contexts[str(device)]


def stream_of(execution: Any) -> int:
    """The address of the CUDA stream on which XLA runs the program."""
    return execution.stream


def _chunks(count: int) -> list[slice]:
    return [slice(start, min(start + IMAGES_PER_CALL, count)) for start in range(0, count, IMAGES_PER_CALL)]


@functools.cache
def library() -> Library:
    """The installed nvdiffrast.

    Raises:
      Unavailable: if it or torch is missing, too old, or cannot be loaded.
    """
    try:
        torch, ops = importlib.import_module("torch"), importlib.import_module("nvdiffrast.torch")
        version = importlib.import_module("nvdiffrast").__version__
    except Exception as error:  # a torch that does not fit the machine fails in many ways
        raise Unavailable(f"{type(error).__name__}: {error}; {INSTALL}") from None
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise Unavailable(f"nvdiffrast {version} is older than {oldest}; {INSTALL}")
    if not torch.cuda.is_available():
        raise Unavailable("the installed torch was built without CUDA, or sees no GPU; install torch for CUDA")
    return Library(torch, ops, _gradient_function(version))


def _gradient_function(version: str) -> Any:
    """What its own backward pass calls; from 0.4 on in a compiled module, before behind a function that builds it."""
    try:
        return importlib.import_module("_nvdiffrast_c").rasterize_grad
    except ImportError:
        pass
    try:
        return importlib.import_module("nvdiffrast.torch.ops")._get_plugin().rasterize_grad
    except Exception as error:  # building it with torch's extension builder fails in many ways
        reason = f"nvdiffrast {version} has no rasterize_grad ({type(error).__name__}: {error})"
        raise Unavailable(f"{reason}; {INSTALL}") from None


@functools.cache
def unavailable() -> str:
    """Why nvdiffrast cannot be used; "" if it can."""
    try:
        library()
    except Unavailable as reason:
        return str(reason)
    return ""


def rasterize(
    positions: Float[Array, "N V 4"], triangles: Int[Array, "T 3"], image_size: tuple[int, int]
) -> tuple[Int[Array, "N H W"], Float[Array, "N H W 3"], Float[Array, "N H W"]]:
    """Triangle ids, barycentric coordinates and depth; see sirjax.render.rasterize."""
    if len(triangles) > MAX_TRIANGLES:
        raise ValueError(f"nvdiffrast takes {MAX_TRIANGLES} triangles at most, got {len(triangles)}; use 'cuda'")
    shape = jax.ShapeDtypeStruct((len(positions), *image_size, 4), jnp.float32)
    found = buffer_callback(library().rasterize, shape)(CLIP_SCALE * positions, triangles)
    ids = found[..., 3].astype(jnp.int32) - 1
    u, v = found[..., 0], found[..., 1]
    barycentric = jnp.where((ids == NO_TRIANGLE)[..., None], 0.0, jnp.stack([u, v, 1 - u - v], axis=-1))
    return ids, barycentric, found[..., 2]


def rasterize_gradient(
    positions: Float[Array, "N V 4"],
    triangles: Int[Array, "T 3"],
    ids: Int[Array, "N H W"],
    gradient: Float[Array, "N H W 3"],
) -> Float[Array, "N V 4"]:
    """Gradient with respect to the positions, for that of the barycentric coordinates; visibility is constant."""
    # Of its own output the gradient reads the triangles only; u and v count, the third coordinate is 1 - u - v.
    nothing = jnp.zeros_like(gradient)
    found = jnp.concatenate([nothing, (ids + 1).astype(jnp.float32)[..., None]], axis=-1)
    by_uv = gradient[..., :2] - gradient[..., 2:]
    by_found = jnp.concatenate([by_uv, jnp.zeros_like(by_uv)], axis=-1)
    shape = jax.ShapeDtypeStruct(positions.shape, jnp.float32)
    moves = buffer_callback(library().rasterize_gradient, shape)(CLIP_SCALE * positions, triangles, found, by_found)
    return CLIP_SCALE * moves
