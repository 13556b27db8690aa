"""Google's GNM Head (Apache-2.0): `gnm_head.npz`, with `head_sparse_68.txt` for the landmarks.

Fields: template_vertex_positions [V, 3] meters, vertex_identity_basis [I, V, 3] and expression_basis [E, V, 3] (already
multiplied by their deviations), identity_names, expression_names, triangles, triangle_uvs [T, 3, 2], vertex_groups
[G, V], vertex_group_names, mirror_indices. Used are the skin, the identities named head_... and the expressions of eye
regions and lower face. The landmarks are lines `vertex weight vertex weight vertex weight`; some of the right jaw's are
listed in reverse, which is put right here: iBUG's jaw goes down from the ear to the chin.
"""

from pathlib import Path
from typing import Any

import numpy as np

from data_prep.face_models import restricted_pickle
from data_prep.face_models.files import Format, describe, provenance, read_start
from data_prep.face_models.meshes import v_downward
from data_prep.face_models.raw import Landmarks, RawModel, unit_modes

FORMAT = Format(
    "gnm",
    "GNM Head",
    "gnm_head.npz (gnm/shape/data/versions/v3_0) and head_sparse_68.txt (gnm/shape/data/landmarks) in one folder",
    "https://github.com/google/GNM",
    "Apache-2.0, Copyright 2026 Google LLC",
)
UNIT_MM = 1000.0
_IDENTITIES = ("head",)
_EXPRESSIONS = ("left_eye_region", "right_eye_region", "lower_face")
_FIELDS = (
    "template_vertex_positions", "vertex_identity_basis", "expression_basis", "identity_names", "expression_names",
    "triangles", "triangle_uvs", "vertex_groups", "vertex_group_names", "mirror_indices",
)  # fmt: skip


def read(path: Path) -> RawModel:
    """Reads the model from its folder, or from gnm_head.npz with the landmarks beside it.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is another file or damaged.
    """
    path = FORMAT.find(path, "gnm_head.npz") if path.is_dir() else FORMAT.check(path)
    landmark_path = FORMAT.find(path.parent, "head_sparse_68.txt")
    if not read_start(path).startswith(b"PK"):
        raise FORMAT.wrong(path, f"is no .npz archive but {describe(path)}")
    try:
        fields = restricted_pickle.read_npz(path, _FIELDS)
    except ValueError as error:
        raise FORMAT.wrong(path, str(error)) from error
    FORMAT.require(path, _FIELDS, set(fields) | restricted_pickle.fields_of_npz(path))
    mean = FORMAT.shaped(path, "template_vertex_positions", fields["template_vertex_positions"], (None, 3)) * UNIT_MM
    triangles = FORMAT.indices(path, "triangles", fields["triangles"], len(mean), first=0)
    uv = FORMAT.shaped(path, "triangle_uvs", fields["triangle_uvs"], (len(triangles), 3, 2))
    skin = _skin(path, fields, len(mean))
    on_skin = skin[triangles].all(axis=1)
    if not on_skin.any():
        raise FORMAT.wrong(path, "has no triangles in its vertex group skin")
    triangles = triangles[on_skin]
    places, corners = np.unique(uv[on_skin].reshape(-1, 2), axis=0, return_inverse=True)
    uv_triangles = corners.reshape(-1, 3)
    shape_basis, shape_std = unit_modes(
        _modes(path, fields, "vertex_identity_basis", "identity_names", _IDENTITIES, skin)
    )
    expression_basis, expression_std = unit_modes(
        _modes(path, fields, "expression_basis", "expression_names", _EXPRESSIONS, skin)
    )
    return RawModel(
        name="gnm-head",
        licence=FORMAT.licence,
        provenance=provenance(path, landmark_path),
        unit_mm=UNIT_MM,
        mean=mean,
        shape_basis=shape_basis,
        shape_std=shape_std,
        expression_basis=expression_basis,
        expression_std=expression_std,
        expressions_are_ordered=False,
        triangles=triangles,
        landmarks=_read_landmarks(landmark_path, mean),
        uv=v_downward(np.clip(places, 0.0, 1.0), uv_triangles, mean, triangles),
        uv_triangles=uv_triangles,
        mirror=FORMAT.indices(path, "mirror_indices", fields["mirror_indices"], len(mean), first=0),
    )


def _skin(path: Path, fields: dict[str, Any], num_vertices: int) -> np.ndarray:
    names = [str(name) for name in np.asarray(fields["vertex_group_names"]).tolist()]
    groups = FORMAT.shaped(path, "vertex_groups", fields["vertex_groups"], (len(names), num_vertices))
    if "skin" not in names:
        raise FORMAT.wrong(path, f"has no vertex group skin (it has {', '.join(names)}): is it another version?")
    return groups[names.index("skin")] > 0.5


def _modes(
    path: Path, fields: dict[str, Any], basis_field: str, name_field: str, wanted: tuple[str, ...], skin: np.ndarray
) -> np.ndarray:
    """What one standard deviation of the modes whose names begin as wanted moves on the skin, [S, V, 3] mm."""
    names = [str(name) for name in np.asarray(fields[name_field]).tolist()]
    basis = FORMAT.shaped(path, basis_field, fields[basis_field], (len(names), len(skin), 3))
    chosen = [k for k, name in enumerate(names) if name.startswith(wanted)]
    if not chosen:
        raise FORMAT.wrong(
            path, f"has no {name_field} that begin with {' or '.join(wanted)} (found {', '.join(names[:8])})"
        )
    return np.where(skin[None, :, None], basis[chosen] * UNIT_MM, 0.0)


def _read_landmarks(path: Path, mean: np.ndarray) -> Landmarks:
    lines = [line.split("#")[0].replace(",", " ").split() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        table = np.array([line for line in lines if line], np.float64)
    except ValueError as error:
        raise FORMAT.wrong(path, f"is no table of numbers ({error})") from error
    if table.shape != (68, 6):
        raise FORMAT.wrong(path, f"is a table of {list(table.shape)}, expected 68 lines of three vertices with weights")
    vertices = FORMAT.indices(path, "vertices", table[:, 0::2], len(mean), first=0)
    weights = table[:, 1::2] / table[:, 1::2].sum(axis=1, keepdims=True)
    order = np.arange(68)
    height = Landmarks(vertices, weights).points(mean)[:, 1]
    order[:9] = np.argsort(-height[:9], kind="stable")
    order[8:17] = 8 + np.argsort(height[8:17], kind="stable")
    return Landmarks(vertices[order], weights[order])
