"""The Basel Face Models 2017 and 2019, statismo's HDF5 format (needs the package h5py).

Groups shape, expression and color, each with model/mean, model/pcaBasis (orthonormal columns), model/pcaVariance; the
mesh in shape/representer/cells (3 x T, from 0). Millimeters; the mean face is the sum of shape's and expression's
means, colors are in [0, 1]. metadata/landmarks/json names some points of the face with their coordinates; those that
are iBUG points are taken, and the others carried over, unless a list is given with --landmarks.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from data_prep.face_models.files import Format, describe, provenance, read_start
from data_prep.face_models.raw import Landmarks, RawModel

FORMAT = Format(
    "bfm2017",
    "the Basel Face Model 2017 or 2019",
    "model2017-1_bfm_nomouth.h5, model2019_bfm.h5 or a face12 variant of either",
    "https://faces.dmi.unibas.ch/bfm/bfm2019.html",
    "University of Basel, non-commercial research only",
)
# Names in metadata/landmarks/json -> iBUG's points, from 0.
IBUG = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
    "center.lips.upper.inner": 62,
    "center.lips.lower.inner": 66,
}
_NEEDED = ("shape/model/mean", "shape/model/pcaBasis", "shape/model/pcaVariance", "shape/representer/cells")
_EXPRESSION = ("expression/model/mean", "expression/model/pcaBasis", "expression/model/pcaVariance")


def read(path: Path) -> RawModel:
    """Reads the model from its .h5 file.

    Raises:
      FileNotFoundError: if there is no such file.
      ImportError: if h5py is not installed.
      ValueError: if it is another file, damaged, or a model without expressions (BFM-2009 in this format).
    """
    FORMAT.check(path)
    if not read_start(path).startswith(b"\x89HDF"):
        raise FORMAT.wrong(path, f"is not an HDF5 file but {describe(path)}")
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"reading {path.name} needs the package h5py: pip install h5py (or sirjax[models])"
        ) from error
    try:
        with h5py.File(path, "r") as file:
            return _read(path, file)
    except OSError as error:
        raise FORMAT.wrong(path, f"is cut short or damaged ({error})") from error


def _read(path: Path, file: Any) -> RawModel:
    FORMAT.require(path, _NEEDED, {name for name in _NEEDED if name in file} | set(file))
    if not all(name in file for name in _EXPRESSION):
        raise FORMAT.wrong(path, "has no expressions: it is a BFM-2009 in this format, or a shape-only variant")
    mean, basis, variance = _modes(path, file, "shape")
    offset, expression_basis, expression_variance = _modes(path, file, "expression")
    if offset.shape != mean.shape:
        raise FORMAT.wrong(path, f"has {len(offset)} vertices in its expressions, {len(mean)} in its shapes")
    cells = np.asarray(file["shape/representer/cells"])
    mean = mean + offset
    landmarks = _landmarks(path, file, mean)
    color = np.asarray(file["color/model/mean"]).reshape(-1, 3) if "color/model/mean" in file else None
    return RawModel(
        name=f"bfm-{'2019' if '2019' in path.name else '2017'}",
        licence=FORMAT.licence,
        provenance=provenance(path),
        unit_mm=1.0,
        mean=mean,
        shape_basis=basis,
        shape_std=np.sqrt(variance),
        expression_basis=expression_basis,
        expression_std=np.sqrt(expression_variance),
        triangles=FORMAT.indices(path, "cells", cells.T if cells.shape[0] == 3 else cells, len(mean), first=0),
        landmarks=landmarks,
        colors=None if color is None else FORMAT.shaped(path, "color/model/mean", color, mean.shape),
    )


def _modes(path: Path, file: Any, group: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean [V, 3], modes [S, V, 3] and variances [S] of a part of the model."""
    mean = FORMAT.shaped(path, f"{group}/model/mean", file[f"{group}/model/mean"], (None,)).reshape(-1, 3)
    basis = FORMAT.shaped(path, f"{group}/model/pcaBasis", file[f"{group}/model/pcaBasis"], (mean.size, None))
    variance = np.asarray(file[f"{group}/model/pcaVariance"])
    variance = FORMAT.shaped(path, f"{group}/model/pcaVariance", variance, (basis.shape[1],))
    return mean, basis.reshape(len(mean), 3, -1).transpose(2, 0, 1), variance


def _landmarks(path: Path, file: Any, mean: np.ndarray) -> Landmarks:
    """The vertices closest to the named points that are iBUG's."""
    if "metadata/landmarks/json" not in file:
        return Landmarks.of_some({})
    raw = np.asarray(file["metadata/landmarks/json"][()]).reshape(-1)[0]
    try:
        entries = json.loads(raw if isinstance(raw, str) else bytes(raw).decode("utf-8"))
        pairs = entries.items() if isinstance(entries, dict) else [(e["id"], e["coordinates"]) for e in entries]
        places = {IBUG[name]: np.array(place, np.float64).reshape(3) for name, place in pairs if name in IBUG}
    except (ValueError, KeyError, TypeError) as error:
        raise FORMAT.wrong(path, f"has landmarks that cannot be read ({error!r})") from error
    tree = cKDTree(mean)
    return Landmarks.of_some({number: int(tree.query(place)[1]) for number, place in places.items()})
