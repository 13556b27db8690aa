"""Which triangle each pixel center sees, where in it, and how that place moves with the vertices.

Gradients flow through the barycentric coordinates to x, y and w of the vertices. Visibility is constant: there is no
gradient at silhouettes and none through depth.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from sirjax.constants import NO_TRIANGLE
from sirjax.render import nvdiffrast, rasterize_xla
from sirjax.render.backends import available_backends, resolve
from sirjax.render.operation import call_handler, image_operation, same_axes, vary_like
from sirjax.types import Fragments

__all__ = ["available_backends", "rasterize"]

MAX_SIDE = 32767  # pixels; the C++ handler keeps pixel boxes in 16 bits


def rasterize(
    positions: Float[Array, "N V 4"],
    triangles: Int[Array, "T 3"],
    image_size: tuple[int, int],
    *,
    backend: str = "auto",
) -> Fragments:
    """Rasterizes N images of one mesh in different positions.

    A pixel center is covered when it lies inside the projected triangle, whichever way it winds; on an edge shared by
    two triangles exactly one of them covers it. The smallest z/w in [-1, 1] wins, the first triangle among equals.
    Triangles of no area, with NaN or behind the eye (w <= 0) cover nothing; those that cross the eye plane are drawn as
    far as they lie in front of it.

    Works under jit, vmap, grad (reverse mode), pmap, shard_map and with batches sharded over devices.

    Args:
      positions: clip-space (x, y, z, w) as `geometry.camera.clip_positions` gives: after division by w the image spans
        [-1, 1], row 0 at y = -1; smaller z is closer.
      triangles: vertex numbers; the same for all images.
      image_size: height and width in pixels.
      backend: "auto", or one of `available_backends()`.

    Raises:
      ValueError: for wrong shapes, types, sizes, vertex numbers or an unknown backend.
      RuntimeError: if the backend asked for is not available.
    """
    positions, triangles = jnp.asarray(positions), check_triangles(triangles, jnp.shape(positions)[1:2])
    height, width = check_image_size(image_size)
    if positions.ndim != 3 or positions.shape[-1] != 4 or positions.dtype != jnp.float32:
        raise ValueError(f"positions must be float32 [N, V, 4], got {positions.dtype} {list(positions.shape)}")
    choice = resolve(backend)
    if 0 in (*positions.shape, *triangles.shape):
        empty = jnp.zeros((len(positions), height, width))
        return Fragments(jnp.full(empty.shape, NO_TRIANGLE, jnp.int32), jnp.stack([empty] * 3, axis=-1), empty)
    return Fragments(*_rasterize((height, width), choice, *same_axes(positions, triangles)))


def _visible(image_size, backend, positions, triangles) -> tuple[Array, ...]:
    return _forward(image_size, backend)(positions, triangles)


def _visible_forward(image_size, backend, positions, triangles):
    ids, barycentric, depth = _visible(image_size, backend, positions, triangles)
    return (ids, barycentric, depth), (positions, triangles, ids)


def _visible_backward(image_size, backend, saved, gradients):
    _, barycentric_gradient, _ = gradients
    (position_gradient,) = _backward(backend)(*saved, barycentric_gradient)
    return position_gradient, None


_rasterize = jax.custom_vjp(_visible, nondiff_argnums=(0, 1))
_rasterize.defvjp(_visible_forward, _visible_backward)


@functools.cache
def _forward(image_size, backend):
    def cpu(positions, triangles):
        size = (len(positions), *image_size)
        results = ((size, jnp.int32), ((*size, 3), jnp.float32), (size, jnp.float32))
        return call_handler("sirjax_rasterize", results, positions, triangles)

    def cuda(positions, triangles):
        size = (len(positions), *image_size)
        results = [(size, jnp.int32), ((*size, 3), jnp.float32), (size, jnp.float32)]
        scratch = ((*size, 2), jnp.uint32)
        return call_handler("sirjax_rasterize_cuda", [*results, scratch], positions, triangles)[:3]

    def by_nvdiffrast(positions, triangles):
        results = nvdiffrast.rasterize(positions, triangles, image_size)
        return tuple(vary_like(result, positions, triangles) for result in results)

    def xla(positions, triangles):
        return rasterize_xla.rasterize(positions, triangles, image_size)

    versions = {"cpu": cpu, "cuda": cuda, "nvdiffrast": by_nvdiffrast, "xla": xla}
    return image_operation(versions, ranks=(3, None), result_ranks=(3, 4, 3), backend=backend)


@functools.cache
def _backward(backend):
    def cpu(positions, *rest):
        return call_handler("sirjax_rasterize_gradient", [(positions.shape, jnp.float32)], positions, *rest)

    def cuda(positions, *rest):
        num_images, num_vertices, _ = positions.shape
        scratch = [((num_images, num_vertices, 3, 2), jnp.uint32), ((num_images,), jnp.uint32)]
        results = [(positions.shape, jnp.float32), *scratch]
        return call_handler("sirjax_rasterize_gradient_cuda", results, positions, *rest)[:1]

    def by_nvdiffrast(*operands):
        return (vary_like(nvdiffrast.rasterize_gradient(*operands), *operands),)

    def xla(*operands):
        return (rasterize_xla.rasterize_gradient(*operands),)

    versions = {"cpu": cpu, "cuda": cuda, "nvdiffrast": by_nvdiffrast, "xla": xla}
    return image_operation(versions, ranks=(3, None, 3, 4), result_ranks=(3,), backend=backend)


def check_triangles(triangles: Int[Array, "T 3"], num_vertices: tuple[int, ...]) -> Int[Array, "T 3"]:
    """int32 triangles with vertex numbers in range, as far as they are known before the program runs.

    Args:
      triangles: vertex numbers of the corners.
      num_vertices: (V,), or () to leave the range unchecked.
    """
    shape, dtype = jnp.shape(triangles), jnp.result_type(triangles)
    if len(shape) != 2 or shape[1] != 3 or dtype != jnp.int32:
        raise ValueError(f"triangles must be int32 [T, 3], got {dtype} {list(shape)}")
    if num_vertices and len(triangles) and not isinstance(triangles, jax.core.Tracer):
        known = np.asarray(triangles)
        low, high = known.min(), known.max()
        if low < 0 or high >= num_vertices[0]:
            raise ValueError(f"triangles name vertices {low} .. {high}, but there are {num_vertices[0]}")
    return jnp.asarray(triangles)


def check_image_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width as whole numbers of pixels."""
    height, width = (int(side) for side in image_size)
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ValueError(f"image_size must be (height, width) with sides of 1 .. {MAX_SIDE}, got {image_size}")
    return height, width
