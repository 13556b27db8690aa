"""Shapes read from many images, as arrays: what evaluations start from, whichever system read them.

N images, S shape modes, E expression modes, V vertices.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class Codes:
    """What was read from N named images. Fields that a system does not give are None."""

    names: list[str]  # unique, of the images
    shape: np.ndarray  # float32 [N, S] mm, coefficients of the neutral shape
    shape_std: np.ndarray | None = None  # float32 [S] mm, standard deviations of the prior
    expression: np.ndarray | None = None  # float32 [N, E] whitened
    landmarks: np.ndarray | None = None  # float32 [N, 68, 2] crop pixels (u, v)
    rotation: np.ndarray | None = None  # float32 [N, 3, 3] camera_from_model
    identity: np.ndarray | None = None  # int32 [N], NO_IDENTITY for none
    # Where they come from: face_model (fingerprint), orthonormal (its basis), run, step, records, ...
    source: dict[str, Any] = dataclasses.field(default_factory=dict)


def check_codes(codes: Codes) -> None:
    """Refuses codes that cannot be evaluated.

    Raises:
      ValueError: naming the array whose shape does not fit, or that holds numbers which are not finite, or the name
        that is there twice.
    """
    if np.ndim(codes.shape) != 2 or 0 in np.shape(codes.shape):
        raise ValueError(f"shape codes must be [N, S] with a row per image, got {list(np.shape(codes.shape))}")
    count, modes = codes.shape.shape
    if len(codes.names) != count:
        raise ValueError(f"{len(codes.names)} names for {count} codes: give one name per row")
    if len(set(codes.names)) < count:
        seen: set[str] = set()
        twice = next(name for name in codes.names if name in seen or seen.add(name))
        raise ValueError(f"the name {twice!r} is given to several codes: names must be unique")
    wanted = {
        "shape_std": (modes,),
        "expression": (count, -1),
        "landmarks": (count, 68, 2),
        "rotation": (count, 3, 3),
        "identity": (count,),
    }
    for name, size in wanted.items():
        _check_size(name, getattr(codes, name), size)
    for name in ("shape", "shape_std", "expression", "landmarks", "rotation"):
        _check_finite(name, getattr(codes, name))
    if codes.shape_std is not None and not np.all(codes.shape_std > 0):
        raise ValueError(f"{np.sum(codes.shape_std <= 0)} of {modes} standard deviations are not positive")


def whitened(codes: Codes) -> Float[np.ndarray, "N S"]:
    """Shape coefficients in standard deviations of the prior.

    Raises:
      ValueError: if the standard deviations are not known.
    """
    if codes.shape_std is None:
        raise ValueError(
            "whitened codes need the standard deviations of the shape modes, which these codes lack: "
            "put them in as `shape_std` [S] (mm), or use the descriptor 'shape'"
        )
    return np.asarray(codes.shape, np.float64) / np.asarray(codes.shape_std, np.float64)


def vertex_descriptors(shape: Float[np.ndarray, "N S"], basis: Float[np.ndarray, "S V3"]) -> Float[np.ndarray, "N S"]:
    """Descriptors whose lengths and angles are those of the neutral vertices' offsets from the mean face.

    |A a - A b|^2 = (a - b)^T G (a - b) with G = A^T A, so that with W W^T = G the rows of a W stand for 3 V numbers
    each. Any basis will do, also one that is not orthonormal or whose modes are linearly dependent.

    Args:
      shape: coefficients, mm.
      basis: a row per mode.
    """
    values, vectors = np.linalg.eigh(gram(basis))
    return np.asarray(shape, np.float64) @ (vectors * np.sqrt(np.maximum(values, 0.0)))


def gram(basis: Float[np.ndarray, "S V3"]) -> Float[np.ndarray, "S S"]:
    """Inner products of the modes, in float64; the basis is widened a part at a time."""
    total = np.zeros((len(basis), len(basis)))
    for start in range(0, basis.shape[1], _COLUMNS):
        part = np.asarray(basis[:, start : start + _COLUMNS], np.float64)
        total += part @ part.T
    return total


_COLUMNS = 8192  # of the basis, held in float64 at a time


def _check_size(name: str, array: np.ndarray | None, size: tuple[int, ...]) -> None:
    if array is None:
        return
    found = np.shape(array)
    if len(found) != len(size) or any(want not in (-1, got) for want, got in zip(size, found, strict=True)):
        wanted = ", ".join("any" if want == -1 else str(want) for want in size)
        raise ValueError(f"{name} must be [{wanted}] for these codes, got {list(found)}")


def _check_finite(name: str, array: np.ndarray | None) -> None:
    if array is None or np.isfinite(array).all():
        return
    bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    rows = np.flatnonzero(bad)
    raise ValueError(f"{len(rows)} of {len(array)} rows of {name} are not finite, the first is row {rows[0]}")
