"""Reconstructed heads from chosen sides: in clay, with their albedo, or colored by an error. V vertices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, UInt8

from sirjax.constants import NO_TRIANGLE
from sirjax.geometry.camera import clip_positions
from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import PAPER, Color
from sirjax.pictures.grid import heat_map
from sirjax.pictures.in_photo import vertex_normals
from sirjax.render import renderer
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from sirjax.render.shading import NEUTRAL_LIGHT

CLAY = (0.80, 0.77, 0.72)
FRONT, THREE_QUARTERS, SIDE = 0.0, 45.0, 90.0  # yaw in degrees; the face turns to the image's right
_FILLED = 0.8  # share of the picture that the mean head's longest side takes


def clay_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    yaw: float = FRONT,
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> UInt8[np.ndarray, "size size 3"]:
    """The mesh in clay, from a fixed distance: views of one face model can be compared.

    Args:
      face_model: tells the triangles, and by its mean face the scale.
      vertices: mm, y up, z toward the viewer.
      yaw: turn of the head before drawing, degrees.
      size: side of the picture, pixels.
      background: around the head.
      backend: see `sirjax.render.rasterize`.
    """
    normals, mask = _view(face_model, vertices, face_model.mean_albedo, yaw, size, backend, "normals")
    return np.asarray(_shrunk(_clay(normals), mask, background))


def textured_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    yaw: float = FRONT,
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> UInt8[np.ndarray, "size size 3"]:
    """As `clay_view`, showing an albedo map in [0, 1] under even light."""
    return np.asarray(_shrunk(*_view(face_model, vertices, albedo, yaw, size, backend, "albedo"), background))


def error_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    errors: Float[np.ndarray, " V"],
    reach: float,
    yaw: float = FRONT,
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> UInt8[np.ndarray, "size size 3"]:
    """As `clay_view`, tinted by an error of each vertex: dark violet at 0, yellow from `reach` on."""
    projected, normals = _placed(face_model, vertices, yaw, 2 * size)
    attributes = np.concatenate([normals, errors[:, None]], axis=1)
    values, mask = _interpolated(
        np.asarray(projected, np.float32)[None],
        np.asarray(attributes, np.float32)[None],
        face_model.triangles,
        image_size=(2 * size, 2 * size),
        backend=backend,
    )
    values = np.asarray(values[0])
    relief = 0.55 + 0.45 * np.asarray(_clay(values[..., :3])).mean(axis=-1, keepdims=True)
    tinted = np.float32(heat_map(values[..., 3], reach) / 255.0 * relief)
    return np.asarray(_shrunk(tinted, np.asarray(mask[0], np.float32), background))


@partial(jax.jit, static_argnames=("image_size", "backend"))
def _interpolated(projected, attributes, triangles, *, image_size, backend):
    fragments = rasterize(clip_positions(projected, image_size), triangles, image_size, backend=backend)
    values = interpolate(attributes, triangles, fragments, backend=backend)
    return values, fragments.triangle_id != NO_TRIANGLE


def _view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"] | Float[Array, "U U 3"],
    yaw: float,
    size: int,
    backend: str,
    what: str,
) -> tuple[Float[Array, "H W 3"], Float[Array, "H W"]]:
    """What is seen of the turned mesh (a field of `Rendering`) and where, at twice the size, for smooth edges."""
    projected, normals = _placed(face_model, vertices, yaw, 2 * size)
    return _seen(
        *(np.asarray(array, np.float32)[None] for array in (projected, normals, albedo, NEUTRAL_LIGHT)),
        face_model.triangles,
        face_model.uv,
        face_model.uv_triangles,
        image_size=(2 * size, 2 * size),
        backend=backend,
        what=what,
    )


@partial(jax.jit, static_argnames=("image_size", "backend", "what"))
def _seen(projected, normals, albedo, light, triangles, uv, uv_triangles, *, image_size, backend, what):
    """One field of a rendering, and its mask: what is not asked for is not computed."""
    parts = {"triangles": triangles, "uv": uv, "uv_triangles": uv_triangles}
    rendering = renderer.render(projected, normals, albedo, light, **parts, image_size=image_size, backend=backend)
    return getattr(rendering, what)[0], rendering.mask[0]


def place_in_view(
    face_model: FaceModel, points: Float[np.ndarray, "N 3"], yaw: float, size: int
) -> Float[np.ndarray, "N 3"]:
    """Where the views of this module show points (mm): pixels (u, v), and depth in pixels."""
    mean = np.asarray(face_model.mean)
    low, high = mean.min(axis=0), mean.max(axis=0)
    scale = _FILLED * size / float((high - low).max())
    turned = (np.asarray(points) - (low + high) / 2) @ _turn(yaw).T
    return turned * [scale, -scale, scale] + [(size - 1) / 2, (size - 1) / 2, 0.0]


def _turn(yaw: float) -> Float[np.ndarray, "3 3"]:
    cosine, sine = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([[cosine, 0.0, sine], [0.0, 1.0, 0.0], [-sine, 0.0, cosine]])


def _placed(
    face_model: FaceModel, vertices: Float[np.ndarray, "V 3"], yaw: float, side: int
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V 3"]]:
    """Pixels and normals of the turned mesh, the middle of the mean head in the middle of the picture."""
    normals = vertex_normals(face_model, vertices) @ _turn(yaw).T
    return place_in_view(face_model, vertices, yaw, side), normals


@jax.jit
def _clay(normals: Float[ArrayLike, "H W 3"]) -> Float[Array, "H W 3"]:
    """Matte clay under a main light from the upper left and a weak one from the right, a little darker at the rim."""
    x, y, z = jnp.moveaxis(jnp.asarray(normals), -1, 0)
    key = jnp.maximum(-0.45 * x + 0.55 * y + 0.70 * z, 0.0)
    fill = jnp.maximum(0.80 * x + 0.10 * y + 0.45 * z, 0.0)
    shade = (0.30 + 0.72 * key + 0.20 * fill) * (0.75 + 0.25 * jnp.maximum(z, 0.0))
    return shade[..., None] * jnp.array([[CLAY]])


@partial(jax.jit, static_argnames="background")
def _shrunk(
    image: Float[ArrayLike, "H W 3"], mask: Float[ArrayLike, "H W"], background: Color
) -> UInt8[Array, "H2 W2 3"]:
    """Half the size, over the background: four pixels become one, which smooths the outline."""
    inside = jnp.asarray(mask)[..., None]
    full = jnp.clip(jnp.asarray(image), 0.0, 1.0) * inside + jnp.array([[background]]) / 255.0 * (1 - inside)
    half = full.reshape(full.shape[0] // 2, 2, full.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    return jnp.rint(half * 255.0).astype(jnp.uint8)
