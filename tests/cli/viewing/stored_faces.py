"""Folders of results as `sirjax reconstruct` writes them, with faces that are known."""

import cv2
import numpy as np

from sirjax.export.parameters import Provenance, write_parameters
from sirjax.morphable.storage import fingerprint, save_face_model
from tests.face_models import dome_face_model
from tests.reconstructions import known_face, similarity

MODEL = dome_face_model(grid=9)
FINGERPRINT = fingerprint(MODEL)


def write_model(folder):
    """The dome's file."""
    path = folder / "dome.npz"
    save_face_model(MODEL, path)
    return path


def write_face(folder, photo, number=0, *, seed=0, face_model=FINGERPRINT, with_photo=True):
    """DIR/photo/faceN.npz and the photo itself, 200 x 300 pixels of noise; returns the face."""
    face = known_face(similarity(0.5, 15.0, (-10.0, -35.0)), MODEL, seed=seed)
    path = folder.parent / f"{photo}.png"
    if with_photo:
        noise = np.random.default_rng(seed).integers(0, 256, (200, 300, 3), dtype=np.uint8)
        cv2.imwrite(str(path), noise)
    (folder / photo).mkdir(parents=True, exist_ok=True)
    provenance = Provenance(face_model, photo=str(path), run="runs/sir, step 7", licence="CC0-1.0")
    write_parameters(folder / photo / f"face{number}.npz", face, MODEL, provenance)
    return face
