"""All numbers of one face in one self-describing .npz, readable without sirjax and without unpickling."""

import io
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import numpy as np

from sirjax.export.files import software
from sirjax.files import write_bytes
from sirjax.geometry.rotation import euler_from_rotation, quaternion_from_rotation
from sirjax.morphable.model import FaceModel
from sirjax.reconstruction import FaceReconstruction

CONVENTIONS = """\
Pixels: u to the right, v down, the center of the top-left pixel is (0, 0). "photo": the upright original (after its
EXIF orientation); "crop": the aligned image the networks saw. crop = crop_from_photo @ (u, v, 1), and back likewise.
Model frame: millimeters, x to the image's right for a frontal face, y up, z out of the face.
Camera (weak perspective, no focal length): (X, Y, Z) = rotation @ p; u = scale X + translation_u;
v = -scale Y + translation_v; depth = scale Z, larger is closer. *_crop and *_photo are the same camera in either image.
Rotation = Rz(roll) Ry(yaw) Rx(pitch); euler_degrees = (pitch, yaw, roll); quaternion = (x, y, z, w).
Coefficients: *_whitened count standard deviations of the face model's prior, *_mm = whitened * standard deviation.
vertices = mean + shape_mm @ shape_basis + expression_mm @ expression_basis, of the face model with this fingerprint.
Light: 9 spherical harmonics (rows) of R, G, B (columns) in the crop's camera frame; color = albedo * light.
Landmarks: iBUG's 68 points, 0-based; the subject's right side, left in the image, comes first.
metric: whether sizes are true millimeters. One photo does not tell; if an eye distance was given, model millimeters
times metric_scale are true ones (mesh files have it applied, arrays in this file do not).
"""


@dataclass(frozen=True)
class Provenance:
    """Where a reconstruction comes from, for the records."""

    face_model_fingerprint: str  # of `morphable.storage.fingerprint`; computed once, it takes a while
    photo: str = ""  # where the photo lay
    run: str = ""  # which weights
    licence: str = ""  # of the weights and the face model


def write_parameters(path: Path, face: FaceReconstruction, face_model: FaceModel, provenance: Provenance) -> Path:
    """Writes the coefficients, cameras, landmarks and crop transform of a face; see `CONVENTIONS` for their meaning."""
    texts = {
        **asdict(provenance),
        "notes": "; ".join(face.notes),
        "face_model_name": face_model.name,
        "software": software(),
        "conventions": CONVENTIONS,
    }
    buffer = io.BytesIO()
    # Not compressed: that would save an eighth of the space and take six times as long.
    np.savez(buffer, allow_pickle=False, **_arrays(face, face_model), **texts)
    write_bytes(path, buffer.getvalue())
    return path


def _arrays(face: FaceReconstruction, face_model: FaceModel) -> dict[str, np.ndarray]:
    in_photo = face.photo_camera
    height, width = face.crop.shape[:2]
    arrays = {
        "shape_whitened": face.shape,
        "shape_mm": face.shape * np.asarray(face_model.shape_std),
        "expression_whitened": face.expression,
        "expression_mm": face.expression * np.asarray(face_model.expression_std),
        **_pose("crop", face.rotation),
        "scale_crop": face.scale,
        "translation_crop": face.translation,
        **_pose("photo", face.photo_rotation),
        "scale_photo": in_photo.scale[0],
        "translation_photo": in_photo.translation[0],
        "light": face.light,
        "albedo": face.albedo,
        "crop": face.crop,
        "crop_size": (height, width),
        "crop_from_photo": face.crop_from_photo,
        "photo_from_crop": face.photo_from_crop,
        "landmarks_crop": face.landmarks,
        "landmarks_photo": face.landmarks_in_photo,
        "vertices_photo": face.projected_in_photo,
        "detector_box": face.box,
        "detector_score": face.score,
        "detector_points": face.points,
        "metric": face.metric,
        "metric_scale": np.nan if face.metric_scale is None else face.metric_scale,
    }
    return {key: np.asarray(value) for key, value in arrays.items()}


def _pose(image: str, rotation: np.ndarray) -> dict[str, np.ndarray]:
    quaternion, euler = _quaternion_and_euler(rotation)
    return {
        f"rotation_{image}": rotation,
        f"quaternion_{image}": np.asarray(quaternion),
        f"euler_degrees_{image}": np.degrees([float(angle) for angle in euler]),
    }


@jax.jit
def _quaternion_and_euler(rotation: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array, jax.Array]]:
    return quaternion_from_rotation(rotation), euler_from_rotation(rotation)
