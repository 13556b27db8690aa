"""Depth and normals of a face at the pixels of its crop or of the photo. V vertices."""

from dataclasses import dataclass

import numpy as np

from sirjax.morphable.model import FaceModel
from sirjax.pictures.in_photo import vertex_normals
from sirjax.pictures.window import Window, surface
from sirjax.reconstruction import FaceReconstruction

IMAGES = ("crop", "photo")


@dataclass(frozen=True)
class SurfaceMaps:
    """What each pixel sees of a face; NaN where it sees none. float32."""

    depth: np.ndarray  # [H, W] mm toward the viewer from the plane through the model's origin
    normals: np.ndarray  # [H, W, 3] unit, camera frame of the image: x right, y up, z to the viewer


def surface_maps(
    face: FaceReconstruction,
    face_model: FaceModel,
    image: str,
    image_size: tuple[int, int],
    *,
    backend: str = "auto",
) -> SurfaceMaps:
    """Depth and normals of the face with its expression.

    Depth is true millimeters where an eye distance was given, else millimeters of an average head.

    Args:
      face: the face.
      face_model: the face model that it was made with.
      image: "crop" or "photo".
      image_size: height and width of that image.
      backend: see `sirjax.render.rasterize`.

    Raises:
      ValueError: if `image` is neither.
    """
    if image not in IMAGES:
        raise ValueError(f"image must be one of {', '.join(IMAGES)}, got {image!r}")
    in_photo = image == "photo"
    rotation = face.photo_rotation if in_photo else face.rotation
    projected = face.projected_in_photo if in_photo else face.projected
    depth = (face.vertices @ rotation.T)[:, 2:] * (face.metric_scale or 1.0)
    attributes = np.concatenate([depth, vertex_normals(face_model, face.vertices) @ rotation.T], axis=1)
    window = Window.around(projected)
    size = (window.side, window.side)
    values, mask = surface(window.placed(projected), attributes, face_model.triangles, size, backend=backend)
    values, mask = window.enlarged(values, mask.astype(np.uint8))
    left, top, inside = window.inside(mask.shape, image_size)
    values, mask = values[inside], mask[inside] > 0
    whole = np.full((*image_size, 4), np.nan, np.float32)
    part = whole[top : top + mask.shape[0], left : left + mask.shape[1]]
    part[mask] = values[mask]
    length = np.linalg.norm(whole[..., 1:], axis=-1, keepdims=True)
    return SurfaceMaps(depth=whole[..., 0], normals=whole[..., 1:] / np.maximum(length, 1e-6))
