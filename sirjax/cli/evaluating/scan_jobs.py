"""Measures predictions against scans, in worker processes if asked; the figures are the same however many there are."""

import functools
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from sirjax.cli.mesh_files import check_size, read_landmarks, read_mesh
from sirjax.evaluation.scan_error import NOW_LANDMARKS, ScanError, scan_error
from sirjax.evaluation.scan_summary import Measured

# Of iBUG's 68 points those that NoW marks on scans: eye corners, the nose's bottom, mouth corners.
NOW_OF_68 = (36, 39, 42, 45, 33, 48, 54)
_AT_ONCE = 8  # cases that a worker takes: those of one scan come together, so it is read once


@dataclass(frozen=True)
class Case:
    """One prediction and the scan it is measured against."""

    name: str
    subject: str
    scan: Path
    prediction: Path | np.ndarray  # mesh file, or shape coefficients [S] in mm for the face model
    scan_landmarks: Path | None = None
    prediction_landmarks: Path | None = None
    scan_nose_tip: tuple[float, ...] | None = None  # in the file's unit
    prediction_nose_tip: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Shapes:
    """What turns shape coefficients into faces, as plain arrays."""

    mean: np.ndarray  # [V, 3] mm
    basis: np.ndarray  # [S, 3V]
    triangles: np.ndarray  # [T, 3]
    landmark_vertices: np.ndarray  # [68, 3]
    landmark_weights: np.ndarray  # [68, 3]

    def vertices(self, shape: np.ndarray) -> np.ndarray:
        """The neutral face, mm."""
        return (self.mean.reshape(-1) + shape @ self.basis).reshape(-1, 3).astype(np.float64)

    def landmarks(self, vertices: np.ndarray) -> np.ndarray:
        """The 68 points of a face, mm."""
        return np.einsum("lkc,lk->lc", vertices[self.landmark_vertices], self.landmark_weights)


@dataclass(frozen=True)
class Options:
    """The protocol, the same for all cases."""

    crop: str = "sphere"
    scale: float | None = None  # mm per mm; None: fitted to each mesh
    trim: float = 0.0
    unit: float = 1.0  # mm per unit of the predictions' files
    scan_unit: float = 1.0
    shapes: Shapes | None = None


@dataclass(frozen=True)
class Pair:
    """What a case compares, in memory."""

    scan: tuple[np.ndarray, np.ndarray]  # vertices mm, triangles
    prediction: tuple[np.ndarray, np.ndarray]
    error: ScanError


def compare(case: Case, options: Options, threads: int = 1) -> Pair:
    """Reads and measures one case.

    Raises:
      OSError, ValueError: if a file cannot be read or the meshes cannot be compared.
    """
    scan = _scan(case.scan, options.scan_unit)
    check_size(case.scan, scan[0], "--scan-unit", options.scan_unit)
    landmarks = None if case.scan_landmarks is None else read_landmarks(case.scan_landmarks, options.scan_unit)
    if isinstance(case.prediction, Path):
        prediction = read_mesh(case.prediction, options.unit)
        check_size(case.prediction, prediction[0], "--unit", options.unit)
        own = None if case.prediction_landmarks is None else read_landmarks(case.prediction_landmarks, options.unit)
        tip = _point(case.prediction_nose_tip, options.unit)
    else:
        if options.shapes is None:
            raise ValueError("shape coefficients need the face model that they belong to: give --face-model")
        vertices = options.shapes.vertices(case.prediction)
        prediction, points = (vertices, options.shapes.triangles), options.shapes.landmarks(vertices)
        own = None if landmarks is None else points[list(NOW_OF_68)] if len(landmarks) == NOW_LANDMARKS else points
        tip = points[30]
    error = scan_error(
        *scan,
        *prediction,
        scan_nose_tip=_point(case.scan_nose_tip, options.scan_unit),
        predicted_nose_tip=tip,
        scan_landmarks=landmarks,
        predicted_landmarks=own,
        scale=options.scale,
        crop=options.crop,
        trim=options.trim,
        threads=threads,
    )
    return Pair(scan, prediction, error)


def measure(case: Case, options: Options, threads: int = 1) -> Measured | str:
    """Figures of one case, or why there are none."""
    try:
        return Measured.of(case.name, case.subject, compare(case, options, threads).error)
    except Exception as error:  # one broken file must not end the evaluation: its row says why
        kind = "" if isinstance(error, ValueError | OSError) else f"{type(error).__name__}: "
        return f"{kind}{error}"


def measure_all(cases: list[Case], options: Options, workers: int = 1) -> Iterator[Measured | str]:
    """Figures of all cases, in their order; a process of one thread each, or that many threads for a single case."""
    if min(workers, len(cases)) <= 1:
        yield from (measure(case, options, workers) for case in cases)
        return
    # Not forked: threads of the numerical libraries would not survive it.
    with ProcessPoolExecutor(min(workers, len(cases)), get_context("spawn"), _remember, (options,)) as pool:
        yield from pool.map(_measure, cases, chunksize=_AT_ONCE)


_remembered: list[Options] = []  # of a worker process: sent once, not with every case


def _remember(options: Options) -> None:
    _remembered[:] = [options]


def _measure(case: Case) -> Measured | str:
    return measure(case, _remembered[0])


@functools.lru_cache(maxsize=2)
def _scan(path: Path, unit: float) -> tuple[np.ndarray, np.ndarray]:
    return read_mesh(path, unit)


def _point(place: tuple[float, ...] | None, unit: float) -> np.ndarray | None:
    return None if place is None else np.array(place) * unit
