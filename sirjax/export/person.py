"""One person, from several photos or a video: a neutral mesh, and all numbers as .npz. N photos, S shape modes."""

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sirjax.export.files import software
from sirjax.export.mesh import textured_mesh
from sirjax.export.mesh_files import write_mesh
from sirjax.export.parameters import Provenance
from sirjax.files import write_bytes
from sirjax.fusion import FusedShape
from sirjax.morphable.coefficients import to_millimeters
from sirjax.morphable.model import FaceModel

CONVENTIONS = """\
shape: the mean of the photos' codes, weighted by how neutral and frontal each face is (Eq. 19); *_whitened count
standard deviations of the face model's prior, *_mm = whitened * standard deviation. vertices: neutral, model frame (x
to the image's right for a frontal face, y up, z out of the face), millimeters of an average head; if an eye distance
was given, true millimeters are these times metric_scale (mesh files have it applied, arrays in this file do not).
weights: share of each photo in the mean. distances_mm: root mean square distance of a photo's own neutral vertices to
the fused ones. spread_mm: their weighted root mean square; vertex_spread_mm: the same for each vertex, over the photos.
Of a video the mean is over all frames, and first_frame, last_frame and num_frames say which.
"""


def write_person(
    folder: Path,
    fused: FusedShape,
    albedo: Float[np.ndarray, "U U 3"],
    photos: list[str],
    face_model: FaceModel,
    provenance: Provenance,
    formats: tuple[str, ...],
    *,
    metric_scale: float | None = None,
) -> list[Path]:
    """Writes person_neutral.obj (+ .mtl, .png), .ply, .glb and person.npz, whichever are in `formats`.

    Args:
      folder: an existing folder.
      fused: the person's shape.
      albedo: in [0, 1], the texture.
      photos: where the images lay, one for each weight.
      face_model: of the shape.
      provenance: recorded in the .npz; the licence in all files.
      formats: of `sirjax.export.mesh_files.FORMATS`.
      metric_scale: true mm per model mm, where an eye distance was given.

    Returns:
      The files written.

    Raises:
      ValueError: if there are not as many photos as weights.
    """
    if len(photos) != len(fused.weights):
        raise ValueError(f"{len(photos)} photos but {len(fused.weights)} weights: name the photo of each weight")
    size = metric_scale or 1.0
    mesh = textured_mesh(face_model, fused.vertices * size, albedo)
    unit = "millimeters of an average head, not metric" if metric_scale is None else "true millimeters"
    comment = f"{unit}; model frame, without expression: x right, y up, z to the viewer; of {len(photos)} photos"
    written = write_mesh(folder, "person_neutral", mesh, face_model, provenance, formats, comment=comment)
    if "npz" in formats:
        arrays = {
            **_shape_arrays(fused.shape, fused.vertices, albedo, face_model, metric_scale),
            "weights": fused.weights,
            "distances_mm": fused.distances_mm,
            "spread_mm": fused.spread_mm,
            "vertex_spread_mm": fused.vertex_spread_mm,
            "photos": np.array(photos),
        }
        written.append(_write_numbers(folder / "person.npz", arrays, face_model, provenance))
    return written


def write_track(
    folder: Path,
    name: str,
    shape: Float[np.ndarray, " S"],
    vertices: Float[np.ndarray, "V 3"],
    albedo: Float[np.ndarray, "U U 3"],
    face_model: FaceModel,
    provenance: Provenance,
    formats: tuple[str, ...],
    *,
    spread_mm: float,
    frames: tuple[int, int, int],
    metric_scale: float | None = None,
) -> list[Path]:
    """Writes NAME_neutral.* and NAME.npz of a face followed through a video.

    Args:
      folder: an existing folder.
      name: what the files are called.
      shape: whitened, the mean over the frames.
      vertices: its neutral vertices, model frame, mm.
      albedo: in [0, 1], the texture.
      face_model: of the shape.
      provenance: recorded in the .npz; the licence in all files.
      formats: of `sirjax.export.mesh_files.FORMATS`.
      spread_mm: how far the frames' neutral vertices lie from these, root mean square.
      frames: the first, the last, and how many of them show the face.
      metric_scale: true mm per model mm, where an eye distance was given.

    Returns:
      The files written.
    """
    mesh = textured_mesh(face_model, vertices * (metric_scale or 1.0), albedo)
    unit = "millimeters of an average head, not metric" if metric_scale is None else "true millimeters"
    comment = f"{unit}; model frame, without expression: x right, y up, z to the viewer; of {frames[2]} frames"
    written = write_mesh(folder, f"{name}_neutral", mesh, face_model, provenance, formats, comment=comment)
    if "npz" in formats:
        arrays = {
            **_shape_arrays(shape, vertices, albedo, face_model, metric_scale),
            "spread_mm": spread_mm,
            "first_frame": frames[0],
            "last_frame": frames[1],
            "num_frames": frames[2],
        }
        written.append(_write_numbers(folder / f"{name}.npz", arrays, face_model, provenance))
    return written


def _shape_arrays(shape, vertices, albedo, face_model: FaceModel, metric_scale: float | None) -> dict[str, Any]:
    return {
        "shape_whitened": shape,
        "shape_mm": np.asarray(to_millimeters(jnp.asarray(shape), face_model.shape_std)),
        "vertices": vertices,
        "albedo": albedo,
        "metric_scale": np.nan if metric_scale is None else metric_scale,
    }


def _write_numbers(path: Path, arrays: dict[str, Any], face_model: FaceModel, provenance: Provenance) -> Path:
    texts = {
        **{name: text for name, text in asdict(provenance).items() if text or name != "photo"},
        "face_model_name": face_model.name,
        "software": software(),
        "conventions": CONVENTIONS,
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays, **texts)
    write_bytes(path, buffer.getvalue())
    return path
