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
from sirjax.export.mesh import TexturedMesh, textured_mesh, vertex_colors
from sirjax.morphable.builtin import BUILTIN, load
from sirjax.morphable.model import FaceModel
from sirjax.morphable.storage import fingerprint
from sirjax.photo import PhotoError, read_photo
from sirjax.render.shading import shade
from sirjax.report.viewer import FaceDistances, InPhoto, ViewedFace

PHOTO_SIDE = 560  # pixels of the page's photos, at most
_AROUND = 0.9  # half the side of the photo's part, relative to the face's longer side
_FILES = ("*/face[0-9]*.npz", "*/track[0-9]*.npz", "people/*/person.npz")  # of photos, of videos, fused from photos
_GONE = "not found; shown is the crop that the networks saw"
_OF_ALL = ("shape_whitened", "shape_mm", "albedo", "face_model_fingerprint")
_OF_PHOTOS = (
    *("expression_whitened", "expression_mm", "light", "crop", "photo", "euler_degrees_photo"),
    *(f"{entry}_{image}" for image in ("photo", "crop") for entry in ("rotation", "scale", "translation")),
)


@dataclass(frozen=True)
class StoredFace:
    """What one .npz holds."""

    path: Path
    name: str  # unique in the folder
    arrays: Mapping[str, np.ndarray]

    @property
    def is_of_photo(self) -> bool:
        """Whether one photo shows it; else it is fused from photos or frames, without expression and pose."""
        return self.path.stem.startswith("face")

    @property
    def folder(self) -> str:
        """Of the photo, video or person, below the folder of all results."""
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
    paths = sorted((path for pattern in _FILES for path in folder.glob(pattern)), key=_natural)
    if not paths:
        raise FileNotFoundError(
            f"{folder} holds no reconstructed face (PHOTO/face0.npz): name what `sirjax reconstruct --out` wrote, "
            "with npz among its --formats"
        )
    return [StoredFace(path, _name(path), _read(path)) for path in paths]


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
    neutral = neutral_vertices(face, model)
    norm = float(np.linalg.norm(face.arrays["shape_whitened"]))
    photo, image = _photo(face, photos) if face.is_of_photo else (None, "none")
    return ViewedFace(
        name=face.name,
        neutral=neutral,
        albedo=vertex_colors(_mesh(face, model, neutral)).astype(np.float32) / 255,
        norm=norm,
        facts=_facts(face, norm) | ({"Photo": _GONE} if image == "crop" else {}),
        thumbnail=np.asarray(face.arrays["crop"]) if face.is_of_photo else None,
        in_photo=None if photo is None else _in_photo(face, model, neutral, photo, image),
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


def _name(path: Path) -> str:
    """Of the photo, with the face's number where there are several; of the person; of the video, with the track."""
    if path.stem == "face0" and not (path.parent / "face1.npz").exists():
        return path.parent.name
    which = "all photos" if path.stem == "person" else re.sub(r"(\d+)", r" \1", path.stem)
    return f"{path.parent.name}, {which}"


def _read(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read ({error}): reconstruct its photo again") from None
    needed = (*_OF_ALL, *_OF_PHOTOS) if path.stem.startswith("face") else _OF_ALL
    missing = [key for key in needed if key not in arrays]
    if missing:
        raise ValueError(f"{path} has no {', '.join(missing)}: reconstruct its photo again")
    return arrays


def _in_photo(
    face: StoredFace,
    model: FaceModel,
    neutral: Float[np.ndarray, "V 3"],
    photo: UInt8[np.ndarray, "H W 3"],
    image: str,
) -> InPhoto:
    """The face on its "photo" or "crop", whichever `image` says that `photo` is."""
    arrays = face.arrays
    rotation = np.asarray(arrays[f"rotation_{image}"])
    expression = np.asarray(arrays["expression_mm"]) @ np.asarray(model.expression_basis)
    posed = (neutral + expression.reshape(-1, 3)) @ rotation.T
    scale, translation = float(arrays[f"scale_{image}"]), np.asarray(arrays[f"translation_{image}"], float)
    part, left_top, factor = cut(photo, translation + scale * posed[:, :2] * [1, -1])
    return InPhoto(
        image=part,
        posed=posed,
        rotation=rotation,
        scale=scale * factor,
        translation=(translation - left_top + 0.5) * factor - 0.5,
        lit=_lit(face, model, posed, rotation),
    )


def _photo(face: StoredFace, photos: Path | None) -> tuple[UInt8[np.ndarray, "H W 3"], str]:
    """The photo, or where it is gone the crop, and which of them it is."""
    path = Path(face.text("photo"))
    try:
        return read_photo(path if photos is None else photos / path.name).image, "photo"
    except PhotoError:
        return np.asarray(face.arrays["crop"]), "crop"


def _lit(
    face: StoredFace, model: FaceModel, posed: Float[np.ndarray, "V 3"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "V 3"]:
    """The color of each vertex under the light of the photo."""
    mesh = _mesh(face, model, posed)
    colors = jnp.asarray(vertex_colors(mesh).astype(np.float32) / 255)
    crop_from_camera = np.asarray(face.arrays["rotation_crop"]) @ rotation.T  # the light is given in the crop's frame
    normals = jnp.asarray(mesh.normals @ crop_from_camera.T.astype(np.float32))
    light = jnp.asarray(face.arrays["light"], jnp.float32)[None]
    return np.clip(np.asarray(shade(colors[None, None], normals[None, None], light))[0, 0], 0, 1)


def _mesh(face: StoredFace, model: FaceModel, vertices: Float[np.ndarray, "V 3"]) -> TexturedMesh:
    return textured_mesh(model, vertices, np.asarray(face.arrays["albedo"], np.float32))


def _facts(face: StoredFace, norm: float) -> dict[str, object]:
    arrays = face.arrays
    facts: dict[str, object] = {"Norm of the whitened shape": norm}
    if face.is_of_photo:
        pitch, yaw, roll = (f"{round(float(angle)):+d}°" for angle in arrays["euler_degrees_photo"])
        facts |= {
            "Norm of the expression": float(np.linalg.norm(arrays["expression_whitened"])),
            "Pose in the photo": f"pitch {pitch}, yaw {yaw}, roll {roll}",
            "Scale in the photo": f"{float(arrays['scale_photo']):.2f} pixels per mm",
        }
    if "photos" in arrays:
        facts["Mean of"] = f"{len(arrays['photos'])} photos"
    if "num_frames" in arrays:
        facts["Mean of"] = f"{int(arrays['num_frames'])} frames"
    if "spread_mm" in arrays:
        facts["They differ from it by"] = f"{float(arrays['spread_mm']):.2f} mm"
    if "metric_scale" in arrays and np.isfinite(arrays["metric_scale"]):
        facts["True size"] = f"{float(arrays['metric_scale']):.3f} times as large (an eye distance was given)"
    return facts | ({"Notes": face.text("notes")} if face.text("notes") else {})
