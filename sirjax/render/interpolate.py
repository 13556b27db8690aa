"""Values at pixels from values at vertices: the barycentric mean of the three corners of the triangle a pixel sees."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from sirjax.constants import NO_TRIANGLE
from sirjax.render.backends import resolve
from sirjax.render.operation import call_handler, image_operation, same_axes
from sirjax.render.rasterize import check_triangles
from sirjax.types import Fragments


def interpolate(
    attributes: Float[Array, "N V C"] | Float[Array, "V C"],
    triangles: Int[Array, "T 3"],
    fragments: Fragments,
    *,
    backend: str = "auto",
) -> Float[Array, "N H W C"]:
    """sum_k barycentric_k attribute[triangle_k] at each pixel, 0 where nothing is hit.

    Differentiable in the attributes and in the barycentric coordinates.

    Args:
      attributes: one vector per vertex, of each image or shared by all.
      triangles: corners as rows of `attributes`, in the order of the rasterized triangles. They may differ from those,
        as UV corners do where the texture has seams.
      fragments: from `rasterize`.
      backend: "auto", or one of `available_backends()`.

    Raises:
      ValueError: for wrong shapes, types, vertex numbers or an unknown backend.
    """
    attributes, num_images = jnp.asarray(attributes), len(fragments.triangle_id)
    per_image = attributes.ndim == 3 and len(attributes) == num_images
    if attributes.dtype != jnp.float32 or not (per_image or attributes.ndim == 2):
        expected = f"float32 [V, C] or [{num_images}, V, C]"
        raise ValueError(f"attributes must be {expected}, got {attributes.dtype} {list(attributes.shape)}")
    triangles = check_triangles(triangles, (attributes.shape[-2],))
    choice = resolve(backend)
    if 0 in (*attributes.shape, *triangles.shape, num_images):
        return jnp.zeros((*fragments.triangle_id.shape, attributes.shape[-1]))
    operands = same_axes(attributes, triangles, fragments.triangle_id, fragments.barycentric)
    return _interpolate(choice, *operands)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _interpolate(backend, attributes, triangles, ids, barycentric):
    return _forward(backend)(attributes, triangles, ids, barycentric)[0]


def _interpolate_forward(backend, *operands):
    return _interpolate(backend, *operands), operands


def _interpolate_backward(backend, operands, gradient):
    attributes, triangles, ids, barycentric = operands
    # Two operations, so that the compiler drops the one whose result is not needed.
    (by_attributes,) = _gradient_of_attributes(backend, attributes.shape[-2])(triangles, ids, barycentric, gradient)
    (by_barycentric,) = _gradient_of_barycentric(backend)(attributes, triangles, ids, gradient)
    return by_attributes.sum(axis=0) if attributes.ndim == 2 else by_attributes, None, None, by_barycentric


_interpolate.defvjp(_interpolate_forward, _interpolate_backward)


@functools.cache
def _forward(backend):
    def cpu(attributes, triangles, ids, barycentric):
        result = ((*ids.shape, attributes.shape[-1]), jnp.float32)
        return call_handler("sirjax_interpolate", [result], attributes, triangles, ids, barycentric)

    def xla(*operands):
        return (interpolate_xla(*operands),)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(3, None, 3, 4), result_ranks=(4,), backend=backend)


@functools.cache
def _gradient_of_attributes(backend, num_vertices):
    def cpu(*operands):
        gradient = operands[-1]
        result = ((len(gradient), num_vertices, gradient.shape[-1]), jnp.float32)
        return call_handler("sirjax_interpolate_gradient_attributes", [result], *operands)

    def xla(triangles, ids, barycentric, gradient):
        none = jnp.zeros((len(gradient), num_vertices, gradient.shape[-1])) + 0 * gradient[:, :1, 0]
        return jax.vjp(lambda a: interpolate_xla(a, triangles, ids, barycentric), none)[1](gradient)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(None, 3, 4, 4), result_ranks=(3,), backend=backend)


@functools.cache
def _gradient_of_barycentric(backend):
    def cpu(attributes, triangles, ids, gradient):
        result = ((*ids.shape, 3), jnp.float32)
        return call_handler("sirjax_interpolate_gradient_barycentric", [result], attributes, triangles, ids, gradient)

    def xla(attributes, triangles, ids, gradient):
        values = _corner_values(attributes, triangles, ids)
        return (jnp.stack([jnp.sum(gradient * value, axis=-1) for value in values], axis=-1),)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(3, None, 3, 4), result_ranks=(4,), backend=backend)


def interpolate_xla(
    attributes: Float[Array, "N V C"] | Float[Array, "V C"],
    triangles: Int[Array, "T 3"],
    ids: Int[Array, "N H W"],
    barycentric: Float[Array, "N H W 3"],
) -> Float[Array, "N H W C"]:
    """The plain twin of the C++ handler."""
    values = _corner_values(attributes, triangles, ids)
    return sum((barycentric[..., k, None] * values[k] for k in range(3)), start=jnp.zeros(()))


def _corner_values(attributes, triangles, ids) -> list[Float[Array, "N H W C"]]:
    """The attributes of the three corners of each pixel's triangle, 0 where nothing is hit."""
    hit = (ids != NO_TRIANGLE)[..., None]
    corners = [triangles[:, k][jnp.maximum(ids, 0)] for k in range(3)]
    if attributes.ndim == 2:
        return [jnp.where(hit, attributes[i], 0.0) for i in corners]
    return [jnp.where(hit, jax.vmap(lambda values, i: values[i])(attributes, i), 0.0) for i in corners]
