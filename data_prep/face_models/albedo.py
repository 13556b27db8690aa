"""The mean albedo map of a model: its own mean colors spread over the UV map, or plain skin with lips, brows and eyes.

The plain paint serves models without a texture: enough for a renderer and for training to hold on to, and no more.
"""

import functools

import cv2
import jax
import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float, Int

from data_prep.face_models.raw import EYE, MOUTH, SKIN, TEETH
from sirjax.constants import NO_TRIANGLE
from sirjax.geometry.camera import clip_positions
from sirjax.render.interpolate import interpolate
from sirjax.render.rasterize import rasterize

UV_SIZE = 256
_SKIN, _LIPS, _BROWS = (0.72, 0.53, 0.44), (0.58, 0.30, 0.29), (0.30, 0.21, 0.16)
_PART_COLORS = {SKIN: _SKIN, EYE: (0.82, 0.79, 0.77), MOUTH: (0.45, 0.20, 0.19), TEETH: (0.80, 0.77, 0.70)}
_IRIS, _PUPIL = (0.27, 0.17, 0.10), (0.03, 0.03, 0.03)
_IRIS_SHARE, _PUPIL_SHARE = 0.45, 0.19  # of the eyeball's radius
_BROW_WIDTH = 5.0  # mm
_STENCIL_PER_MM = 4.0


def mean_albedo(
    mean: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    uv: Float[np.ndarray, "Vt 2"],
    uv_triangles: Int[np.ndarray, "T 3"],
    landmarks: Float[np.ndarray, "68 3"],
    colors: Float[np.ndarray, "V 3"] | None,
    parts: Int[np.ndarray, " V"] | None,
    *,
    size: int = UV_SIZE,
) -> tuple[Float[np.ndarray, "U U 3"], Bool[np.ndarray, "U U"]]:
    """The map and the mask of the texels that lookups on the face can touch.

    Args:
      mean: mm.
      triangles: rows of `mean`.
      uv: v down.
      uv_triangles: rows of `uv`.
      landmarks: on the mean face, mm; they tell where lips and brows are.
      colors: of the vertices, if the model has any.
      parts: SKIN, EYE, MOUTH or TEETH of each vertex, for models without colors.
      size: U.
    """
    parts = np.zeros(len(mean), np.int64) if parts is None else parts
    attributes = np.concatenate(
        [mean, np.eye(4)[parts], np.zeros((len(mean), 3)) if colors is None else colors], axis=1
    )
    texels, covered = _spread(attributes, triangles, uv, uv_triangles, size)
    texels, covered = _joined(texels, covered)
    if colors is None:
        albedo = _painted(texels[..., :3], texels[..., 3:7], landmarks, mean, triangles, parts)
    else:
        albedo = np.clip(texels[..., 7:10], 0.0, 1.0)
    row, column = np.asarray(
        scipy.ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    )
    albedo = albedo[row, column]
    albedo = (albedo + albedo[:, ::-1]) / 2  # to the last bit
    return albedo, scipy.ndimage.binary_dilation(covered, np.ones((3, 3)))


def _spread(
    attributes: np.ndarray, triangles: np.ndarray, uv: np.ndarray, uv_triangles: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Attributes of the vertices at the texels [U, U, C], and which texels [U, U] some triangle covers."""
    flat = np.column_stack([uv * size - 0.5, np.zeros(len(uv))]).astype(np.float32)
    values, covered = _interpolated(
        attributes.astype(np.float32), triangles.astype(np.int32), flat, uv_triangles.astype(np.int32), size=size
    )
    return np.asarray(values, np.float64), np.asarray(covered)


@functools.partial(jax.jit, static_argnames=("size",))
def _interpolated(attributes, triangles, flat, uv_triangles, *, size):
    fragments = rasterize(clip_positions(flat[None], (size, size)), uv_triangles, (size, size))
    values = interpolate(attributes[None], triangles, fragments)
    return values[0], fragments.triangle_id[0] != NO_TRIANGLE


def _joined(texels: np.ndarray, covered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both halves made mirror images of each other: the mean of the texels that either has (x changes its sign)."""
    mirrored, also = texels[:, ::-1] * np.array([-1.0] + [1.0] * (texels.shape[-1] - 1)), covered[:, ::-1]
    share = (covered.astype(np.float64) / np.maximum(covered * 1.0 + also, 1.0))[..., None]
    other = (also / np.maximum(covered * 1.0 + also, 1.0))[..., None]
    return texels * share + mirrored * other, covered | also


def _painted(
    places: np.ndarray,
    kinds: np.ndarray,
    landmarks: np.ndarray,
    mean: np.ndarray,
    triangles: np.ndarray,
    parts: np.ndarray,
) -> np.ndarray:
    color = kinds @ np.array([_PART_COLORS[part] for part in (SKIN, EYE, MOUTH, TEETH)])
    skin = kinds[..., SKIN] * (places[..., 2] > landmarks[[0, 16], 2].max())
    strokes = [(_lips(landmarks), _LIPS, 0.85), (_brows(landmarks), _BROWS, 0.7)]
    if not (parts == EYE).any():  # the eyes are part of the skin
        strokes += [(_eyes(landmarks), _PART_COLORS[EYE], 1.0)]
        strokes += [(_irises(landmarks, share), paint, 1.0) for share, paint in ((0.30, _IRIS), (0.13, _PUPIL))]
    for stroke, paint, strength in strokes:
        amount = (strength * skin * _stencil(stroke, places))[..., None]
        color = color + amount * (np.array(paint) - color)
    for side in (-1, 1):
        ball = mean[(parts == EYE) & (np.sign(mean[:, 0]) == side)]
        if len(ball):
            color = _with_iris(color, places, kinds[..., EYE], ball, side)
    return color


def _with_iris(color: np.ndarray, places: np.ndarray, eye: np.ndarray, ball: np.ndarray, side: int) -> np.ndarray:
    low, high = ball.min(axis=0), ball.max(axis=0)
    radius = np.ptp(ball[:, 1]) / 2
    away = np.linalg.norm(places[..., :2] - ((low + high) / 2)[:2], axis=-1) / radius
    front = (eye > 0.5) & (places[..., 2] > high[2] - radius) & (np.sign(places[..., 0]) == side)
    for reach, paint in ((_IRIS_SHARE, _IRIS), (_PUPIL_SHARE, _PUPIL)):
        color = np.where((front & (away < reach))[..., None], np.array(paint), color)
    return color


def _lips(landmarks: np.ndarray) -> list[tuple[np.ndarray, float]]:
    return [(landmarks[48:60, :2], 0.0)]


def _brows(landmarks: np.ndarray) -> list[tuple[np.ndarray, float]]:
    return [(landmarks[17:22, :2], _BROW_WIDTH), (landmarks[22:27, :2], _BROW_WIDTH)]


def _eyes(landmarks: np.ndarray) -> list[tuple[np.ndarray, float]]:
    return [(landmarks[36:42, :2], 0.0), (landmarks[42:48, :2], 0.0)]


def _irises(landmarks: np.ndarray, share: float) -> list[tuple[np.ndarray, float]]:
    """A disc in the middle of each eye, as high as the lids leave open; `share` of the eye's width is its radius."""
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    discs = []
    for eye, _ in _eyes(landmarks):
        middle, low, high = eye.mean(axis=0), eye[:, 1].min(), eye[:, 1].max()
        disc = middle + share * np.ptp(eye[:, 0]) * np.column_stack([np.cos(turn), np.sin(turn)])
        discs.append((np.column_stack([disc[:, 0], np.clip(disc[:, 1], low, high)]), 0.0))
    return discs


def _stencil(strokes: list[tuple[np.ndarray, float]], places: np.ndarray) -> np.ndarray:
    """How much of each place lies, seen from the front, in the polygons (width 0) or under the lines."""
    everything = np.concatenate([points for points, _ in strokes])
    low = everything.min(axis=0) - 10.0
    extent = np.ceil((everything.max(axis=0) + 10.0 - low) * _STENCIL_PER_MM).astype(int)
    canvas = np.zeros((extent[1], extent[0]), np.uint8)
    for points, width in strokes:
        pixels = np.rint((points - low) * _STENCIL_PER_MM).astype(np.int32)
        if width:
            cv2.polylines(canvas, [pixels], False, 255, round(width * _STENCIL_PER_MM), cv2.LINE_AA)
        else:
            cv2.fillPoly(canvas, [pixels], 255, cv2.LINE_AA)
    smooth = cv2.GaussianBlur(canvas, (0, 0), _STENCIL_PER_MM * 0.8).astype(np.float32) / 255
    where = ((places[..., :2] - low) * _STENCIL_PER_MM).astype(np.float32)
    return cv2.remap(smooth, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderValue=0)
