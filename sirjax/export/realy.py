"""Files for the REALY benchmark's toolkit (github.com/czh-98/REALY): meshes of one topology and its 85 keypoints.

PREDICTIONS/12_3.obj for photo 12_3.jpg: the number before the first underscore is the subject, 1 to 100, and the names
are sorted as numbers. REALY/data/NAME.obj is the template, REALY/data/NAME.txt its keypoints: JSON, 85 rows of
[triangle from 0, weight of its first corner, weight of its second].

What the 85 are: 0 to 67 are iBUG's 68 points. Of the other 17 the toolkit reads four: 70 and 71 while it aligns the
nose, 76 and 77 while it aligns the cheeks (`keypoints_region_map`). The remaining 13 are loaded and not used.
"""

import json
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from scipy.interpolate import RBFInterpolator
from scipy.spatial.transform import Rotation

from sirjax.constants import NUM_LANDMARKS
from sirjax.export.toolkit_mesh import Problem
from sirjax.files import write_text

NUM_KEYPOINTS = 85
NUM_SUBJECTS = 100
# Points beyond the 68 that decide a result.
READ_BEYOND_68 = (70, 71, 76, 77)
MAX_RESIDUAL = 0.12  # RMS distance of the 68 points of two faces after a similarity, as a share of the eye distance
_NAME = re.compile(r"^[0-9]+(_[0-9]+)*$")


def read_keypoints(path: Path) -> tuple[Int[np.ndarray, " 85"], Float[np.ndarray, "85 3"]]:
    """Triangle and barycentric weights of each keypoint.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it does not hold 85 rows of triangle and two weights.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: REALY/data of the toolkit holds HIFI3D.txt and HIFI3D.obj")
    try:
        rows = np.array(json.loads(path.read_text(encoding="utf-8")), np.float64)
    except (ValueError, TypeError):
        raise ValueError(f"{path} is no keypoint file: expected JSON, {NUM_KEYPOINTS} rows of 3 numbers") from None
    if rows.shape != (NUM_KEYPOINTS, 3) or not np.isfinite(rows).all():
        raise ValueError(
            f"{path} is no keypoint file: expected {NUM_KEYPOINTS} rows of 3 numbers, got {list(rows.shape)}"
        )
    weights = np.concatenate([rows[:, 1:], 1.0 - rows[:, 1:].sum(axis=1, keepdims=True)], axis=1)
    return rows[:, 0].astype(np.int64), weights


def keypoint_positions(
    vertices: Float[np.ndarray, "V 3"],
    triangles: Int[np.ndarray, "T 3"],
    rows: Int[np.ndarray, " K"],
    weights: Float[np.ndarray, "K 3"],
) -> Float[np.ndarray, "K 3"]:
    """Where keypoints lie on a mesh, as the toolkit computes it.

    Raises:
      ValueError: if one lies on a triangle that the mesh has not.
    """
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(triangles):
        raise ValueError(
            f"keypoints lie on triangles {rows.min()} to {rows.max()}, the mesh has {len(triangles)}: "
            "the keypoint file belongs to another template"
        )
    return np.einsum("kcd,kc->kd", vertices[triangles[rows]], weights)


def write_keypoints(path: Path, rows: Int[np.ndarray, " 85"], weights: Float[np.ndarray, "85 3"]) -> None:
    """Writes a keypoint file."""
    lines = [[int(row), float(w[0]), float(w[1])] for row, w in zip(rows, weights, strict=True)]
    write_text(path, json.dumps(lines) + "\n")


def carried_over(
    template: Float[np.ndarray, "85 3"], own: Float[np.ndarray, "68 3"]
) -> tuple[Float[np.ndarray, "17 3"], float]:
    """Where the 17 further keypoints of another template lie on a face whose 68 points are known.

    The smoothest warp (thin plates) that takes the template's 68 points to this face's takes the others along; they
    are yet to be moved onto the surface.

    Returns:
      The points, and the RMS distance of the two sets of 68 after the best similarity, as a share of the distance of
      the outer eye corners: small where both follow iBUG's scheme.
    """
    shared = template[:NUM_LANDMARKS]
    source, target = shared - shared.mean(axis=0), own - own.mean(axis=0)
    turned = Rotation.align_vectors(target, source)[0].apply(source)
    scale = np.sum(turned * target) / np.sum(np.square(source))
    residual = np.sqrt(np.mean(np.sum(np.square(scale * turned - target), axis=1))) / np.linalg.norm(own[36] - own[45])
    warp = RBFInterpolator(shared, own, kernel="thin_plate_spline", degree=1)
    return warp(template[NUM_LANDMARKS:]), float(residual)


def triangle_rows(
    corners: Int[np.ndarray, "K 3"], weights: Float[np.ndarray, "K 3"], triangles: Int[np.ndarray, "T 3"]
) -> tuple[Int[np.ndarray, " K"], Float[np.ndarray, "K 3"]]:
    """Points given by corners and weights as triangle numbers, with the weights in the order of its corners.

    Raises:
      ValueError: if a point lies on no triangle.
    """
    row_of: dict[frozenset[int], int] = {}  # some triangle of each corner, edge and triple
    for i, (a, b, c) in enumerate(triangles.tolist()):
        for part in ((a,), (b,), (c,), (a, b), (b, c), (c, a), (a, b, c)):
            row_of.setdefault(frozenset(part), i)
    rows, ordered = [], []
    for own, share in zip(corners.tolist(), np.asarray(weights, np.float64), strict=True):
        weight_of: dict[int, float] = {}
        for vertex, weight in zip(own, share, strict=True):
            if weight > 0:
                weight_of[vertex] = weight_of.get(vertex, 0.0) + float(weight)
        row = row_of.get(frozenset(weight_of))
        if row is None:
            raise ValueError(f"a keypoint rests on the vertices {own}, which are no triangle of the mesh")
        rows.append(row)
        ordered.append([weight_of.get(vertex, 0.0) for vertex in triangles[row].tolist()])
    return np.array(rows), np.array(ordered)


def check_names(stems: list[str]) -> list[Problem]:
    """What is wrong with the names of photos."""
    problems = []
    odd = [stem for stem in stems if not _NAME.match(stem)]
    if odd:
        problems.append(
            Problem(
                f"{len(odd)} photos, such as {odd[0]!r}, are not named by numbers",
                "the toolkit sorts and looks up by SUBJECT or SUBJECT_VIEW, as REALY's own photos are named",
            )
        )
    foreign = [stem for stem in stems if _NAME.match(stem) and not 1 <= int(stem.split("_")[0]) <= NUM_SUBJECTS]
    if foreign:
        problems.append(
            Problem(f"{foreign[0]!r} is not of subject 1 to {NUM_SUBJECTS}", "metrical_scale.txt has no row for it")
        )
    if len(set(stems)) < len(stems):
        problems.append(Problem("two photos share a name up to the suffix", "keep one of each"))
    return problems
