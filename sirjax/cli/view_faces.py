"""Faces that `sirjax reconstruct` wrote, made ready for the viewer. V vertices, N faces, S shape modes."""

import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.evaluation.shape_error import vertex_rmse
from sirjax.export.mesh import textured_mesh, vertex_colors
from sirjax.morphable.builtin import BUILTIN, load
from sirjax.morphable.model import FaceModel
from sirjax.morphable.storage import fingerprint
from sirjax.photo import PhotoError, read_photo
from sirjax.render.shading import shade
from sirjax.report.viewer import FaceDistances, ViewedFace

PHOTO_SIDE = 560  # pixels of the page's photos, at most
_AROUND = 0.9  # half the side of the photo's part, relative to the face's longer side
_NEEDED = (
    *("shape_whitened", "shape_mm", "expression_whitened", "expression_mm", "light", "albedo", "crop"),
    *("face_model_fingerprint", "photo", "rotation_photo", "scale_photo", "translation_photo"),
    *("rotation_crop", "scale_crop", "translation_crop", "euler_degrees_photo"),
)


@dataclass(frozen=True)
class StoredFace:
    """What one .npz holds."""

    path: Path
    name: str  # unique in the folder
    arrays: Mapping[str, np.ndarray]

    @property
    def folder(self) -> str:
        """Of the photo, below the folder of all results."""
        return self.path.parent.name

    def text(self, key: str) -> str:
        """An entry in words; empty if there is none."""
        return str(self.arrays[key]) if key in self.arrays else ""


def read_folder(folder: Path) -> list[StoredFace]:
    """All faces below a folder of results, by photo and number.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if a file is damaged.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder: name what `sirjax reconstruct --out` wrote")
    paths = sorted(folder.glob("*/face[0-9]*.npz"), key=_natural)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no reconstructed face (PHOTO/face0.npz): name what `sirjax reconstruct --out` wrote, "
            "with npz among its --formats"
        )
    alone = {path.parent for path in paths if not (path.parent / "face1.npz").exists()}
    return [StoredFace(path, _name(path, path.parent in alone), _read(path)) for path in paths]


def face_model_of(faces: list[StoredFace], path: Path | None) -> FaceModel:
    """The face model that the faces belong to: the file given, or the built-in one.

    Raises:
      ValueError: if it is another one, or faces belong to several.
    """
    wanted = {face.text("face_model_fingerprint"): face for face in faces}
    if len(wanted) > 1:
        one, other = [face.path for face in wanted.values()][:2]
        raise ValueError(f"{one} and {other} belong to different face models: view them apart")
    model = load(BUILTIN if path is None else path)
    (needed, face), found = next(iter(wanted.items())), fingerprint(model)
    if found != needed:
        name = face.text("face_model_name")
        raise ValueError(
            f"the faces belong to face model {name} ({needed[:12]}), {path or 'the built-in one'} is {found[:12]}: "
            "give theirs with --face-model"
        )
    return model


def viewed(
    face: StoredFace, model: FaceModel, photos: Path | None = None, error: Float[np.ndarray, " V"] | None = None
) -> ViewedFace:
    """The face as the page shows it; with the crop that the networks saw where the photo is gone.

    Args:
      face: as stored.
      model: its face model.
      photos: folder where the photos lie now; None: where they lay.
      error: distance of each vertex of the neutral shape from the truth, mm.
    """
    arrays = face.arrays
    photo, image = _photo(face, photos), "photo"
    if photo is None:
        photo, image = np.asarray(arrays["crop"]), "crop"
    rotation = np.asarray(arrays[f"rotation_{image}"])
    neutral = neutral_vertices(face, model)
    expression = np.asarray(arrays["expression_mm"]) @ np.asarray(model.expression_basis)
    posed = (neutral + expression.reshape(-1, 3)) @ rotation.T
    scale, translation = float(arrays[f"scale_{image}"]), np.asarray(arrays[f"translation_{image}"], float)
    part, left_top, factor = cut(photo, translation + scale * posed[:, :2] * [1, -1])
    albedo, lit = _colors(face, model, posed, rotation)
    norm = float(np.linalg.norm(arrays["shape_whitened"]))
    return ViewedFace(
        name=face.name,
        photo=part,
        thumbnail=np.asarray(arrays["crop"]),
        neutral=neutral,
        posed=posed,
        rotation=rotation,
        scale=scale * factor,
        translation=(translation - left_top + 0.5) * factor - 0.5,
        albedo=albedo,
        lit=lit,
        norm=norm,
        facts=_facts(face, norm, image),
        error=error,
    )


def neutral_vertices(face: StoredFace, model: FaceModel) -> Float[np.ndarray, "V 3"]:
    """Without expression, model frame, mm."""
    shape = np.asarray(face.arrays["shape_mm"])
    if len(shape) != model.num_shape:
        raise ValueError(f"{face.path} has {len(shape)} shape modes, its face model {model.num_shape}")
    return np.asarray(model.mean) + (shape @ np.asarray(model.shape_basis)).reshape(-1, 3)


def distances(faces: list[StoredFace], neutral: list[Float[np.ndarray, "V 3"]]) -> FaceDistances:
    """How far every two faces are apart."""
    millimeters = np.stack([face.arrays["shape_mm"] for face in faces]).astype(float)
    whitened = np.stack([face.arrays["shape_whitened"] for face in faces]).astype(float)
    unit = whitened / np.maximum(np.linalg.norm(whitened, axis=1, keepdims=True), 1e-12)
    shapes = np.stack(neutral).astype(np.float32)
    rmse, largest = np.zeros((len(faces),) * 2), np.zeros((len(faces),) * 2)
    for i in range(len(faces)):
        rmse[i] = vertex_rmse(shapes, np.broadcast_to(shapes[i], shapes.shape))
        largest[i] = np.quantile(np.linalg.norm(shapes - shapes[i], axis=-1), 0.99, axis=1)
    return FaceDistances(
        rmse=rmse,
        largest=largest,
        coefficients=np.linalg.norm(millimeters[:, None] - millimeters[None], axis=-1),
        cosine=unit @ unit.T,
    )


def cut(
    photo: UInt8[np.ndarray, "H W 3"], points: Float[np.ndarray, "V 2"]
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, " 2"], float]:
    """The square part of a photo around some points (pixels), as far as the photo reaches, at most `PHOTO_SIDE` large.

    Returns:
      The part; the photo's pixel in its top left corner; pixels of the part per pixel of the photo. A face that lies
      outside the photo leaves the photo whole.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    half = _AROUND * (high - low).max()
    size = np.array(photo.shape[1::-1])
    left_top = np.clip(np.floor((low + high) / 2 - half), 0, size).astype(int)
    right_bottom = np.clip(np.ceil((low + high) / 2 + half) + 1, 0, size).astype(int)
    if (right_bottom - left_top < 2).any():
        left_top, right_bottom = np.zeros(2, int), size
    part = photo[left_top[1] : right_bottom[1], left_top[0] : right_bottom[0]]
    factor = min(1.0, PHOTO_SIDE / max(part.shape))
    if factor < 1:
        width, height = (max(1, round(factor * side)) for side in part.shape[1::-1])
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(part), left_top.astype(float), factor


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    """A key that sorts photo 2 before photo 10."""
    words = re.split(r"(\d+)", f"{path.parent.name}/{path.stem}".casefold())
    return [(word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words]


def _name(path: Path, alone: bool) -> str:
    return path.parent.name if alone else f"{path.parent.name}, {path.stem.replace('face', 'face ')}"


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read ({error}): reconstruct its photo again") from None
    missing = [key for key in _NEEDED if key not in arrays]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: reconstruct its photo again")
    return arrays


def _photo(face: StoredFace, photos: Path | None) -> UInt8[np.ndarray, "H W 3"] | None:
    path = Path(face.text("photo"))
    try:
        return read_photo(path if photos is None else photos / path.name).image
    except PhotoError:
        return None


def _colors(
    face: StoredFace, model: FaceModel, posed: Float[np.ndarray, "V 3"], rotation: Float[np.ndarray, "3 3"]
) -> tuple[Float[np.ndarray, "V 3"], Float[np.ndarray, "V 3"]]:
    """Albedo at each vertex, and what the photo's light makes of it."""
    mesh = textured_mesh(model, posed, np.asarray(face.arrays["albedo"], np.float32))
    albedo = vertex_colors(mesh).astype(np.float32) / 255
    normals = mesh.normals @ (np.asarray(face.arrays["rotation_crop"]) @ rotation.T).T.astype(np.float32)
    light = jnp.asarray(face.arrays["light"], jnp.float32)[None]
    lit = shade(jnp.asarray(albedo)[None, None], jnp.asarray(normals)[None, None], light)
    return albedo, np.clip(np.asarray(lit)[0, 0], 0, 1)


def _facts(face: StoredFace, norm: float, image: str) -> dict[str, object]:
    arrays = face.arrays
    pitch, yaw, roll = (f"{float(angle):+.0f}°" for angle in arrays["euler_degrees_photo"])
    facts: dict[str, object] = {
        "Norm of the whitened shape": norm,
        "Norm of the expression": float(np.linalg.norm(arrays["expression_whitened"])),
        "Pose in the photo": f"pitch {pitch}, yaw {yaw}, roll {roll}",
        "Scale in the photo": f"{float(arrays['scale_photo']):.2f} pixels per mm",
    }
    if "metric_scale" in arrays and np.isfinite(arrays["metric_scale"]):
        facts["True size"] = f"{float(arrays['metric_scale']):.3f} times as large (an eye distance was given)"
    if image == "crop":
        facts["Photo"] = "not found; shown is the crop that the networks saw"
    return facts | ({"Notes": face.text("notes")} if face.text("notes") else {})
