"""Pictures of neutral shapes: faces in clay from the front or turned, close up, and maps of their errors."""

from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax import decode as decoding
from sirjax.morphable.model import NOSE_TIP, FaceModel, landmarks_of
from sirjax.pictures.draw import blank, fit, to_uint8
from sirjax.pictures.views import clay_view, error_view, place_in_view
from sirjax.report import Picture, Pictures
from sirjax.training.setup import TrainedRun
from sirjax.types import NetworkOutput

TILE = 150  # pixels
TURNED = 30.0  # degrees
_ZOOM = 1.5  # the head's picture over the tile


def clay(model: FaceModel, vertices: Float[np.ndarray, "V 3"], yaw: float = TURNED) -> UInt8[np.ndarray, "_ _ 3"]:
    """The face in clay."""
    return _close_up(model, clay_view(model, vertices, yaw, size=_large()), yaw)


def error_map(
    model: FaceModel,
    vertices: Float[np.ndarray, "V 3"],
    truth: Float[np.ndarray, "V 3"],
    reach: float,
    yaw: float = 0.0,
) -> UInt8[np.ndarray, "_ _ 3"]:
    """The face tinted by the distance of each vertex from the true one: violet at 0, yellow from `reach` mm on."""
    errors = np.linalg.norm(vertices - truth, axis=1)
    return _close_up(model, error_view(model, vertices, errors, reach, yaw, size=_large()), yaw)


def crop_tile(crop: UInt8[np.ndarray, "112 96 3"]) -> UInt8[np.ndarray, "_ _ 3"]:
    """A photo's crop as large as the other tiles."""
    return fit(crop, TILE, TILE)


def drawn_back(run: TrainedRun, crops: UInt8[np.ndarray, "B 112 96 3"]) -> UInt8[np.ndarray, "B 112 96 3"]:
    """The faces as a run sees them (shape, expression, pose, albedo and light), drawn over their crops."""
    images = jnp.asarray(crops, jnp.float32) / 255
    output = cast(NetworkOutput, jax.jit(run.networks.apply)({"params": run.params}, images))
    template = decoding.camera_template(run.face_model)
    rendering = decoding.decode(run.face_model, output, template, gains=run.gains).rendering
    inside = rendering.mask[..., None]
    return to_uint8(np.asarray(rendering.image * inside + images * (1 - inside)))


def empty_tile() -> UInt8[np.ndarray, "_ _ 3"]:
    """Nothing, where a grid needs a tile."""
    return blank(TILE, TILE)


def as_section(title: str, image: UInt8[np.ndarray, "H W 3"], caption: str) -> Pictures:
    """One composed picture as a section of a page."""
    return Pictures(title, rows=[[Picture(image)]], caption=caption)


def _large() -> int:
    return round(_ZOOM * TILE / 2) * 2


def _close_up(model: FaceModel, image: np.ndarray, yaw: float) -> np.ndarray:
    """The tile around the face's middle, a little above the nose tip of the mean face."""
    mean = np.asarray(model.mean)
    tip = np.asarray(landmarks_of(model, model.mean[None])[0, NOSE_TIP]) * [1, 1, 0.6] + [0, 4, 0]
    left, top = place_in_view(model, tip[None].astype(mean.dtype), yaw, len(image))[0, :2] - TILE / 2
    limit = len(image) - TILE
    row, column = (int(np.clip(round(float(value)), 0, limit)) for value in (top, left))
    return np.ascontiguousarray(image[row : row + TILE, column : column + TILE])
