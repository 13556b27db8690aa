"""What there is to know of a face model, in words."""

from typing import Any

import numpy as np

from sirjax.morphable.model import FaceModel, landmarks_of
from sirjax.morphable.orthonormalize import orthonormality_error
from sirjax.morphable.storage import fingerprint

LANDMARK_NAMES = (
    ("jaw, right ear to left ear, chin 8", 0, 16),
    ("right brow", 17, 21),
    ("left brow", 22, 26),
    ("ridge of the nose, tip 30", 27, 30),
    ("under the nose", 31, 35),
    ("right eye, outer corner 36, inner 39", 36, 41),
    ("left eye, inner corner 42, outer 45", 42, 47),
    ("outer lips, right corner 48, left 54", 48, 59),
    ("inner lips, right corner 60, left 64", 60, 67),
)


def mirror_errors(model: FaceModel) -> tuple[float, float]:
    """How far mirrored vertices miss each other: mean and largest distance, mm."""
    mean, mirror = np.asarray(model.mean, np.float64), np.asarray(model.mirror_vertices)
    distance = np.linalg.norm(mean * [-1.0, 1.0, 1.0] - mean[mirror], axis=1)
    return float(distance.mean()), float(distance.max())


def spread(model: FaceModel) -> tuple[float, float]:
    """RMS over vertices of what shape and expression modes move at one deviation each, mm."""

    def rms(basis, std) -> float:
        scaled = np.asarray(basis, np.float64) * np.asarray(std, np.float64)[:, None]
        return float(np.sqrt((scaled**2).sum() / model.num_vertices))

    return rms(model.shape_basis, model.shape_std), rms(model.expression_basis, model.expression_std)


def facts(model: FaceModel) -> dict[str, Any]:
    """What programs may want to know, as plain JSON; lengths in mm."""
    shape, expression = spread(model)
    return {
        "name": model.name,
        "licence": model.licence,
        "fingerprint": fingerprint(model),
        "provenance": model.provenance,
        "unit_mm": model.unit_mm,
        "vertices": model.num_vertices,
        "triangles": len(model.triangles),
        "shape_modes": model.num_shape,
        "expression_modes": model.num_expression,
        "shape_std": np.asarray(model.shape_std).tolist(),
        "expression_std": np.asarray(model.expression_std).tolist(),
        "shape_rms": shape,
        "expression_rms": expression,
        "orthonormality_error": orthonormality_error(model),
        "uv_size": model.uv_size,
        "landmarks": np.asarray(landmarks_of(model, model.mean[None])[0]).tolist(),
    }


def summary(model: FaceModel) -> list[str]:
    """Lines that name units, axes, counts, orthonormality, symmetry, landmarks, licence and fingerprint."""
    mean = np.asarray(model.mean)
    extent = zip("xyz", mean.min(axis=0), mean.max(axis=0), strict=True)
    shape, expression = spread(model)
    mirror_mean, mirror_max = mirror_errors(model)
    points = np.asarray(landmarks_of(model, model.mean[None])[0])
    lines = [
        f"name           {model.name}",
        f"licence        {model.licence}",
        f"fingerprint    {fingerprint(model)}",
        "units          millimeters",
        "axes           x to the image's right (the subject's left), y up, z toward the viewer",
        "extent         " + ", ".join(f"{axis} {low:.1f} to {high:.1f}" for axis, low, high in extent),
        f"mesh           {model.num_vertices} vertices, {len(model.triangles)} triangles",
        f"shape          {model.num_shape} modes, deviations {_range(model.shape_std)} mm, together {shape:.2f} mm RMS",
        f"expression     {model.num_expression} modes, deviations {_range(model.expression_std)} mm, together "
        f"{expression:.2f} mm RMS",
        f"orthonormality largest entry of |B B^T - I| of the shape basis: {orthonormality_error(model):.1e}",
        f"mirror map     mirrored vertices miss by {mirror_mean:.2f} mm on average, at most {mirror_max:.2f}",
        f"UV layout      {len(model.uv)} texture vertices, map of {model.uv_size} x {model.uv_size}, "
        f"{float(np.mean(model.uv_mask)):.0%} used",
        "landmarks      68 (iBUG), x y z in mm:",
    ]
    for name, first, last in LANDMARK_NAMES:
        places = "  ".join(f"{k} ({', '.join(f'{v:.0f}' for v in points[k])})" for k in (first, last))
        lines.append(f"  {first:2d}-{last:2d} {name}: {places}")
    return [*lines, f"provenance     {model.provenance}"]


def _range(std) -> str:
    return f"{float(np.max(std)):.3g} to {float(np.min(std)):.3g}"
