"""One picture of a face model: mean, landmarks, modes, random faces, albedo and UV layout."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.morphable.model import FaceModel, landmarks_of
from sirjax.pictures.draw import INK, blank, draw_landmarks, fit, to_uint8
from sirjax.pictures.grid import compose
from sirjax.pictures.views import FRONT, SIDE, THREE_QUARTERS, clay_view, place_in_view, textured_view

MODE_STEP = 2.0  # standard deviations
_FACE_SHARE = 0.6  # of a tile that the landmarks fill


def model_sheet(
    face_model: FaceModel,
    *,
    modes: int = 5,
    expressions: int = 3,
    size: int = 256,
    seed: int = 0,
    backend: str = "auto",
) -> UInt8[np.ndarray, "H W 3"]:
    """The mean from front and side with numbered landmarks, the strongest modes at +-2 deviations, random faces.

    Args:
      face_model: the model.
      modes: how many shape modes.
      expressions: how many expression modes.
      size: side of each tile, pixels.
      seed: of the random faces.
      backend: see `sirjax.render.rasterize`.
    """
    mean = np.asarray(face_model.mean)
    large = 2 * size + 6
    shape = _strongest(face_model.shape_basis, face_model.shape_std, modes)
    expression = _strongest(face_model.expression_basis, face_model.expression_std, expressions)
    zoom = _zoom(face_model)

    def clay(vertices: np.ndarray, yaw: float = FRONT) -> np.ndarray:
        whole = clay_view(face_model, vertices, yaw, size=round(zoom * size), backend=backend)
        return _around_face(face_model, whole, yaw, size)

    points = _mean_landmarks(face_model)
    albedo = np.asarray(face_model.mean_albedo)
    numbered = [
        draw_landmarks(
            clay_view(face_model, mean, yaw, size=large, backend=backend),
            place_in_view(face_model, points, yaw, large)[:, :2],
            numbered=True,
        )
        for yaw in (FRONT, SIDE)
    ]
    textured = textured_view(face_model, mean, albedo, THREE_QUARTERS, size=large, backend=backend)
    modes_rows = [
        [clay(mean + sign * MODE_STEP * offset) for _, offset in offsets]
        for offsets in (shape, expression)
        for sign in (-1, 1)
    ]
    names = [[f"{what} {k} {sign}2 sd" for k, _ in offsets] for what, offsets in
             (("shape", shape), ("expression", expression)) for sign in "-+"]  # fmt: skip
    random = _random_faces(face_model, max(modes, 3), seed)
    extras = [clay(face, yaw) for face, yaw in zip(random, [FRONT, THREE_QUARTERS] * len(random), strict=False)]
    layout = [fit(to_uint8(albedo), large, large), _uv_grid(face_model, large)]
    title = (
        f"{face_model.name}: {face_model.num_vertices} vertices, {face_model.num_shape} shape and "
        f"{face_model.num_expression} expression modes"
    )
    parts = [
        compose([[*numbered, textured]], labels=[["mean, landmarks", "side", "mean albedo"]], title=title),
        compose([*modes_rows, extras], labels=[*names, ["random face"] * len(extras)]),
        compose([layout], labels=[["albedo map", "UV layout"]]),
    ]
    return _stacked(parts)


def _strongest(basis, std, count: int) -> list[tuple[int, Float[np.ndarray, "V 3"]]]:
    """The modes that move most, by number, and what one standard deviation of each moves, mm."""
    order = np.argsort(-np.asarray(std), kind="stable")[:count]
    return [(int(k), np.asarray(basis[k]).reshape(-1, 3) * float(std[k])) for k in order]


def _zoom(face_model: FaceModel) -> float:
    """How much larger than a view of the whole model a view of the face alone is; 1 for models of no more."""
    points = place_in_view(face_model, _mean_landmarks(face_model), FRONT, 1000)
    extent = max(np.ptp(points[:, 0]), np.ptp(points[:, 1])) / 1000
    return float(np.clip(_FACE_SHARE / extent, 1.0, 4.0))


def _around_face(face_model: FaceModel, whole: np.ndarray, yaw: float, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The part of a view where the face is."""
    points = place_in_view(face_model, _mean_landmarks(face_model), yaw, len(whole))
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    left, top = np.clip(np.rint(middle[:2] - [0.5 * size, 0.55 * size]), 0, len(whole) - size).astype(int)
    return whole[top : top + size, left : left + size]


def _mean_landmarks(face_model: FaceModel) -> Float[np.ndarray, "68 3"]:
    return np.asarray(landmarks_of(face_model, face_model.mean[None])[0])


def _random_faces(face_model: FaceModel, count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = np.asarray(face_model.shape_std) * rng.normal(size=(count, face_model.num_shape))
    expression = np.asarray(face_model.expression_std) * rng.normal(size=(count, face_model.num_expression))
    offsets = shape @ np.asarray(face_model.shape_basis)
    offsets += expression @ np.asarray(face_model.expression_basis)
    return list(np.asarray(face_model.mean)[None] + offsets.reshape(count, -1, 3))


def _uv_grid(face_model: FaceModel, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The edges of the UV layout, triangle by triangle."""
    canvas = blank(size, size)
    corners = np.rint(np.asarray(face_model.uv)[np.asarray(face_model.uv_triangles)] * (size - 1) * 16).astype(np.int32)
    cv2.polylines(canvas, list(corners), True, INK, 1, cv2.LINE_AA, 4)
    return canvas


def _stacked(parts: list[np.ndarray]) -> UInt8[np.ndarray, "H W 3"]:
    """Pictures below each other, centered on paper."""
    width = max(part.shape[1] for part in parts)
    canvas = []
    for part in parts:
        strip = blank(part.shape[0], width)
        left = (width - part.shape[1]) // 2
        strip[:, left : left + part.shape[1]] = part
        canvas.append(strip)
    return np.concatenate(canvas)
