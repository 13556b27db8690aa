"""Reconstructed heads from chosen sides: in clay, with their albedo, or colored by an error. V vertices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Bool, Float, Int, UInt8

from sirjax.colors import colored
from sirjax.constants import NO_TRIANGLE
from sirjax.geometry.camera import clip_positions
from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import PAPER, Color
from sirjax.pictures.in_photo import vertex_normals
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from sirjax.render.texture import sample_texture
from sirjax.types import Fragments

CLAY = (0.80, 0.77, 0.72)
FRONT, THREE_QUARTERS, SIDE = 0.0, 45.0, 90.0  # yaw in degrees; the face turns to the image's right
_FILLED = 0.8  # share of the picture that the mean head's longest side takes
# Where a pixel is looked at, (u, v) from its center: at three places that share no row and no column, so that outlines
# are as smooth along either axis as nine places in a square would make them.
_SAMPLES = np.array([[-1, 0], [0, 1], [1, -1]], np.float32) / 3


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
    return _views(face_model, vertices, face_model.mean_albedo, yaw, size, background, backend, ("clay",))[0]


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
    return _views(face_model, vertices, albedo, yaw, size, background, backend, ("albedo",))[0]


def clay_and_textured_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    yaw: float = FRONT,
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> tuple[UInt8[np.ndarray, "size size 3"], UInt8[np.ndarray, "size size 3"]]:
    """`clay_view` and `textured_view` of one mesh, for little more than the time of one."""
    clay, textured = _views(face_model, vertices, albedo, yaw, size, background, backend, ("clay", "albedo"))
    return clay, textured


def error_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    errors: Float[np.ndarray, " V"],
    reach: float,
    yaw: float = FRONT,
    *,
    signed: bool = False,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> UInt8[np.ndarray, "size size 3"]:
    """As `clay_view`, tinted by an error of each vertex: dark violet at 0, yellow from `reach` on.

    Signed errors are gray at 0, red from `reach` on and blue from -`reach` on.
    """
    projected, normals = _placed(face_model, vertices, yaw, size)
    attributes = np.concatenate([normals, errors[:, None]], axis=1)
    values, mask = _interpolated(
        np.asarray(projected, np.float32),
        np.asarray(attributes, np.float32),
        face_model.triangles,
        image_size=(size, size),
        backend=backend,
    )
    values = np.asarray(values)
    relief = 0.55 + 0.45 * np.float32(np.mean(CLAY)) * np.asarray(_brightness(values[..., :3]))
    tinted = np.float32(colored(values[..., 3], -reach if signed else 0.0, reach) / 255.0 * relief[..., None])
    return np.asarray(_over(background, tinted, mask))


@partial(jax.jit, static_argnames=("image_size", "backend"))
def _interpolated(projected, attributes, triangles, *, image_size, backend):
    fragments = _fragments(projected, triangles, image_size, backend)
    values = interpolate(attributes, triangles, fragments, backend=backend)
    return values, fragments.triangle_id != NO_TRIANGLE


def _views(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"] | Float[Array, "U U 3"],
    yaw: float,
    size: int,
    background: Color,
    backend: str,
    kinds: tuple[str, ...],
) -> list[UInt8[np.ndarray, "size size 3"]]:
    """Pictures of the turned mesh, one of each kind: "clay", "albedo"."""
    projected, normals = _placed(face_model, vertices, yaw, size)
    pictures = _drawn(
        *(np.asarray(array, np.float32) for array in (projected, normals, albedo)),
        face_model.triangles,
        face_model.uv,
        face_model.uv_triangles,
        image_size=(size, size),
        background=background,
        backend=backend,
        kinds=kinds,
    )
    return [np.asarray(picture) for picture in pictures]


@partial(jax.jit, static_argnames=("image_size", "background", "backend", "kinds"))
def _drawn(projected, normals, albedo, triangles, uv, uv_triangles, *, image_size, background, backend, kinds):
    """All in one program, so that what lies between mesh and picture stays out of the memory."""
    fragments = _fragments(projected, triangles, image_size, backend)
    normals = interpolate(normals, triangles, fragments, backend=backend)
    mask = (fragments.triangle_id != NO_TRIANGLE) & (normals[..., 2] >= 0)
    colors = {}
    if "clay" in kinds:
        colors["clay"] = _brightness(normals)[..., None] * jnp.array([[[CLAY]]])
    if "albedo" in kinds:
        uv = interpolate(uv, uv_triangles, fragments, backend=backend)
        colors["albedo"] = sample_texture(albedo, uv, backend=backend)
    return [_over(background, colors[kind], mask) for kind in kinds]


def _fragments(
    projected: Float[ArrayLike, "V 3"], triangles: Int[ArrayLike, "T 3"], image_size: tuple[int, int], backend: str
) -> Fragments:
    """What pixels see at each of `_SAMPLES`: one image each, of the mesh moved the other way."""
    samples = jnp.asarray(projected)[None] - jnp.pad(_SAMPLES, ((0, 0), (0, 1)))[:, None]
    return rasterize(clip_positions(samples, image_size), jnp.asarray(triangles), image_size, backend=backend)


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
def _brightness(normals: Float[ArrayLike, "N H W 3"]) -> Float[Array, "N H W"]:
    """Matte clay under a main light from the upper left and a weak one from the right, a little darker at the rim.

    The normals need not be unit.
    """
    # Channel by channel here, sample by sample below: as reductions over an axis they take a CPU ten times as long.
    x, y, z = (jnp.asarray(normals)[..., i] for i in range(3))
    squared = x * x + y * y + z * z
    scale = jax.lax.rsqrt(jnp.where(squared > 0, squared, 1.0))
    x, y, z = x * scale, y * scale, z * scale
    key = jnp.maximum(-0.45 * x + 0.55 * y + 0.70 * z, 0.0)
    fill = jnp.maximum(0.80 * x + 0.10 * y + 0.45 * z, 0.0)
    return (0.30 + 0.72 * key + 0.20 * fill) * (0.75 + 0.25 * jnp.maximum(z, 0.0))


@partial(jax.jit, static_argnames="background")
def _over(
    background: Color, colors: Float[ArrayLike, "N H W 3"], mask: Bool[ArrayLike, "N H W"]
) -> UInt8[Array, "H W 3"]:
    """The mean of a pixel's samples, the background where they hit nothing: smooth outlines."""
    colors, mask = jnp.clip(jnp.asarray(colors), 0.0, 1.0), jnp.asarray(mask)
    paper = jnp.array([[background]]) / 255.0
    total = sum((jnp.where(mask[i, ..., None], colors[i], paper) for i in range(len(_SAMPLES))), start=jnp.zeros(()))
    return jnp.rint(total * (255.0 / len(_SAMPLES))).astype(jnp.uint8)
