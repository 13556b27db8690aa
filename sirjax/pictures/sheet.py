"""One picture that explains a reconstruction: the photo, the landmarks, the face drawn back, and its shape."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.morphable.model import FaceModel
from sirjax.pictures.draw import blank, draw_box, draw_landmarks, fit
from sirjax.pictures.grid import compose
from sirjax.pictures.in_photo import PhotoRendering, overlay, render_in_photo
from sirjax.pictures.views import SIDE, clay_and_textured_view, clay_view
from sirjax.reconstruction import FaceReconstruction

CLOSE_UP_MARGIN = 0.25  # of the face's size, on each side


def reconstruction_sheet(
    photo: UInt8[np.ndarray, "H W 3"],
    face: FaceReconstruction,
    face_model: FaceModel,
    *,
    drawing: PhotoRendering | None = None,
    title: str = "",
    tile: int = 320,
    backend: str = "auto",
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Draws two rows of tiles.

    Above: the photo with the face framed; the 68 landmarks; the face drawn over the photo; its albedo. Below, in clay:
    the neutral shape from the front and the side; the shape with its expression; and turned as in the photo.

    Args:
      photo: the upright photo.
      face: one of its faces.
      face_model: the face model that it was made with.
      drawing: of `render_in_photo`, if it is there already.
      title: a line over everything.
      tile: side of the tiles, pixels.
      backend: see `sirjax.render.rasterize`.
    """
    drawing = drawing or render_in_photo(face, face_model, photo.shape[:2], backend=backend)
    blended = overlay(photo, [drawing], opacity=1.0)
    window = _window(face.landmarks_in_photo)
    framed = draw_box(photo, _frame(window), thickness=max(2, round(max(photo.shape) / 200)))
    close_up, landmarks = _cut(photo, window, tile, face.landmarks_in_photo)
    size = {"size": tile, "backend": backend}
    neutral, albedo = clay_and_textured_view(face_model, face.neutral_vertices, face.albedo, **size)
    rows = [
        [
            fit(framed, tile, tile),
            draw_landmarks(close_up, landmarks),
            _cut(blended, window, tile, face.landmarks_in_photo)[0],
            albedo,
        ],
        [
            neutral,
            clay_view(face_model, face.neutral_vertices, SIDE, **size),
            clay_view(face_model, face.vertices, **size),
            clay_view(face_model, face.posed_vertices, **size),
        ],
    ]
    labels = [
        ["photo", "68 landmarks", "face drawn over the photo", "albedo"],
        ["neutral shape, front", "neutral shape, side", "with expression", "with expression, turned as in the photo"],
    ]
    return compose(rows, labels=labels, title=title)


def _window(landmarks: Float[np.ndarray, "68 2"]) -> tuple[float, float, float]:
    """A square around the face: (left, top, side) in photo pixels."""
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    # Landmarks end at the eyebrows: the face itself reaches about a third higher.
    low = low - [0.0, 0.35 * (high[1] - low[1])]
    side = float((high - low).max()) * (1 + 2 * CLOSE_UP_MARGIN)
    left, top = ((low + high) / 2 - side / 2).tolist()
    return left, top, side


def _frame(window: tuple[float, float, float]) -> Float[np.ndarray, "4"]:
    left, top, side = window
    return np.array([left, top, left + side, top + side])


def _cut(
    photo: UInt8[np.ndarray, "H W 3"], window: tuple[float, float, float], tile: int, points: Float[np.ndarray, "N 2"]
) -> tuple[UInt8[np.ndarray, "tile tile 3"], Float[np.ndarray, "N 2"]]:
    """The window at tile size, paper where the photo ends; and points of the photo carried along."""
    left, top, side = window
    low = np.floor([left, top]).astype(int)
    whole = max(1, int(np.ceil(side)))
    part = blank(whole, whole)
    first = np.clip(-low, 0, whole)
    last = np.clip(np.array(photo.shape[1::-1]) - low, first, whole)
    start, stop = first + low, last + low
    part[first[1] : last[1], first[0] : last[0]] = photo[start[1] : stop[1], start[0] : stop[0]]
    scale = tile / whole
    resized = cv2.resize(part, (tile, tile), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return resized, (points - low + 0.5) * scale - 0.5
