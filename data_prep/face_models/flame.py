"""FLAME 2020 and 2023: `generic_model.pkl`, `flame2023.pkl` or an .npz with the same fields. Pickles are not executed.

Fields: v_template [V, 3] meters, shapedirs [V, 3, 400] (300 shape and 100 expression modes, already multiplied by their
deviations), f [T, 3] from 0. The jaw, neck and eyes turn by joints in FLAME; a linear model cannot, so mouths open only
as far as the expression modes open them. The 68 landmarks are in a file of their own, one of
  landmark_embedding.npy (DECA)              full_lmk_faces_idx, full_lmk_bary_coords, else static_lmk_... (51 points)
  flame_static_embedding_68.pkl (TF_FLAME)   lmk_face_idx, lmk_b_coords
  flame_static_embedding_68_v4.npz           the same
FLAME_texture.npz, where it is there, gives the UV layout (vt, ft) and the mean colors (mean, blue first).
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from data_prep.face_models import restricted_pickle
from data_prep.face_models.files import Format, describe, provenance, read_start
from data_prep.face_models.meshes import pieces, v_downward
from data_prep.face_models.raw import EYE, SKIN, UNKNOWN, Landmarks, RawModel, unit_modes

FORMAT = Format(
    "flame",
    "FLAME 2020 or 2023",
    "generic_model.pkl, flame2023.pkl or the same as .npz, beside landmark_embedding.npy or "
    "flame_static_embedding_68.pkl",
    "https://flame.is.tue.mpg.de",
    "Max Planck Society, FLAME Model License: non-commercial research only (FLAME 2023 Open: CC-BY-4.0)",
)
UNIT_MM = 1000.0
NUM_SHAPE = 300
_MODELS = ("flame2023.pkl", "generic_model.pkl", "flame2023.npz", "generic_model.npz")
_EMBEDDINGS = (
    "landmark_embedding.npy",
    "flame_static_embedding_68.pkl",
    "flame_static_embedding_68_v4.npz",
    "flame_static_embedding_68.npz",
)
_TEXTURE = "FLAME_texture.npz"


def read(path: Path) -> RawModel:
    """Reads the model from its folder, or from its .pkl or .npz with the landmarks beside it.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is another file, damaged, or asks for more than arrays.
    """
    path = FORMAT.find(path, *_MODELS) if path.is_dir() else FORMAT.check(path)
    model = _fields(path)
    FORMAT.require(path, ("v_template", "shapedirs", "f"), {str(key) for key in model})
    mean = FORMAT.shaped(path, "v_template", model["v_template"], (None, 3))
    directions = FORMAT.shaped(path, "shapedirs", model["shapedirs"], (len(mean), 3, None))
    if directions.shape[2] <= NUM_SHAPE:
        raise FORMAT.wrong(
            path,
            f"has {directions.shape[2]} modes, expected 300 for shape and more for expressions: another body model?",
        )
    FORMAT.shaped(path, "f", model["f"], (None, 3))
    triangles = FORMAT.indices(path, "f", model["f"], len(mean), first=0)
    modes = directions.transpose(2, 0, 1) * UNIT_MM
    shape_basis, shape_std = unit_modes(modes[:NUM_SHAPE])
    expression_basis, expression_std = unit_modes(modes[NUM_SHAPE:])
    landmark_path = FORMAT.find(path.parent, *_EMBEDDINGS)
    landmarks = _read_landmarks(landmark_path, triangles)
    texture_path = path.parent / _TEXTURE
    uv, uv_triangles, colors = (
        _read_texture(texture_path, triangles, mean) if texture_path.is_file() else (None, None, None)
    )
    sources = [path, landmark_path] + ([texture_path] if uv is not None else [])
    return RawModel(
        name="flame",
        licence=FORMAT.licence,
        provenance=provenance(*sources),
        unit_mm=UNIT_MM,
        mean=mean * UNIT_MM,
        shape_basis=shape_basis,
        shape_std=shape_std,
        expression_basis=expression_basis,
        expression_std=expression_std,
        triangles=triangles,
        landmarks=landmarks,
        colors=colors,
        parts=np.where(pieces(triangles, len(mean)) == 0, SKIN, EYE),
        uv=uv,
        uv_triangles=uv_triangles,
    )


def _fields(path: Path) -> dict[str, Any]:
    """The dictionary in a .pkl, .npy or .npz file."""
    start = read_start(path)
    try:
        if start.startswith(b"PK"):
            return restricted_pickle.read_npz(path)
        with path.open("rb") as file:
            content = (
                restricted_pickle.read_npy(file) if start.startswith(b"\x93NUMPY") else restricted_pickle.load(file)
            )
    except pickle.UnpicklingError as error:
        known = describe(path)
        kind = "" if "pickle" in known or start.startswith(b"\x93NUMPY") else f" (it is {known})"
        raise FORMAT.wrong(path, f"cannot be read: {error}{kind}") from error
    except ValueError as error:
        raise FORMAT.wrong(path, str(error)) from error
    if not isinstance(content, dict):
        raise FORMAT.wrong(path, f"holds a {type(content).__name__} instead of named arrays")
    return content


def _read_landmarks(path: Path, triangles: np.ndarray) -> Landmarks:
    fields = _fields(path)
    for names in (
        ("full_lmk_faces_idx", "full_lmk_bary_coords"),
        ("lmk_face_idx", "lmk_b_coords"),
        ("static_lmk_faces_idx", "static_lmk_bary_coords"),
    ):
        if all(name in fields for name in names):
            break
    else:
        raise FORMAT.wrong(path, f"has no landmark embedding (it holds {', '.join(map(str, fields)) or 'nothing'})")
    rows = np.asarray(fields[names[0]]).reshape(-1)
    weights = np.asarray(fields[names[1]], np.float64).reshape(-1, 3)
    if len(rows) not in (51, 68) or len(weights) != len(rows):
        raise FORMAT.wrong(
            path, f"has {len(rows)} landmarks and {len(weights)} weights, expected 68 (or 51 without the jaw)"
        )
    corners = triangles[FORMAT.indices(path, names[0], rows, len(triangles), first=0)]
    vertices, full = np.full((68, 3), UNKNOWN), np.tile([1.0, 0.0, 0.0], (68, 1))
    vertices[68 - len(rows) :], full[68 - len(rows) :] = corners, weights
    return Landmarks(vertices, full)


def _read_texture(
    path: Path, triangles: np.ndarray, mean: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    FORMAT.check(path)
    fields = _fields(path)
    FORMAT.require(path, ("vt", "ft"), set(fields))
    uv = FORMAT.shaped(path, "vt", fields["vt"], (None, 2))
    FORMAT.shaped(path, "ft", fields["ft"], triangles.shape)
    uv_triangles = FORMAT.indices(path, "ft", fields["ft"], len(uv), first=0)
    uv = v_downward(uv, uv_triangles, mean, triangles)
    if "mean" not in fields:
        return uv, uv_triangles, None
    texture = FORMAT.shaped(path, "mean", fields["mean"], (None, None, 3))[..., ::-1] / 255.0
    row = np.clip(np.rint(uv[:, 1] * len(texture) - 0.5), 0, len(texture) - 1).astype(int)
    column = np.clip(np.rint(uv[:, 0] * texture.shape[1] - 0.5), 0, texture.shape[1] - 1).astype(int)
    colors = np.zeros_like(mean)
    colors[triangles.ravel()] = texture[row, column][uv_triangles.ravel()]
    return uv, uv_triangles, colors
