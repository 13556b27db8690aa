"""Photos that show the same person: whose is which, what their faces have in common, and the tables about it."""

import csv
import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from sirjax.cli.outputs import key
from sirjax.cli.reconstructing.stream import Item
from sirjax.cli.reconstructing.writing import FaceWriter
from sirjax.export.person import write_person
from sirjax.files import write_text
from sirjax.fusion import FusedShape, RunningMean, fuse_shapes
from sirjax.morphable.model import FaceModel, landmarks_of
from sirjax.predictor import AlignedFace
from sirjax.reconstruction import eye_distance_of

FOLDER = "people"  # in the folder of results
COLUMNS: tuple[str, ...] = (
    *("person", "photo", "weight", "distance_mm"),
    *("confidence", "person_spread_mm", "person_photos"),
)


@dataclass
class Person:
    """What is known about a person so far: a few numbers for each photo, nothing as large as an image."""

    name: str
    left: int  # photos that have not come yet
    photos: list[Path] = field(default_factory=list)
    shapes: list[np.ndarray] = field(default_factory=list)
    confidences: list[float] = field(default_factory=list)
    albedo: RunningMean = field(default_factory=RunningMean)

    def add(self, item: Item) -> None:
        """Takes the largest face of a photo, or that there is none."""
        self.left -= 1
        if not item.faces:
            return
        face = item.faces[0]
        self.photos.append(item.path)
        self.shapes.append(face.shape if item.own_shape is None else item.own_shape)
        self.confidences.append(face.confidence)
        self.albedo.add(face.albedo, max(face.confidence, 1e-6))

    def fused(self, face_model: FaceModel) -> FusedShape:
        """The person's shape; see `fuse_shapes`."""
        return fuse_shapes(face_model, np.stack(self.shapes), np.array(self.confidences))


def group_photos(photos: list[Path], grouping: str) -> dict[Path, str]:
    """The person of each photo: "same-person" (all photos show one), or "folder" (whose name is the person's)."""
    names: dict[Path, str] = {}
    person_of = {}
    for photo in photos:
        owner = Path(key(photo)).parent if grouping == "folder" else Path("person")
        if owner not in names:
            names[owner] = _free_name(owner.name, set(names.values()))
        person_of[photo] = names[owner]
    return person_of


def expected(person_of: dict[Path, str]) -> dict[str, Person]:
    """The people whose photos will come."""
    return {name: Person(name, count) for name, count in Counter(person_of.values()).items()}


class People:
    """Collects the faces of people and writes each person as soon as all photos have been seen.

    Args:
      person_of: of all photos that will come.
      folder: of the results.
      writer: writes meshes, knows the eye distance.
    """

    def __init__(self, person_of: dict[Path, str], folder: Path, writer: FaceWriter):
        self._person_of, self._people = person_of, expected(person_of)
        self._writer, self._folder = writer, folder / FOLDER
        self._rows: list[dict] = []
        self._folder.mkdir(parents=True, exist_ok=True)

    def add(self, item: Item) -> None:
        """Takes a photo of the list; writes the person if it was the last one."""
        person = self._people[self._person_of[item.path]]
        person.add(item)
        if person.left == 0:
            self._write(person)

    def _write(self, person: Person) -> None:
        del self._people[person.name]
        if not person.shapes:
            self._rows.append({"person": person.name, "person_photos": 0})
            return
        face_model = self._writer.face_model
        fused = person.fused(face_model)
        folder = self._folder / person.name
        folder.mkdir(exist_ok=True)
        distance = self._writer.outputs.eye_distance_mm
        landmarks = np.asarray(landmarks_of(face_model, jnp.asarray(fused.vertices)[None])[0])
        write_person(
            folder,
            fused,
            person.albedo.mean,
            [key(photo) for photo in person.photos],
            face_model,
            self._writer.provenance(""),
            self._writer.outputs.formats,
            metric_scale=None if distance is None else distance / eye_distance_of(landmarks),
        )
        for i, photo in enumerate(person.photos):
            self._rows.append(
                {
                    "person": person.name,
                    "photo": key(photo),
                    "weight": round(float(fused.weights[i]), 5),
                    "distance_mm": round(float(fused.distances_mm[i]), 4),
                    "confidence": round(person.confidences[i], 5),
                    "person_spread_mm": round(fused.spread_mm, 4),
                    "person_photos": len(person.photos),
                }
            )

    def close(self) -> list[str]:
        """Writes people.csv and people.jsonl, with a row for each photo that counts; returns a line for each person."""
        rows = [{name: row.get(name, "") for name in COLUMNS} for row in self._rows]
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        write_text(self._folder.parent / "people.jsonl", "".join(lines))
        table = io.StringIO()
        writer = csv.DictWriter(table, list(COLUMNS))
        writer.writeheader()
        writer.writerows(rows)
        write_text(self._folder.parent / "people.csv", table.getvalue())
        people = {row["person"]: row for row in rows}
        return [
            f"{name}: {row['person_photos']} photos, which differ by {row['person_spread_mm']} mm"
            if row["person_photos"]
            else f"{name}: no face found"
            for name, row in people.items()
        ]


class FirstLook:
    """What a first pass over the photos found, for a second one that gives each face its person's shape."""

    def __init__(self, person_of: dict[Path, str]):
        self._person_of, self._people = person_of, expected(person_of)
        self.known: dict[Path, list[AlignedFace]] = {}
        self.failures: dict[Path, tuple[str, str]] = {}

    def add(self, item: Item) -> None:
        """Takes a photo; keeps its faces without their pixels."""
        self._people[self._person_of[item.path]].add(item)
        if item.faces:
            self.known[item.path] = [replace(face, crop=np.zeros((0, 0, 3), np.uint8)) for face in item.aligned]
        else:
            self.failures[item.path] = item.status, item.message

    def shapes(self, face_model: FaceModel) -> dict[Path, np.ndarray]:
        """The whitened shape of the person in each photo that shows a face."""
        fused = {name: person.fused(face_model).shape for name, person in self._people.items() if person.shapes}
        return {path: fused[self._person_of[path]] for path in self.known}


def _free_name(name: str, taken: set[str]) -> str:
    """A folder name without awkward letters, with a number where another person has it already."""
    stem = re.sub(r"[^\w.-]+", "_", name).strip("._") or "person"
    name, count, lower = stem, 1, {other.casefold() for other in taken}
    while name.casefold() in lower:
        count += 1
        name = f"{stem}-{count}"
    return name
