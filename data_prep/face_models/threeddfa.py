"""3DDFA's model, the one of the SIR paper: BFM-2009 trimmed to 53,215 vertices, with FaceWarehouse expressions.

`Model_Shape.mat`: mu_shape, w (the modes, about unit length), sigma (deviations, micrometers), tri [3, T] and keypoints
(the 68 landmarks), both numbered from 1; tex or mu_tex, the mean colors, in some releases. `Model_Exp.mat` (in others
`Model_Expression.mat`): mu_exp, w_exp, sigma_exp, micrometers. The mean face is mu_shape + mu_exp. The trimming left
the shape modes not exactly orthonormal.
"""

from pathlib import Path

import numpy as np

from data_prep.face_models.files import Format, provenance
from data_prep.face_models.raw import Landmarks, RawModel, unit_modes

FORMAT = Format(
    "3ddfa",
    "3DDFA's face model",
    "Model_Shape.mat and Model_Exp.mat (or Model_Expression.mat) in one folder",
    "http://www.cbsr.ia.ac.cn/users/xiangyuzhu/projects/3DDFA/main.htm",
    "from the Basel Face Model 2009 (University of Basel) and FaceWarehouse, non-commercial research only",
)
UNIT_MM = 1e-3
_COLOR_FIELDS = ("tex", "mu_tex")


def read(path: Path) -> RawModel:
    """Reads the model from its folder, or from Model_Shape.mat with the other file beside it.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is another file, damaged, or does not fit the other.
    """
    shape_path = FORMAT.find(path, "Model_Shape.mat") if path.is_dir() else FORMAT.check(path)
    expression_path = FORMAT.find(shape_path.parent, "Model_Exp.mat", "Model_Expression.mat")
    basis_field = _present(shape_path, "w", "w_shape")
    shape = FORMAT.read_mat(shape_path, ["mu_shape", basis_field, "sigma", "tri", "keypoints"])
    std_field = _present(expression_path, "sigma_exp", "exp_ev")
    expression = FORMAT.read_mat(expression_path, ["mu_exp", "w_exp", std_field])
    mean = FORMAT.shaped(shape_path, "mu_shape", shape["mu_shape"].reshape(-1), (None,))
    offset = FORMAT.shaped(expression_path, "mu_exp", expression["mu_exp"].reshape(-1), (len(mean),))
    count = len(mean) // 3
    basis, std = _modes(shape_path, shape, basis_field, "sigma", count)
    expression_modes, expression_std = _modes(expression_path, expression, "w_exp", std_field, count)
    expression_basis, expression_std = unit_modes(expression_modes * expression_std[:, None, None] * UNIT_MM)
    FORMAT.shaped(shape_path, "tri", shape["tri"], (3, None))
    keypoints = FORMAT.shaped(shape_path, "keypoints", shape["keypoints"].reshape(-1), (68,))
    return RawModel(
        name="3ddfa-bfm",
        licence=FORMAT.licence,
        provenance=provenance(shape_path, expression_path),
        unit_mm=UNIT_MM,
        mean=(mean + offset).reshape(-1, 3) * UNIT_MM,
        shape_basis=basis,
        shape_std=std * UNIT_MM,
        expression_basis=expression_basis,
        expression_std=expression_std,
        triangles=FORMAT.indices(shape_path, "tri", shape["tri"].T, count),
        landmarks=Landmarks.on_vertices(FORMAT.indices(shape_path, "keypoints", keypoints, count)),
        colors=_colors(shape_path, count),
    )


def _modes(
    path: Path, fields: dict[str, np.ndarray], basis_field: str, std_field: str, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Modes [S, count, 3] and deviations [S] as they stand in the file."""
    basis = FORMAT.shaped(path, basis_field, fields[basis_field], (3 * count, None))
    std = FORMAT.shaped(path, std_field, fields[std_field].reshape(-1), (basis.shape[1],))
    return basis.reshape(count, 3, -1).transpose(2, 0, 1), std


def _colors(path: Path, count: int) -> np.ndarray | None:
    """Mean colors [V, 3] in [0, 1], where the release has them."""
    for field in _COLOR_FIELDS:
        if field in FORMAT.fields_of(path):
            values = FORMAT.read_mat(path, [field])[field]
            rows = values.T if values.shape == (3, count) else values.reshape(-1, 3)
            return FORMAT.shaped(path, field, rows, (count, 3)) / 255.0
    return None


def _present(path: Path, *names: str) -> str:
    """The name of a field that releases call differently; the first if none is there, to be missed by that name."""
    present = FORMAT.fields_of(path)
    return next((name for name in names if name in present), names[0])
