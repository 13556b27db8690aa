"""Meshes and 3D landmarks of files: what scans and other systems' predictions come as.

Meshes: .obj, .ply, .stl, .off, .glb (with trimesh, of the extra `eval`) or .npz with `vertices` [V, 3] and `triangles`
[T, 3]. Landmarks: .txt (a point per line), .npy [L, 3] or MeshLab's picked points (.pp). Nothing is ever executed.
"""

import functools
import re
import zipfile
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

MESHES = (".obj", ".ply", ".stl", ".off", ".glb", ".npz")
UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
_PICKED = re.compile(r"<point\b[^>]*>")
_GUESSES = {"mm": 1.0, "m": 1000.0, "cm": 10.0, "0.1": 0.1, "0.01": 0.01, "0.001": 0.001}
_SMALLEST, _LARGEST = 60.0, 1500.0  # mm: a mask from brow to lip, a bust with shoulders


def unit_mm(text: str) -> float:
    """Millimeters per unit: of "mm", "cm", "m" or a number.

    Raises:
      ValueError: if it is neither, or not positive.
    """
    try:
        value = UNITS[text] if text in UNITS else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < np.inf:
        raise ValueError(f"a unit is mm, cm, m or how many millimeters it has (such as 0.1), got {text!r}")
    return value


def read_mesh(path: Path, unit: float = 1.0) -> tuple[Float[np.ndarray, "V 3"], Int[np.ndarray, "T 3"]]:
    """Vertices in mm (float64) and triangles of a file.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if it holds no mesh, or trimesh is missing.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    if path.suffix.lower() not in MESHES:
        raise ValueError(f"{path} is no mesh that can be read; give one of {', '.join(MESHES)}")
    vertices, triangles = _read_npz(path) if path.suffix.lower() == ".npz" else _read_with_trimesh(path)
    if len(vertices) == 0 or len(triangles) == 0:
        raise ValueError(f"{path} holds {len(vertices)} vertices and {len(triangles)} triangles: it is no surface")
    return np.asarray(vertices, np.float64) * unit, np.asarray(triangles, np.int64)


def check_size(path: Path | str, vertices: Float[np.ndarray, "V 3"], option: str, unit: float) -> None:
    """Refuses a face in another unit than millimeters.

    Args:
      path: to name it.
      vertices: taken to be mm.
      option: what sets its unit.
      unit: what that option is set to.

    Raises:
      ValueError: naming the size and the remedy.
    """
    finite = vertices[np.isfinite(vertices).all(axis=1)]
    size = float(np.ptp(finite, axis=0).max()) if len(finite) else 0.0
    if _SMALLEST <= size <= _LARGEST or size == 0:
        return
    fits = [name for name, millimeters in _GUESSES.items() if 80 <= size / unit * millimeters <= 800]
    remedy = f"{option} {fits[0]}" if fits else f"{option} with the millimeters that its unit has"
    raise ValueError(f"{path} is {size:.4g} mm across, where a face has 100 to 400: give {remedy}")


def read_landmarks(path: Path, unit: float = 1.0) -> Float[np.ndarray, "L 3"]:
    """Points in mm.

    Raises:
      FileNotFoundError: if there is no such file.
      ValueError: if it holds no points [L, 3].
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing")
    try:
        if path.suffix.lower() == ".npy":
            points = np.load(path, allow_pickle=False)
        elif path.suffix.lower() == ".pp":
            points = _picked_points(path.read_text(encoding="utf-8", errors="replace"))
        else:
            points = np.loadtxt(path, ndmin=2, delimiter="," if "," in path.read_text(encoding="utf-8") else None)
        points = np.asarray(points, np.float64)
    except (ValueError, TypeError, EOFError) as error:
        raise ValueError(f"{path} holds no landmarks ({error}): give a line of x y z for each point") from None
    if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
        raise ValueError(f"{path} must hold finite points [L, 3], got {list(points.shape)}")
    return points * unit


def _picked_points(text: str) -> list[list[float]]:
    points = []
    for tag in _PICKED.findall(text):
        found = [re.search(rf'\b{axis}="([^"]*)"', tag) for axis in "xyz"]
        points.append([float(match.group(1)) if match else np.nan for match in found])
    return points


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return np.asarray(file["vertices"], np.float64), np.asarray(file["triangles"])
    except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} needs the arrays vertices [V, 3] and triangles [T, 3] ({error})") from None


def _read_with_trimesh(path: Path) -> tuple[np.ndarray, np.ndarray]:
    trimesh = _trimesh()
    try:
        # As stored: merged or sorted vertices would no longer be what landmarks and vertex distances mean.
        mesh = trimesh.load(path, force="mesh", process=False, maintain_order=True, skip_materials=True)
        return np.asarray(mesh.vertices), np.asarray(mesh.faces)
    except Exception as error:  # whatever a broken file makes of the reader
        raise ValueError(f"{path} cannot be read as a mesh ({type(error).__name__}: {error})") from None


@functools.cache
def _trimesh():
    try:
        import trimesh
    except ImportError:
        raise ValueError("mesh files need trimesh: pip install 'sirjax[eval]', or give .npz files") from None
    return trimesh
