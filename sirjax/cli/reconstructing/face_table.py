"""Every face as one row of numbers: faces.csv and faces.jsonl, with its coefficients, pose and landmarks."""

import csv
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sirjax.cli.outputs import COLUMNS, Row
from sirjax.constants import NUM_LANDMARKS
from sirjax.morphable.model import FaceModel
from sirjax.reconstruction import FaceReconstruction

KINDS = ("csv", "jsonl")


class FaceTable:
    """OUT/faces.csv and OUT/faces.jsonl, of the kinds asked for: a row for each photo and face of this run.

    Rows go to the disk as they come; the files get their names when the table is closed. A context manager.
    """

    def __init__(self, folder: Path, face_model: FaceModel, kinds: tuple[str, ...]):
        self._paths = {kind: folder / f"faces.{kind}" for kind in kinds}
        self._files: dict[str, IO[str]] = {}
        for kind, path in self._paths.items():
            self._files[kind] = _unfinished(path).open("w", encoding="utf-8", newline="")
        self._columns = [*COLUMNS, *_numbers(face_model.num_shape, face_model.num_expression)]
        self._csv = csv.writer(self._files["csv"]) if "csv" in self._files else None
        if self._csv:
            self._csv.writerow(self._columns)

    def __enter__(self) -> "FaceTable":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def add(self, row: Row, face: FaceReconstruction | None = None) -> None:
        """Records a row of the status table and, where there is a face, its numbers."""
        if not self._files:
            return
        whole: dict[str, Any] = {name: row.get(name, "") for name in COLUMNS}
        whole |= {} if face is None else face_numbers(face)
        if "jsonl" in self._files:
            self._files["jsonl"].write(json.dumps(whole, ensure_ascii=False) + "\n")
        if self._csv:
            flat = dict(_flat(whole))
            self._csv.writerow([flat.get(name, "") for name in self._columns])

    def close(self) -> None:
        """Gives the files their names."""
        for kind, file in self._files.items():
            file.close()
            _unfinished(self._paths[kind]).replace(self._paths[kind])


def face_numbers(face: FaceReconstruction) -> dict[str, Any]:
    """Pose and camera in the photo, 68 landmarks in photo pixels, whitened coefficients, Eq. 19's confidence."""
    pitch, yaw, roll = (round(angle, 3) for angle in face.euler_degrees)
    camera = face.photo_camera
    return {
        "pitch": pitch,
        "yaw": yaw,
        "roll": roll,
        "scale": _significant(float(camera.scale[0])),
        "translation": [round(value, 3) for value in camera.translation[0].tolist()],
        "metric_scale": "" if face.metric_scale is None else _significant(face.metric_scale),
        "confidence": round(face.confidence, 5),
        "landmarks": [[round(u, 2), round(v, 2)] for u, v in face.landmarks_in_photo.tolist()],
        "shape": [_significant(value) for value in face.shape.tolist()],
        "expression": [_significant(value) for value in face.expression.tolist()],
    }


def _numbers(num_shape: int, num_expression: int) -> Iterator[str]:
    yield from ("pitch", "yaw", "roll", "scale", "translation_u", "translation_v", "metric_scale", "confidence")
    for i in range(NUM_LANDMARKS):
        yield from (f"landmark{i}_u", f"landmark{i}_v")
    yield from (f"shape{i}" for i in range(num_shape))
    yield from (f"expression{i}" for i in range(num_expression))


def _flat(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if name == "translation":
            yield from zip(("translation_u", "translation_v"), value, strict=True)
        elif name == "landmarks":
            for i, (u, v) in enumerate(value):
                yield from ((f"landmark{i}_u", u), (f"landmark{i}_v", v))
        elif isinstance(value, list):
            yield from ((f"{name}{i}", number) for i, number in enumerate(value))
        else:
            yield name, value


def _significant(value: float, digits: int = 7) -> float:
    """As many digits as a float32 has."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")
