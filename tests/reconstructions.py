"""Faces with known parameters, for tests of everything that takes a reconstruction."""

import numpy as np

from sirjax.reconstruction import FaceReconstruction
from tests.face_models import dome_face_model


def rotation(pitch: float, yaw: float, roll: float) -> np.ndarray:
    """Rz(roll) Ry(yaw) Rx(pitch), degrees."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(np.radians([pitch, yaw, roll])), np.cos(np.radians([pitch, yaw, roll]))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def similarity(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    """A 2 x 3 matrix that turns (clockwise on the screen), scales and shifts."""
    cosine, sine = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[cosine, -sine, shift[0]], [sine, cosine, shift[1]]])


def known_face(
    crop_from_photo: np.ndarray,
    face_model=None,
    *,
    angles: tuple[float, float, float] = (5.0, -12.0, 4.0),
    scale: float = 0.6,
    translation: tuple[float, float] = (47.0, 60.0),
    seed: int = 0,
) -> FaceReconstruction:
    """A face of the dome model, computed by NumPy in float64."""
    model = dome_face_model() if face_model is None else face_model
    rng = np.random.default_rng(seed)
    shape, expression = rng.normal(size=model.num_shape), rng.normal(size=model.num_expression)
    neutral = np.asarray(model.mean, np.float64) + (
        (shape * np.asarray(model.shape_std)) @ np.asarray(model.shape_basis)
    ).reshape(-1, 3)
    vertices = neutral + ((expression * np.asarray(model.expression_std)) @ np.asarray(model.expression_basis)).reshape(
        -1, 3
    )
    pose, cosines = rotation(*angles), np.cos(np.radians(angles))
    turned = vertices @ pose.T * scale
    projected = np.column_stack([turned[:, 0] + translation[0], -turned[:, 1] + translation[1], turned[:, 2]])

    def landmarks(points):
        corners = points[np.asarray(model.landmark_vertices)]
        return (corners * np.asarray(model.landmark_weights)[..., None]).sum(axis=1)

    light = np.zeros((9, 3))
    light[0], light[1] = 0.9, 0.25
    arrays = {
        "points": np.full((5, 2), np.nan),
        "box": np.full(4, np.nan),
        "shape": shape,
        "expression": expression,
        "rotation": pose,
        "translation": np.array(translation),
        "light": light,
        "albedo": np.asarray(model.mean_albedo),
        "vertices": vertices,
        "neutral_vertices": neutral,
        "projected": projected,
        "landmarks": landmarks(projected)[:, :2],
        "neutral_landmarks": landmarks(neutral),
    }
    return FaceReconstruction(
        crop=rng.integers(0, 256, (112, 96, 3), dtype=np.uint8),
        crop_from_photo=crop_from_photo,
        score=float("nan"),
        scale=scale,
        confidence=float(np.prod((cosines + 1) / 2) * np.exp(-np.linalg.norm(expression) / 3)),  # Eq. 19
        **{name: array.astype(np.float32) for name, array in arrays.items()},
    )
