"""Draws reconstructed faces: into the photo they came from, and as clay or textured heads from chosen sides.

V vertices, U side of the albedo map.
"""

from dataclasses import dataclass
from functools import partial

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.geometry import mesh
from sirjax.geometry.camera import clip_positions
from sirjax.geometry.rotation import rotation_from_euler
from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import PAPER, Color, to_uint8
from sirjax.reconstruction import FaceReconstruction
from sirjax.render import renderer
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize
from sirjax.render.shading import NEUTRAL_LIGHT
from sirjax.types import NO_TRIANGLE, Rendering

WINDOW_SIDES = (128, 256, 512, 1024, 2048)  # squares that photos are drawn on: few sizes, so that little is compiled
CLAY = (0.80, 0.77, 0.72)
SIDES = {"front": 0.0, "three quarters": 45.0, "side": 90.0}  # yaw in degrees; the face turns to the image's right


@dataclass(frozen=True)
class PhotoRendering:
    """A face drawn at the photo's own pixels, cut to the part of the photo where it lies."""

    left: int  # where the part starts in the photo
    top: int
    image: np.ndarray  # float32 [h, w, 3] shaded, not clipped; 0 outside the mask
    mask: np.ndarray  # bool [h, w]

    @property
    def where(self) -> tuple[slice, slice]:
        """The part as an index into the photo."""
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def render_in_photo(
    face: FaceReconstruction, face_model: FaceModel, photo_size: tuple[int, int], *, backend: str = "auto"
) -> PhotoRendering:
    """Draws the face where the photo shows it, with its own light.

    Faces that fill more than the largest of `WINDOW_SIDES` are drawn at that size and enlarged.

    Args:
      face: the face.
      face_model: the face model that it was made with.
      photo_size: height and width of the photo.
      backend: see `sirjax.render.rasterize`.
    """
    projected = face.projected_in_photo
    low = np.floor(projected[:, :2].min(axis=0)).astype(int) - 1
    extent = float((projected[:, :2].max(axis=0) - low).max()) + 2.0
    side = next((side for side in WINDOW_SIDES if side >= extent), WINDOW_SIDES[-1])
    step = max(1.0, extent / side)  # photo pixels per drawn pixel
    # Pixel edges, not centers, keep their place when pixels are drawn larger.
    plane = (projected[:, :2] - low + 0.5) / step - 0.5
    moved = np.concatenate([plane, projected[:, 2:] / step], axis=1)
    # The light lives in the crop's camera frame, so the normals have to as well.
    normals = _turned_normals(face_model, face.vertices, face.rotation[None])
    rendering = draw(face_model, moved[None], normals, face.albedo, face.light, (side, side), backend=backend)
    image, mask = np.asarray(rendering.image[0]), np.asarray(rendering.mask[0])
    if step > 1.0:
        full = (round(side * step), round(side * step))
        image = cv2.resize(image, full, interpolation=cv2.INTER_LINEAR)
        mask = cv2.resize(mask, full, interpolation=cv2.INTER_NEAREST)
    first = np.clip(-low, 0, mask.shape[::-1])  # (left, top) of what lies inside the photo
    last = np.clip(np.array(photo_size[::-1]) - low, first, mask.shape[::-1])
    inside = slice(first[1], last[1]), slice(first[0], last[0])
    left, top = np.maximum(low, 0).tolist()
    return PhotoRendering(left, top, image[inside], mask[inside] > 0.5)


def overlay(
    photo: UInt8[np.ndarray, "H W 3"], drawings: list[PhotoRendering], *, opacity: float = 0.85
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the photo with faces blended in; pixels outside their masks stay untouched."""
    canvas = photo.copy()
    for drawing in drawings:
        part = canvas[drawing.where]
        mixed = opacity * np.clip(drawing.image, 0.0, 1.0) + (1.0 - opacity) * (part / np.float32(255.0))
        part[drawing.mask] = to_uint8(mixed)[drawing.mask]
    return canvas


def clay_views(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    yaws: tuple[float, ...] = (SIDES["front"], SIDES["side"]),
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> list[UInt8[np.ndarray, "size size 3"]]:
    """The mesh in clay, from a fixed distance (faces drawn by the same face model can be compared).

    Args:
      face_model: tells the triangles, and by its mean face the scale.
      vertices: mm, y up, z toward the viewer.
      yaws: one view for each of these turns, degrees.
      size: side of the views, pixels.
      background: around the head.
      backend: see `sirjax.render.rasterize`.
    """
    rendering = _view(face_model, vertices, np.asarray(face_model.mean_albedo), yaws, size, backend)
    normals, mask = np.asarray(rendering.normals), np.asarray(rendering.mask)[..., None]
    return [_shrunk(_clay(normals[i]), mask[i], background) for i in range(len(yaws))]


def textured_views(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    yaws: tuple[float, ...] = (SIDES["front"],),
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> list[UInt8[np.ndarray, "size size 3"]]:
    """As `clay_views`, showing the albedo under even light."""
    rendering = _view(face_model, vertices, albedo, yaws, size, backend)
    image, mask = np.asarray(rendering.albedo), np.asarray(rendering.mask)[..., None]
    return [_shrunk(image[i], mask[i], background) for i in range(len(yaws))]


def error_view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    errors: Float[np.ndarray, " V"],
    reach: float,
    yaw: float = 0.0,
    *,
    size: int = 320,
    background: Color = PAPER,
    backend: str = "auto",
) -> UInt8[np.ndarray, "size size 3"]:
    """The mesh colored by an error of each vertex: dark violet at 0, yellow from `reach` on; lightly shaded."""
    projected, rotation = _placed(face_model, vertices, (yaw,), 2 * size)
    normals = _turned_normals(face_model, vertices, rotation)
    levels = to_uint8(np.asarray(errors)[None] / reach)
    colors = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[0, :, ::-1] / np.float32(255.0)
    attributes = jnp.concatenate([jnp.asarray(colors)[None], normals], axis=-1)
    image, mask = _interpolated(projected, attributes, face_model.triangles, (2 * size, 2 * size), backend)
    image = np.asarray(image[0])
    shade = 0.6 + 0.4 * _clay(image[..., 3:]).mean(axis=-1, keepdims=True)
    return _shrunk(image[..., :3] * shade, np.asarray(mask[0])[..., None], background)


def draw(
    face_model: FaceModel,
    projected: Float[np.ndarray, "B V 3"],
    normals: Float[jax.Array, "B V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    light: Float[np.ndarray, "9 3"],
    image_size: tuple[int, int],
    *,
    backend: str = "auto",
) -> Rendering:
    """Draws meshes given in pixels, sharing albedo and light; compiled once for each image size and batch."""
    batch = len(projected)
    return _draw(
        jnp.asarray(projected, jnp.float32),
        normals,
        jnp.broadcast_to(jnp.asarray(albedo, jnp.float32)[None], (batch, *albedo.shape)),
        jnp.broadcast_to(jnp.asarray(light, jnp.float32)[None], (batch, *light.shape)),
        face_model.triangles,
        face_model.uv,
        face_model.uv_triangles,
        image_size=image_size,
        backend=backend,
    )


@partial(jax.jit, static_argnames=("image_size", "backend"))
def _draw(projected, normals, albedo, light, triangles, uv, uv_triangles, *, image_size, backend):
    return renderer.render(
        projected,
        normals,
        albedo,
        light,
        triangles=triangles,
        uv=uv,
        uv_triangles=uv_triangles,
        image_size=image_size,
        backend=backend,
    )


@partial(jax.jit, static_argnames=("image_size", "backend"))
def _interpolated(projected, attributes, triangles, image_size, backend):
    fragments = rasterize(clip_positions(projected, image_size), triangles, image_size, backend=backend)
    return interpolate(attributes, triangles, fragments), fragments.triangle_id != NO_TRIANGLE


def _view(
    face_model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    yaws: tuple[float, ...],
    size: int,
    backend: str,
) -> Rendering:
    """The mesh turned by each yaw, at twice the size (for smooth edges once shrunk)."""
    projected, rotation = _placed(face_model, vertices, yaws, 2 * size)
    normals = _turned_normals(face_model, vertices, rotation)
    return draw(
        face_model, projected, normals, albedo, np.asarray(NEUTRAL_LIGHT), (2 * size, 2 * size), backend=backend
    )


def _placed(
    face_model: FaceModel, vertices: Float[np.ndarray, "V 3"], yaws: tuple[float, ...], side: int
) -> tuple[Float[np.ndarray, "B V 3"], Float[np.ndarray, "B 3 3"]]:
    """Pixels of the turned mesh, scaled so that the mean head fills 80 % of the picture from every side."""
    zero = jnp.zeros(len(yaws))
    rotation = np.asarray(rotation_from_euler(zero, jnp.radians(jnp.asarray(yaws, jnp.float32)), zero))
    mean = np.asarray(face_model.mean)
    low, high = mean.min(axis=0), mean.max(axis=0)
    scale = 0.8 * side / float((high - low).max())
    turned = np.einsum("bij,vj->bvi", rotation, np.asarray(vertices) - (low + high) / 2)
    return turned * [scale, -scale, scale] + [(side - 1) / 2, (side - 1) / 2, 0.0], rotation


def _turned_normals(
    face_model: FaceModel, vertices: Float[np.ndarray, "V 3"], rotation: Float[np.ndarray, "B 3 3"]
) -> Float[jax.Array, "B V 3"]:
    normals = mesh.vertex_normals(jnp.asarray(vertices, jnp.float32)[None], face_model.topology)[0]
    return jnp.einsum("bij,vj->bvi", jnp.asarray(rotation), normals)


def _clay(normals: Float[np.ndarray, "H W 3"]) -> Float[np.ndarray, "H W 3"]:
    """Matte clay under a main light from the upper left and a weak one from the right, a little darker at the rim."""
    key, fill = np.array([-0.45, 0.55, 0.70]), np.array([0.80, 0.10, 0.45])
    lit = 0.22 + 0.68 * np.maximum(normals @ key, 0.0) + 0.18 * np.maximum(normals @ fill, 0.0)
    rim = 0.75 + 0.25 * np.maximum(normals[..., 2], 0.0)
    return (lit * rim)[..., None] * np.array(CLAY)


def _shrunk(
    image: Float[np.ndarray, "H W 3"], mask: Float[np.ndarray, "H W 1"], background: Color
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Half the size, over the background: four pixels become one, which smooths the outline."""
    full = np.clip(image, 0.0, 1.0) * mask + np.array(background) / 255.0 * (1 - mask)
    half = full.reshape(full.shape[0] // 2, 2, full.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    return to_uint8(half)
