"""Bilinear texture sampling at given UV coordinates, clamped to the border."""

import functools

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from sirjax.render.backends import resolve
from sirjax.render.operation import call_handler, image_operation, same_axes


def sample_texture(
    texture: Float[Array, "N A B C"] | Float[Array, "A B C"],
    uv: Float[Array, "N H W 2"],
    *,
    backend: str = "auto",
) -> Float[Array, "N H W C"]:
    """The texture at each uv: u to the right, v down, texel (i, j) at ((j + 0.5) / B, (i + 0.5) / A).

    Bilinear between the four texels around; coordinates beyond the outermost texel centers take the border's value.
    Differentiable in the texture and in uv (0 where uv is clamped).

    Args:
      texture: A rows and B columns of C channels, of each image or shared by all.
      uv: where to sample.
      backend: "auto", or one of `available_backends()`.

    Raises:
      ValueError: for wrong shapes, types or an unknown backend.
    """
    texture, uv = jnp.asarray(texture), jnp.asarray(uv)
    if uv.ndim != 4 or uv.shape[-1] != 2 or uv.dtype != jnp.float32:
        raise ValueError(f"uv must be float32 [N, H, W, 2], got {uv.dtype} {list(uv.shape)}")
    per_image = texture.ndim == 4 and len(texture) == len(uv)
    if texture.dtype != jnp.float32 or not (per_image or texture.ndim == 3) or 0 in texture.shape[-3:-1]:
        expected = f"float32 [A, B, C] or [{len(uv)}, A, B, C] with A, B > 0"
        raise ValueError(f"texture must be {expected}, got {texture.dtype} {list(texture.shape)}")
    choice = resolve(backend)
    if 0 in (*texture.shape, *uv.shape):
        return jnp.zeros((*uv.shape[:-1], texture.shape[-1]))
    return _sample(choice, *same_axes(texture, uv))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _sample(backend, texture, uv):
    return _forward(backend)(texture, uv)[0]


def _sample_forward(backend, texture, uv):
    return _sample(backend, texture, uv), (texture, uv)


def _sample_backward(backend, operands, gradient):
    texture, uv = operands
    # Two operations, so that the compiler drops the one whose result is not needed.
    (by_texture,) = _gradient_of_texture(backend, texture.shape[-3:])(uv, gradient)
    (by_uv,) = _gradient_of_uv(backend)(texture, uv, gradient)
    return by_texture.sum(axis=0) if texture.ndim == 3 else by_texture, by_uv


_sample.defvjp(_sample_forward, _sample_backward)


@functools.cache
def _forward(backend):
    def cpu(texture, uv):
        result = ((*uv.shape[:-1], texture.shape[-1]), jnp.float32)
        return call_handler("sirjax_sample_texture", [result], texture, uv)

    def xla(texture, uv):
        return (sample_xla(texture, uv),)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(4, 4), result_ranks=(4,), backend=backend)


@functools.cache
def _gradient_of_texture(backend, texture_shape):
    def cpu(uv, gradient):
        result = ((len(uv), *texture_shape), jnp.float32)
        return call_handler("sirjax_sample_texture_gradient_texture", [result], uv, gradient)

    def xla(uv, gradient):
        none = jnp.zeros((len(uv), *texture_shape)) + 0 * gradient[:, :1, :1]
        return jax.vjp(lambda texture: sample_xla(texture, uv), none)[1](gradient)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(4, 4), result_ranks=(4,), backend=backend)


@functools.cache
def _gradient_of_uv(backend):
    def cpu(texture, uv, gradient):
        return call_handler("sirjax_sample_texture_gradient_uv", [(uv.shape, jnp.float32)], texture, uv, gradient)

    def xla(texture, uv, gradient):
        return jax.vjp(lambda uv: sample_xla(texture, uv), uv)[1](gradient)

    return image_operation({"cpu": cpu, "xla": xla}, ranks=(4, 4, 4), result_ranks=(4,), backend=backend)


def sample_xla(
    texture: Float[Array, "N A B C"] | Float[Array, "A B C"], uv: Float[Array, "N H W 2"]
) -> Float[Array, "N H W C"]:
    """The plain twin of the C++ handler."""
    rows, columns = texture.shape[-3:-1]

    def cell(coordinate, size):
        """First texel of the pair around, the next one, and the weight of the latter."""
        place = jnp.clip(coordinate * size - 0.5, 0.0, size - 1.0)
        first = jnp.clip(jax.lax.stop_gradient(place).astype(jnp.int32), 0, max(size - 2, 0))
        return first, jnp.minimum(first + 1, size - 1), (place - first)[..., None]

    left, right, fx = cell(uv[..., 0], columns)
    top, bottom, fy = cell(uv[..., 1], rows)

    def texels(i, j):
        if texture.ndim == 3:
            return texture[i, j]
        return jax.vmap(lambda one, i, j: one[i, j])(texture, i, j)

    upper = texels(top, left) * (1 - fx) + texels(top, right) * fx
    lower = texels(bottom, left) * (1 - fx) + texels(bottom, right) * fx
    return upper * (1 - fy) + lower * fy
