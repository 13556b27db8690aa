"""The one file format of face models, an .npz of plain arrays, and the fingerprint that names a model.

Keys (n vertices, m/k shape/expression modes, T triangles, U side of the UV maps): `mean` (n, 3), `id_basis` (m, n, 3),
`exp_basis` (k, n, 3), `id_std` (m,), `exp_std` (k,), `tri` (T, 3), `uv` (Vt, 2), `tri_uv` (T, 3), `mean_albedo_uv`
(U, U, 3) in [0, 1] or uint8, `uv_mask` (U, U), `sym_idx` (n,), `unit_mm`, `name`, `licence`, `provenance`, and the 68
landmarks either as `landmark_idx` (68,), vertices, or as `landmark_tri` (68,), triangles, with `landmark_bary` (68, 3).
`mean`, `id_std` and `exp_std` are in the file's unit, `unit_mm` millimeters; the loaded model is in millimeters.
"""

import hashlib
import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import jax
import numpy as np

from sirjax.files import write_bytes
from sirjax.geometry.mesh import mesh_topology
from sirjax.morphable.checks import check_arrays
from sirjax.morphable.model import FaceModel

_REMEDY = "use the built-in model (face model 'builtin'), or make a model file as docs/face_model.md describes"
_LFS_POINTER = b"version https://git-lfs"
# What people hold in their hands when they have not converted a model yet -> what to do about it.
_UNCONVERTED = {
    ".mat": "a Matlab file, as BFM-2009 and 3DDFA come",
    ".h5": "an HDF5 file, as BFM-2017 and BFM-2019 come",
    ".pkl": "a pickle, as FLAME comes (and pickles are never opened here)",
    ".xz": "an archive, as ICT-FaceKit comes",
    ".bin": "a binary file, as the Surrey model comes",
}
_FINGERPRINTED = (
    "mean", "shape_basis", "expression_basis", "shape_std", "expression_std", "triangles", "uv", "uv_triangles",
    "landmark_vertices", "landmark_weights", "mean_albedo", "uv_mask", "mirror_vertices",
)  # fmt: skip


def load_face_model(path: str | os.PathLike) -> FaceModel:
    """Reads a face model file, checks it and converts it to millimeters.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it is no face model file; the message says what is wrong with it and what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no face model at {path}: {_REMEDY}")
    return _from_arrays(_read(path), path)


def save_face_model(model: FaceModel, path: str | os.PathLike) -> None:
    """Writes a model in millimeters, the whole file or none."""
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **_to_arrays(model))
    write_bytes(Path(path), content.getvalue())


def fingerprint(model: FaceModel) -> str:
    """SHA-256 (hex) of the model's arrays, whatever file, compression or name they came with."""
    digest = hashlib.sha256()
    for field in _FINGERPRINTED:
        array = np.ascontiguousarray(getattr(model, field))
        # Little-endian bytes under a header that says where one array ends and the next begins.
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(f"{field}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as file:
        start = file.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise ValueError(
            f"{path} is a git-LFS pointer, not the face model: fetch the file itself with `git lfs pull`, or {_REMEDY}"
        )
    if not zipfile.is_zipfile(path):
        found = _UNCONVERTED.get(path.suffix.lower(), "not a .npz file")
        remedy = f"convert it with `sirjax face-model import`, or {_REMEDY}"
        raise ValueError(f"{path} is not a face model file but {found}: {remedy}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, OSError) as error:
        # Object arrays would be unpickled, that is executed; damaged archives end up here too.
        raise ValueError(f"{path} cannot be read as plain arrays ({error}): {_REMEDY}") from error


def _from_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> FaceModel:
    try:
        check_arrays(arrays)
    except ValueError as error:
        raise ValueError(f"{path} is not a face model file: {error}; {_REMEDY}") from None
    unit_mm = float(arrays["unit_mm"])
    num_vertices = len(arrays["mean"])
    triangles = arrays["tri"].astype(np.int32)
    if "landmark_bary" in arrays:
        landmark_vertices, landmark_weights = triangles[arrays["landmark_tri"]], arrays["landmark_bary"]
    else:
        landmark_vertices = np.repeat(arrays["landmark_idx"][:, None], 3, axis=1)
        landmark_weights = np.tile([1.0, 0.0, 0.0], (len(landmark_vertices), 1))
    albedo = arrays["mean_albedo_uv"]
    albedo = albedo.astype(np.float32) / 255 if albedo.dtype == np.uint8 else albedo

    def place(array: np.ndarray) -> jax.Array:
        return jax.device_put(array)  # `jnp.asarray` compiles a program for each shape

    def floats(array: np.ndarray, scale: float = 1.0) -> jax.Array:
        return place((array.astype(np.float64) * scale).astype(np.float32))

    return FaceModel(
        mean=floats(arrays["mean"], unit_mm),
        shape_basis=floats(arrays["id_basis"].reshape(-1, 3 * num_vertices)),
        expression_basis=floats(arrays["exp_basis"].reshape(-1, 3 * num_vertices)),
        shape_std=floats(arrays["id_std"], unit_mm),
        expression_std=floats(arrays["exp_std"], unit_mm),
        topology=mesh_topology(triangles, num_vertices),
        uv=floats(arrays["uv"]),
        uv_triangles=place(arrays["tri_uv"].astype(np.int32)),
        landmark_vertices=place(landmark_vertices.astype(np.int32)),
        landmark_weights=floats(landmark_weights),
        mean_albedo=floats(albedo),
        uv_mask=place(arrays["uv_mask"].astype(bool)),
        mirror_vertices=place(arrays["sym_idx"].astype(np.int32)),
        name=str(arrays["name"]),
        licence=str(arrays["licence"]),
        provenance=str(arrays["provenance"]),
        unit_mm=unit_mm,
    )


def _to_arrays(model: FaceModel) -> dict[str, np.ndarray]:
    triangles = np.asarray(model.triangles)
    landmarks = _landmark_arrays(np.asarray(model.landmark_vertices), np.asarray(model.landmark_weights), triangles)
    return {
        "mean": np.asarray(model.mean),
        "id_basis": np.asarray(model.shape_basis).reshape(model.num_shape, -1, 3),
        "exp_basis": np.asarray(model.expression_basis).reshape(model.num_expression, -1, 3),
        "id_std": np.asarray(model.shape_std),
        "exp_std": np.asarray(model.expression_std),
        "tri": triangles,
        "uv": np.asarray(model.uv),
        "tri_uv": np.asarray(model.uv_triangles),
        **landmarks,
        "mean_albedo_uv": np.asarray(model.mean_albedo),
        "uv_mask": np.asarray(model.uv_mask),
        "sym_idx": np.asarray(model.mirror_vertices),
        "unit_mm": np.array(1.0),  # the arrays above are in millimeters, whatever file they once came from
        "name": np.array(model.name),
        "licence": np.array(model.licence),
        "provenance": np.array(model.provenance),
    }


def _landmark_arrays(vertices: np.ndarray, weights: np.ndarray, triangles: np.ndarray) -> dict[str, np.ndarray]:
    if (weights == [1.0, 0.0, 0.0]).all():
        return {"landmark_idx": vertices[:, 0]}
    rows = {tuple(triangle): row for row, triangle in enumerate(triangles.tolist())}
    try:
        return {"landmark_tri": np.array([rows[tuple(t)] for t in vertices.tolist()]), "landmark_bary": weights}
    except KeyError as error:
        raise ValueError(f"landmark vertices {error} are no triangle of the model, so they cannot be stored") from None
