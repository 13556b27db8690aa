"""How far a reconstructed face is from its true shape, a mesh or scan of the same person."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sirjax.cli.mesh_files import MESHES, check_size, read_mesh
from sirjax.cli.viewing.faces import StoredFace, neutral_vertices
from sirjax.evaluation.closest_point import Surface
from sirjax.evaluation.scan_error import CROP_RADIUS, proper_triangles, scan_error
from sirjax.morphable.model import NOSE_TIP, FaceModel, landmarks_of


def find_truths(folder: Path, faces: list[StoredFace]) -> dict[str, Path]:
    """The mesh file of each photo's folder that has one.

    Raises:
      ValueError: if no face has one.
    """
    names = {face.folder for face in faces}
    truths = {path.stem: path for path in sorted(folder.glob("*")) if path.suffix in MESHES and path.stem in names}
    if not truths:
        raise ValueError(f"{folder} holds no mesh named as a photo, such as {min(names)}.ply ({', '.join(MESHES)})")
    return truths


def errors(face: StoredFace, model: FaceModel, truth: Path) -> Float[np.ndarray, " V"]:
    """Distance of each vertex of the neutral shape to the true surface, mm, after similarity ICP.

    NaN farther than 95 mm from the nose tip, where faces are not compared.
    """
    scan, triangles = read_mesh(truth)
    check_size(truth, scan, "a truth in mm, not", 1.0)
    vertices = neutral_vertices(face, model).astype(float)
    tip = np.asarray(landmarks_of(model, jnp.asarray(vertices[None], jnp.float32)), float)[0, NOSE_TIP]
    fit = scan_error(scan, triangles, vertices, np.asarray(model.triangles), predicted_nose_tip=tip).alignment
    distance = Surface(scan, proper_triangles(scan, triangles, 1)).closest(fit.apply(vertices)).distance
    return np.where(np.linalg.norm(vertices - tip, axis=1) <= CROP_RADIUS, distance, np.nan)
