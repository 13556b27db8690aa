"""The face model that comes with sirjax (CC0, computed by data_prep/builtin_model.py), and models by name or path."""

import functools
from pathlib import Path

from sirjax.morphable.model import FaceModel
from sirjax.morphable.storage import load_face_model

BUILTIN = "builtin"
BUILTIN_PATH = Path(__file__).resolve().parent.parent / "assets" / "builtin_face_model.npz"


@functools.cache
def builtin_face_model() -> FaceModel:
    """The built-in model, read once."""
    return load_face_model(BUILTIN_PATH)


def load(name_or_path: str | Path) -> FaceModel:
    """The built-in model for "builtin", else the model in the .npz file at that path.

    Raises:
      FileNotFoundError, ValueError: if the file is missing or is no face model; the message names the remedy.
    """
    return builtin_face_model() if str(name_or_path) == BUILTIN else load_face_model(name_or_path)
