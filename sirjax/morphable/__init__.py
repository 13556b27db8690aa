"""The 3D morphable face model: mean plus linear shape and expression modes, with its UV layout and landmarks."""

from sirjax.morphable.builtin import builtin_face_model, load
from sirjax.morphable.model import (
    FaceModel,
    five_points,
    landmarks,
    landmarks_of,
    neutral_vertices,
    vertices,
)
from sirjax.morphable.orthonormalize import OriginalCoefficients, orthonormalize
from sirjax.morphable.storage import fingerprint, load_face_model, save_face_model

__all__ = [
    "FaceModel",
    "OriginalCoefficients",
    "builtin_face_model",
    "fingerprint",
    "five_points",
    "landmarks",
    "landmarks_of",
    "load",
    "load_face_model",
    "neutral_vertices",
    "orthonormalize",
    "save_face_model",
    "vertices",
]
