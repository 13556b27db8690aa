"""The photo's own colors as a texture: what the photo shows of a face, mirrored where only one half is seen, and
predicted albedo for the rest. V vertices, U side of the texture.

Unlike albedo it holds the photo's light and shadow, and whatever covers the face (hair, glasses, a hand).
"""

from dataclasses import dataclass
from functools import partial

import cv2
import jax
import numpy as np
from jaxtyping import Bool, Float, UInt8

from sirjax.morphable.model import FaceModel
from sirjax.morphable.texture import resize_albedo
from sirjax.pictures.in_photo import vertex_normals
from sirjax.pictures.window import Window, surface
from sirjax.reconstruction import FaceReconstruction

SIZES = (256, 512, 1024, 2048)  # of textures; few, so that little is compiled
HIDDEN_MM = 4.0  # how far behind the surface that the photo sees a place may lie and still be seen
SLANTED, FACING = 0.3, 0.75  # cosines to the viewer below which the photo says nothing, and above which all


@dataclass(frozen=True)
class PhotoTexture:
    """A texture in [0, 1], and where it comes from."""

    image: np.ndarray  # float32 [U, U, 3]
    shares: np.ndarray  # float32 [U, U, 3]: of the photo, of its mirrored other half, of the albedo; they sum to 1


def photo_texture(
    photo: UInt8[np.ndarray, "H W 3"],
    face: FaceReconstruction,
    face_model: FaceModel,
    *,
    size: int | None = None,
    backend: str = "auto",
) -> PhotoTexture:
    """Projects the photo onto the face.

    Args:
      photo: upright RGB.
      face: one of its faces.
      face_model: the face model that it was made with.
      size: of the texture; by default as fine as the photo shows the face.
      backend: see `sirjax.render.rasterize`.
    """
    projected = face.projected_in_photo
    window = Window.around(projected)
    size = size or next((side for side in SIZES if side >= window.side * window.step), SIZES[-1])
    normals = vertex_normals(face_model, face.vertices) @ face.photo_rotation.T
    places, used = _texels(face_model, np.concatenate([projected, normals[:, 2:]], axis=1), size, backend)
    seen = used * _facing(places[..., 3]) * _unhidden(places, projected, face_model, window, face, backend)
    height, width = photo.shape[:2]
    u, v = np.ascontiguousarray(places[..., 0]), np.ascontiguousarray(places[..., 1])
    seen = seen * ((u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1))
    seen = used * _soft(np.where(_holes(used), 1, seen).astype(np.float32), size)
    colors = cv2.remap(photo, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) / np.float32(255)
    mirrored = seen[:, ::-1] * (1 - seen)
    rest = 1 - seen - mirrored
    albedo = _matched(np.asarray(_resized(face.albedo, size=size)), colors, seen)
    image = seen[..., None] * colors + mirrored[..., None] * colors[:, ::-1] + rest[..., None] * albedo
    image = _beyond_the_edge(image, used, size)
    return PhotoTexture(image.astype(np.float32), np.stack([seen, mirrored, rest], axis=-1))


def _texels(
    face_model: FaceModel, attributes: Float[np.ndarray, "V C"], size: int, backend: str
) -> tuple[Float[np.ndarray, "U U C"], Float[np.ndarray, "U U"]]:
    """Values given at vertices for each texel, and which texels belong to the face (1 or 0)."""
    triangles, uv_triangles = np.asarray(face_model.triangles), np.asarray(face_model.uv_triangles)
    vertex = np.zeros(len(face_model.uv), np.int64)
    vertex[uv_triangles.reshape(-1)] = triangles.reshape(-1)  # the vertex behind each texture vertex
    layout = np.concatenate([np.asarray(face_model.uv) * size - 0.5, np.zeros((len(vertex), 1))], axis=1)
    values, mask = surface(layout, attributes[vertex], face_model.uv_triangles, (size, size), backend=backend)
    return values, mask.astype(np.float32)


def _facing(cosine: Float[np.ndarray, "U U"]) -> Float[np.ndarray, "U U"]:
    """0 where the surface is seen from the side or not at all, 1 where it is seen well; smooth in between."""
    t = np.clip((cosine - SLANTED) / (FACING - SLANTED), 0, 1)
    return t * t * (3 - 2 * t)


def _unhidden(places, projected, face_model: FaceModel, window: Window, face: FaceReconstruction, backend: str):
    """1 where nothing of the face lies in front of a texel, else 0."""
    placed = window.placed(projected)
    size = (window.side, window.side)
    depth, mask = surface(placed, placed[:, 2:], face_model.triangles, size, backend=backend)
    nearest = np.where(mask, depth[..., 0], -np.inf).astype(np.float32)
    plane = (places[..., :2] - window.low + 0.5) / window.step - 0.5
    u, v = (np.ascontiguousarray(plane[..., i], np.float32) for i in (0, 1))
    front = cv2.remap(nearest, u, v, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=-np.inf)
    pixels_per_mm = float(face.photo_camera.scale[0]) / window.step
    return places[..., 2] / window.step >= front - HIDDEN_MM * pixels_per_mm


def _soft(seen: Float[np.ndarray, "U U"], size: int) -> Float[np.ndarray, "U U"]:
    """The same with soft borders on the seen side: what is hidden stays hidden."""
    reach = 2 * (size // 64) + 1
    shrunk = cv2.erode(seen, np.ones((reach, reach), np.uint8))
    return np.minimum(seen, cv2.GaussianBlur(shrunk, (0, 0), size / 96))


def _holes(used: Float[np.ndarray, "U U"]) -> Bool[np.ndarray, "U U"]:
    """Texels of no face that lie within it (eyes, mouth): no borders of what is seen."""
    _, labels = cv2.connectedComponents((used == 0).astype(np.uint8), connectivity=4)
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return (used == 0) & ~np.isin(labels, edge)


def _matched(albedo, colors, seen):
    """The albedo with the mean color that the photo shows where it shows the face."""
    weight = seen[..., None]
    if weight.sum() < 1:
        return np.clip(albedo, 0, 1)
    gain = (weight * colors).sum(axis=(0, 1)) / np.maximum((weight * albedo).sum(axis=(0, 1)), 1e-6)
    return np.clip(albedo * np.clip(gain, 0.1, 5.0), 0, 1)


def _beyond_the_edge(image, used, size: int):
    """Continues the colors a little outside the face's texels, for viewers that blend neighbours."""
    reach = size / 128
    weight = cv2.GaussianBlur(used, (0, 0), reach)[..., None]
    near = cv2.GaussianBlur(image * used[..., None], (0, 0), reach) / np.maximum(weight, 1e-4)
    outside = (used[..., None] == 0) & (weight > 1e-3)
    return np.where(outside, near, image)


@partial(jax.jit, static_argnames="size")
def _resized(albedo, *, size):
    return resize_albedo(albedo, size)
