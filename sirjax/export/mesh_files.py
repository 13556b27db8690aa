"""One face as files: OBJ + MTL + PNG, PLY and GLB of its neutral and its posed shape, and all numbers as .npz."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from sirjax.export.files import software
from sirjax.export.glb import write_glb
from sirjax.export.mesh import TexturedMesh, textured_mesh
from sirjax.export.obj import write_obj
from sirjax.export.parameters import Provenance, write_parameters
from sirjax.export.ply import write_ply
from sirjax.morphable.model import FaceModel
from sirjax.reconstruction import FaceReconstruction

FORMATS = ("obj", "ply", "glb", "npz")


def write_face(
    folder: Path,
    name: str,
    face: FaceReconstruction,
    face_model: FaceModel,
    provenance: Provenance,
    formats: tuple[str, ...] = FORMATS,
    *,
    texture: Float[np.ndarray, "U U 3"] | None = None,
) -> list[Path]:
    """Writes NAME_neutral.* (model frame, no expression), NAME_posed.* (as turned in the photo) and NAME.npz.

    Args:
      folder: an existing folder.
      name: what the files are called, without white space.
      face: the face.
      face_model: the face model that it was made with.
      provenance: recorded in the .npz; the licence in all files.
      formats: of `FORMATS`.
      texture: of the meshes, in [0, 1]; None for the albedo.

    Returns:
      The files written.

    Raises:
      ValueError: if a format is unknown.
    """
    unknown = set(formats) - set(FORMATS)
    if unknown:
        raise ValueError(f"unknown format {sorted(unknown)[0]!r}: choose from {', '.join(FORMATS)}")
    written = []
    size = face.metric_scale or 1.0
    unit = (
        "true millimeters (an eye distance was given)" if face.metric else "millimeters of an average head, not metric"
    )
    shapes = {
        "neutral": (face.neutral_vertices, "model frame, without expression"),
        "posed": (face.posed_vertices, "camera frame of the photo"),
    }
    for pose, (vertices, frame) in shapes.items():
        mesh = textured_mesh(face_model, vertices * size, face.albedo if texture is None else texture)
        comment = f"{unit}; {frame}: x right, y up, z to the viewer"
        written += write_mesh(folder, f"{name}_{pose}", mesh, face_model, provenance, formats, comment=comment)
    if "npz" in formats:
        path = folder / f"{name}.npz"
        written.append(write_parameters(path, face, face_model, provenance))
    return written


def write_mesh(
    folder: Path,
    name: str,
    mesh: TexturedMesh,
    face_model: FaceModel,
    provenance: Provenance,
    formats: tuple[str, ...],
    *,
    comment: str,
) -> list[Path]:
    """Writes one mesh as NAME.obj (with .mtl and .png), .ply and .glb, whichever are in `formats`.

    Args:
      folder: an existing folder.
      name: what the files are called, without white space.
      mesh: millimeters.
      face_model: whose mesh it is, for the records.
      provenance: its licence is recorded.
      formats: of `FORMATS`; others than meshes are ignored.
      comment: unit and frame, for whoever opens the file.
    """
    written = []
    path = folder / f"{name}.obj"
    comment = f"{software()}; {comment}\nface model: {face_model.name}; licence: {provenance.licence}"
    if "obj" in formats:
        written += write_obj(path, mesh, comment=comment)
    if "ply" in formats:
        written.append(write_ply(path.with_suffix(".ply"), mesh, comment=comment))
    if "glb" in formats:
        written.append(write_glb(path.with_suffix(".glb"), mesh, copyright=provenance.licence, comment=comment))
    return written
