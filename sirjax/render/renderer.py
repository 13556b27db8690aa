"""From projected vertices, normals, albedo and light to an image.

The geometric part (which triangle, where in the texture, which normal) does not depend on albedo and light: compute it
once with `rasterize_geometry` and colour it as often as needed with `shade_surface`.
"""

import jax
import jax.numpy as jnp
from flax import struct
from jax import Array
from jaxtyping import Float, Int

from sirjax.constants import NO_TRIANGLE
from sirjax.geometry.camera import clip_positions
from sirjax.render.antialias import antialias as mix_silhouettes
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from sirjax.render.shading import shade
from sirjax.render.texture import sample_texture
from sirjax.types import Fragments, Rendering

DEGENERATE = 1e-12  # squared length below which an interpolated normal has no direction


@struct.dataclass
class Surface:
    """What each pixel sees of the geometry."""

    fragments: Fragments
    uv: Array  # [B, H, W, 2] place in the texture; 0 where nothing is hit
    normals: Array  # [B, H, W, 3] unit, camera frame; 0 outside the mask
    mask: Array  # [B, H, W] 1 where a front-facing triangle is seen, else 0; constant for gradients


def rasterize_geometry(
    projected: Float[Array, "B V 3"],
    normals: Float[Array, "B V 3"],
    *,
    triangles: Int[Array, "T 3"],
    uv: Float[Array, "Vt 2"],
    uv_triangles: Int[Array, "T 3"],
    image_size: tuple[int, int],
    backend: str = "auto",
) -> Surface:
    """Rasterizes and interpolates everything that does not depend on colours.

    Args:
      projected: (u, v, depth) in pixels, from `geometry.camera.project`.
      normals: of the vertices, camera frame; need not be unit.
      triangles: rows of `projected`.
      uv: texture coordinates, in [0, 1].
      uv_triangles: rows of `uv`, in the order of `triangles`; they differ from those where the texture has seams.
      image_size: height and width in pixels.
      backend: see `rasterize`.

    Raises:
      ValueError: for wrong shapes, types or vertex numbers.
      RuntimeError: if the backend asked for is not available.
    """
    if len(uv_triangles) != len(triangles):
        raise ValueError(f"{len(triangles)} triangles but {len(uv_triangles)} UV triangles: they must correspond")
    fragments = rasterize(clip_positions(projected, image_size), triangles, image_size, backend=backend)
    pixel_uv = interpolate(uv, uv_triangles, fragments, backend=backend)
    pixel_normals = _normalized(interpolate(normals, triangles, fragments, backend=backend))
    front = (fragments.triangle_id != NO_TRIANGLE) & (pixel_normals[..., 2] >= 0)
    pixel_normals = jnp.where(front[..., None], pixel_normals, 0.0)
    return Surface(fragments, pixel_uv, pixel_normals, jax.lax.stop_gradient(front.astype(jnp.float32)))


def shade_surface(
    surface: Surface, albedo: Float[Array, "B U U 3"], light: Float[Array, "B 9 3"], *, backend: str = "auto"
) -> Rendering:
    """Colours a surface.

    Args:
      surface: from `rasterize_geometry`.
      albedo: texture in [0, 1]; one per image, or one for all ([U, U, 3]).
      light: spherical harmonics (rows) of each RGB channel (columns).
      backend: see `rasterize`.
    """
    front = surface.mask[..., None] > 0
    pixel_albedo = jnp.where(front, sample_texture(albedo, surface.uv, backend=backend), 0.0)
    image = shade(pixel_albedo, surface.normals, light)
    return Rendering(image=image, mask=surface.mask, albedo=pixel_albedo, normals=surface.normals)


def render(
    projected: Float[Array, "B V 3"],
    normals: Float[Array, "B V 3"],
    albedo: Float[Array, "B U U 3"],
    light: Float[Array, "B 9 3"],
    *,
    triangles: Int[Array, "T 3"],
    uv: Float[Array, "Vt 2"],
    uv_triangles: Int[Array, "T 3"],
    image_size: tuple[int, int],
    backend: str = "auto",
    antialias: bool = False,
) -> Rendering:
    """Draws B textured meshes; `rasterize_geometry` and `shade_surface` in one, with their arguments.

    With `antialias` image, mask and albedo are mixed along silhouettes, and change smoothly with them.
    """
    surface = rasterize_geometry(
        projected,
        normals,
        triangles=triangles,
        uv=uv,
        uv_triangles=uv_triangles,
        image_size=image_size,
        backend=backend,
    )
    rendering = shade_surface(surface, albedo, light, backend=backend)
    if not antialias:
        return rendering
    layers = jnp.concatenate([rendering.image, rendering.albedo, rendering.mask[..., None]], axis=-1)
    smooth = mix_silhouettes(layers, surface.fragments, clip_positions(projected, image_size), triangles)
    return rendering.replace(image=smooth[..., :3], albedo=smooth[..., 3:6], mask=smooth[..., 6])


def _normalized(vectors: Float[Array, "... 3"]) -> Float[Array, "... 3"]:
    """Unit vectors; 0, with zero gradient, where the length vanishes."""
    squared = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True)
    has_direction = squared > DEGENERATE
    # The inner where keeps the gradient finite: rsqrt(0) would put NaN behind the outer one.
    scale = jax.lax.rsqrt(jnp.where(has_direction, squared, 1.0))
    return jnp.where(has_direction, vectors * scale, 0.0)
