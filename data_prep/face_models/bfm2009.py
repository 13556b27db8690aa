"""The Basel Face Model 2009 with FaceWarehouse expressions, cut to the front of the face.

Files, as Deep3DFaceReconstruction puts them into its folder BFM:
  01_MorphableModel.mat  the model (shapeMU, shapePC, shapeEV, texMU): 53,490 vertices in micrometers; shapeEV holds
                         standard deviations. From the University of Basel, on request
  Exp_Pca.bin            expressions of Guo et al. ("CoarseData"): int32 number of modes, then mean offset and modes as
                         float32 over 53,215 vertices, micrometers; std_exp.txt has their standard deviations
  BFM_exp_idx.mat        trimIndex: which of the 53,490 vertices those 53,215 are
  BFM_front_idx.mat      idx: which of the 53,215 make up the front of the face (35,709)
  facemodel_info.mat     tri, and keypoints: the 68 landmarks, both numbered from 1 over the 35,709
The last three come with Deep3DFaceReconstruction's code. Its own result, BFM_model_front.mat (decimeters, modes already
multiplied by their deviations), is read as well. The mean offset of the expressions is not used: neutral is neutral.
"""

from pathlib import Path

import numpy as np

from data_prep.face_models.files import Format, provenance
from data_prep.face_models.raw import Landmarks, RawModel, unit_modes

FORMAT = Format(
    "bfm2009",
    "the Basel Face Model 2009",
    "01_MorphableModel.mat (request it from Basel) with Exp_Pca.bin, std_exp.txt, BFM_exp_idx.mat, BFM_front_idx.mat "
    "and facemodel_info.mat (68 landmarks; https://github.com/sicxu/Deep3DFaceRecon_pytorch) in one folder",
    "https://faces.dmi.unibas.ch/bfm/main.php?nav=1-2&id=downloads",
    "University of Basel, non-commercial research only; expressions: FaceWarehouse, non-commercial research only",
)
UNIT_MM, FRONT_UNIT_MM = 1e-3, 100.0
_MODEL, _FRONT = "01_MorphableModel.mat", "BFM_model_front.mat"


def read(path: Path) -> RawModel:
    """Reads the model from its folder, from 01_MorphableModel.mat with the others beside it, or BFM_model_front.mat.

    Raises:
      FileNotFoundError: if a file is missing.
      ValueError: if one is another file, damaged, or does not fit the others.
    """
    if path.is_dir():
        has_original = (path / _MODEL).is_file() or not (path / _FRONT).is_file()
        path = FORMAT.find(path, _MODEL) if has_original else path / _FRONT
    if path.name == _FRONT:
        return _read_front(path)
    return _read_original(FORMAT.check(path))


def _read_original(path: Path) -> RawModel:
    model = FORMAT.read_mat(path, ["shapeMU", "shapePC", "shapeEV", "texMU"])
    names = ("Exp_Pca.bin", "std_exp.txt", "BFM_exp_idx.mat", "BFM_front_idx.mat", "facemodel_info.mat")
    expression_path, std_path, trim_path, front_path, info_path = (FORMAT.find(path.parent, name) for name in names)
    mean = FORMAT.shaped(path, "shapeMU", model["shapeMU"].reshape(-1), (None,))
    count, modes = len(mean) // 3, model["shapePC"].shape[-1]
    basis = FORMAT.shaped(path, "shapePC", model["shapePC"], (3 * count, modes))
    std = FORMAT.shaped(path, "shapeEV", model["shapeEV"].reshape(-1), (modes,))
    color = FORMAT.shaped(path, "texMU", model["texMU"].reshape(-1), (3 * count,))
    trim = _numbers(trim_path, "trimIndex", count)
    front = _numbers(front_path, "idx", len(trim))
    expression = _read_expressions(expression_path, std_path, len(trim))[:, front]
    kept = trim[front]
    triangles, landmarks = _read_info(info_path, len(kept))
    expression_basis, expression_std = unit_modes(expression * UNIT_MM)
    return RawModel(
        name="bfm-2009",
        licence=FORMAT.licence,
        provenance=provenance(path, expression_path, std_path, trim_path, front_path, info_path),
        unit_mm=UNIT_MM,
        mean=mean.reshape(-1, 3)[kept] * UNIT_MM,
        shape_basis=basis.reshape(count, 3, modes)[kept].transpose(2, 0, 1),
        shape_std=std * UNIT_MM,
        expression_basis=expression_basis,
        expression_std=expression_std,
        triangles=triangles,
        landmarks=landmarks,
        colors=color.reshape(-1, 3)[kept] / 255.0,
    )


def _read_expressions(path: Path, std_path: Path, count: int) -> np.ndarray:
    """What one standard deviation of each expression mode moves, [E, count, 3] micrometers."""
    data = path.read_bytes()
    modes = int(np.frombuffer(data, "<i4", 1)[0]) if len(data) >= 4 else 0
    expected = 4 + 4 * 3 * count * (modes + 1)
    if not 1 <= modes <= 1000 or len(data) != expected:
        raise FORMAT.wrong(
            path,
            f"is cut short or another file: it announces {modes} modes, which over {count} vertices take {expected} "
            f"bytes, and has {len(data)}",
        )
    values = np.frombuffer(data, "<f4", offset=4).reshape(modes + 1, count, 3).astype(np.float64)
    try:
        std = np.array(std_path.read_text().split(), np.float64)
    except ValueError as error:
        raise FORMAT.wrong(std_path, f"is no list of numbers ({error})") from error
    if len(std) != modes or not np.isfinite(values).all():
        raise FORMAT.wrong(std_path, f"has {len(std)} deviations for the {modes} modes of {path.name}")
    return values[1:] * std[:, None, None]


def _read_front(path: Path) -> RawModel:
    fields = ["meanshape", "meantex", "idBase", "exBase", "tri", "keypoints"]
    model = FORMAT.read_mat(path, fields)
    mean = FORMAT.shaped(path, "meanshape", model["meanshape"].reshape(-1), (None,)).reshape(-1, 3)
    count = len(mean)
    color = FORMAT.shaped(path, "meantex", model["meantex"].reshape(-1), (3 * count,))

    def modes(field: str) -> tuple[np.ndarray, np.ndarray]:
        table = FORMAT.shaped(path, field, model[field], (3 * count, None))
        return unit_modes(table.reshape(count, 3, -1).transpose(2, 0, 1) * FRONT_UNIT_MM)

    shape_basis, shape_std = modes("idBase")
    expression_basis, expression_std = modes("exBase")
    return RawModel(
        name="bfm-2009",
        licence=FORMAT.licence,
        provenance=provenance(path),
        unit_mm=FRONT_UNIT_MM,
        mean=mean * FRONT_UNIT_MM,
        shape_basis=shape_basis,
        shape_std=shape_std,
        expression_basis=expression_basis,
        expression_std=expression_std,
        triangles=_triangles(path, model["tri"], count),
        landmarks=_landmarks(path, model["keypoints"], count),
        colors=color.reshape(-1, 3) / 255.0,
    )


def _read_info(path: Path, count: int) -> tuple[np.ndarray, Landmarks]:
    info = FORMAT.read_mat(path, ["tri", "keypoints"])
    return _triangles(path, info["tri"], count), _landmarks(path, info["keypoints"], count)


def _triangles(path: Path, array: np.ndarray, count: int) -> np.ndarray:
    FORMAT.shaped(path, "tri", array, (None, 3))
    return FORMAT.indices(path, "tri", array, count)


def _landmarks(path: Path, array: np.ndarray, count: int) -> Landmarks:
    FORMAT.shaped(path, "keypoints", array.reshape(-1), (68,))
    return Landmarks.on_vertices(FORMAT.indices(path, "keypoints", array.reshape(-1), count))


def _numbers(path: Path, field: str, count: int) -> np.ndarray:
    return FORMAT.indices(path, field, FORMAT.read_mat(path, [field])[field].reshape(-1), count)
