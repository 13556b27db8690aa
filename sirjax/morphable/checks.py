"""Checks of the arrays of a face model file: names, shapes, ranges. NumPy only."""

from collections.abc import Mapping

import numpy as np

from sirjax.constants import NUM_LANDMARKS

# key -> shape; letters are dimensions that must agree wherever they appear.
_SHAPES: dict[str, tuple[str | int, ...]] = {
    "mean": ("n", 3),
    "id_basis": ("m", "n", 3),
    "exp_basis": ("k", "n", 3),
    "id_std": ("m",),
    "exp_std": ("k",),
    "tri": ("T", 3),
    "uv": ("Vt", 2),
    "tri_uv": ("T", 3),
    "mean_albedo_uv": ("U", "U", 3),
    "uv_mask": ("U", "U"),
    "sym_idx": ("n",),
    "unit_mm": (),
    "name": (),
    "licence": (),
    "provenance": (),
}
_LANDMARK_SHAPES: dict[str, tuple[str | int, ...]] = {
    "landmark_idx": (NUM_LANDMARKS,),
    "landmark_tri": (NUM_LANDMARKS,),
    "landmark_bary": (NUM_LANDMARKS, 3),
}
_TEXTS = ("name", "licence", "provenance")
# key -> dimension its entries count, 0-based
_INDICES = {"tri": "n", "tri_uv": "Vt", "sym_idx": "n", "landmark_idx": "n", "landmark_tri": "T"}
_FLOATS = ("mean", "id_basis", "exp_basis", "id_std", "exp_std", "uv", "unit_mm", "landmark_bary", "mean_albedo_uv")


def check_arrays(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses arrays that do not make a face model.

    Raises:
      ValueError: naming the first key that is missing or wrong, what it holds and what it should hold.
    """
    shapes = _SHAPES | {key: _LANDMARK_SHAPES[key] for key in _landmark_keys(arrays)}
    missing = [key for key in shapes if key not in arrays]
    if missing:
        raise ValueError(f"missing {', '.join(missing)} (found {', '.join(sorted(arrays)) or 'nothing'})")
    sizes = _check_shapes(arrays, shapes)
    _check_types(arrays, shapes)
    for key, counted in _INDICES.items():
        if key in shapes:
            _check_range(key, arrays[key], 0, sizes[counted] - 1)
    _check_values(arrays)


def _landmark_keys(arrays: Mapping[str, np.ndarray]) -> tuple[str, ...]:
    return ("landmark_tri", "landmark_bary") if "landmark_bary" in arrays else ("landmark_idx",)


def _check_shapes(
    arrays: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[str | int, ...]]
) -> dict[str | int, int]:
    """The sizes of the dimensions with letters."""
    sizes: dict[str | int, int] = {}
    for key, wanted in shapes.items():
        found = arrays[key].shape
        fits = len(found) == len(wanted) and all(
            size == (want if isinstance(want, int) else sizes.setdefault(want, size))
            for size, want in zip(found, wanted, strict=True)
        )
        if not fits:
            described = ", ".join(f"{want}={sizes[want]}" if want in sizes else str(want) for want in wanted)
            raise ValueError(f"{key} has shape {found}, expected ({described})")
    return sizes


def _check_types(arrays: Mapping[str, np.ndarray], keys: Mapping[str, object]) -> None:
    for key in keys:
        kind = arrays[key].dtype.kind
        allowed = "U" if key in _TEXTS else "iu" if key in _INDICES else "b" if key == "uv_mask" else "fiu"
        if kind not in allowed:
            raise ValueError(f"{key} has type {arrays[key].dtype}, expected {_KINDS[allowed]}")
        if key in _FLOATS and not np.isfinite(arrays[key]).all():
            raise ValueError(f"{key} holds values that are not finite")


_KINDS = {"U": "text", "iu": "integers", "b": "booleans", "fiu": "numbers"}


def _check_range(key: str, array: np.ndarray, low: int, high: int) -> None:
    if array.size and not (low <= array.min() and array.max() <= high):
        raise ValueError(f"{key} reaches from {array.min()} to {array.max()}, expected {low} to {high}")


def _check_values(arrays: Mapping[str, np.ndarray]) -> None:
    _check_range("uv", arrays["uv"], 0, 1)
    if arrays["mean_albedo_uv"].dtype != np.uint8:
        _check_range("mean_albedo_uv", arrays["mean_albedo_uv"], 0, 1)
    for key in ("id_std", "exp_std", "unit_mm"):
        if (arrays[key] <= 0).any():
            raise ValueError(f"{key} must be positive, got {arrays[key].min()}")
    if "landmark_bary" in arrays:
        sums = arrays["landmark_bary"].sum(axis=1)
        if np.abs(sums - 1).max() > 1e-3:
            raise ValueError(f"rows of landmark_bary must sum to 1, got {sums.min()} to {sums.max()}")
    mirror = arrays["sym_idx"]
    if (mirror[mirror] != np.arange(len(mirror))).any():
        raise ValueError("sym_idx must lead back to the vertex it came from when applied twice")
    for key in ("name", "licence"):
        if not str(arrays[key]).strip():
            raise ValueError(f"{key} is empty")
