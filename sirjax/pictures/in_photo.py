"""Draws reconstructed faces into the photo they came from, at its own pixels. V vertices, U side of the albedo map."""

from dataclasses import dataclass
from functools import partial

import cv2
import jax
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.geometry import mesh
from sirjax.morphable.model import FaceModel
from sirjax.pictures.window import Window
from sirjax.reconstruction import FaceReconstruction
from sirjax.render import renderer
from sirjax.types import Rendering


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

    Faces that fill more than the largest of `window.SIDES` are drawn at that size and enlarged.

    Args:
      face: the face.
      face_model: the face model that it was made with.
      photo_size: height and width of the photo.
      backend: see `sirjax.render.rasterize`.
    """
    projected = face.projected_in_photo
    window = Window.around(projected)
    # The light lives in the crop's camera frame, so the normals have to as well.
    normals = vertex_normals(face_model, face.vertices) @ face.rotation.T
    size = (window.side, window.side)
    rendering = draw(face_model, window.placed(projected), normals, face.albedo, face.light, size, backend=backend)
    image, mask = window.enlarged(np.asarray(rendering.image), np.asarray(rendering.mask))
    left, top, inside = window.inside(mask.shape, photo_size)
    return PhotoRendering(left, top, image[inside], mask[inside] > 0.5)


def overlay(
    photo: UInt8[np.ndarray, "H W 3"], drawings: list[PhotoRendering], *, opacity: float = 0.85
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the photo with faces blended in; pixels outside their masks stay untouched."""
    canvas = photo.copy()
    for drawing in drawings:
        if drawing.mask.size == 0:  # beside the photo; OpenCV refuses empty images
            continue
        # By OpenCV, in place: with NumPy's masks and copies a large face took ten times as long.
        part, mixed = canvas[drawing.where], np.clip(drawing.image, 0.0, 1.0)
        mixed *= 255.0 * opacity
        if opacity < 1.0:
            mixed = cv2.scaleAdd(part.astype(np.float32), 1.0 - opacity, mixed)
        cv2.copyTo(cv2.convertScaleAbs(mixed), drawing.mask.astype(np.uint8), part)
    return canvas


def draw(
    face_model: FaceModel,
    projected: Float[np.ndarray, "V 3"],
    normals: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    light: Float[np.ndarray, "9 3"],
    image_size: tuple[int, int],
    *,
    backend: str = "auto",
) -> Rendering:
    """Draws one mesh given in pixels (see `geometry.camera.project`); without batch dimension.

    Compiled once for each image size.
    """
    rendering = _draw(
        *(np.asarray(array, np.float32)[None] for array in (projected, normals, albedo, light)),
        face_model.triangles,
        face_model.uv,
        face_model.uv_triangles,
        image_size=image_size,
        backend=backend,
    )
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], rendering)


def vertex_normals(face_model: FaceModel, vertices: Float[np.ndarray, "V 3"]) -> Float[np.ndarray, "V 3"]:
    """Unit normals of one mesh, in the frame of its vertices."""
    return mesh.vertex_normals_of_one(np.asarray(vertices, np.float32), face_model.topology)


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
