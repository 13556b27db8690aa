"""Reconstruct the faces of photos: meshes, landmarks, overlays and all coefficients.

examples:
  sirjax reconstruct portrait.jpg --checkpoint runs/sir --out faces
  sirjax reconstruct photos/ more/*.png --checkpoint runs/sir --out faces --faces largest --formats glb,npz

For every face of every photo, DIR/<photo>/ receives faceN_neutral and faceN_posed (.obj with .mtl and .png, .ply,
.glb), faceN.npz (all coefficients, cameras, landmarks, the crop transform), faceN_sheet.png (one picture that shows it
all), and the photo with its faces drawn in as overlay.jpg. DIR/status.csv and DIR/status.jsonl have a row for every
photo and face: ok, no_face, missing, unreadable, too_large or error. Docs: docs/reconstruct.md.

Exit code: 0 if every photo gave a face, 2 if some did not (0 with --allow-failures), 1 if nothing could start.
"""

import argparse
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from sirjax.cli.outputs import Row, StatusTable, key
from sirjax.export.files import write_image
from sirjax.export.mesh_files import FORMATS, write_face
from sirjax.export.parameters import Provenance
from sirjax.morphable.model import FaceModel
from sirjax.networks.mtcnn import MTCNN
from sirjax.photo import MAX_MEGAPIXELS, Photo, PhotoError, list_photos, read_photo
from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.pictures.sheet import reconstruction_sheet
from sirjax.predictor import AlignedFace, Predictor, align_box, align_landmarks, align_points
from sirjax.reconstruction import FaceReconstruction, check_eye_distance
from sirjax.training.setup import load_run

MAX_PENDING_PIXELS = 60e6  # of photos that wait for a full batch: bounds the memory, about 180 MB
READ_AHEAD = 2  # photos decoded by a thread while the networks are busy
ALIGNERS = {"points": (align_points, (5, 2)), "landmarks": (align_landmarks, (68, 2)), "box": (align_box, (4,))}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="photos, or folders of photos")
    parser.add_argument("--checkpoint", required=True, type=Path, metavar="RUN", help="run directory, or .safetensors file")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument("--faces", choices=("all", "largest"), default="all", help="which faces of a photo")
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="crops read at once (default 8)")
    parser.add_argument(
        "--formats", default=",".join(FORMATS), metavar="LIST", help=f"of {','.join(FORMATS)} (default: all of them)"
    )
    parser.add_argument("--no-pictures", action="store_true", help="leave out the sheets and overlays")
    parser.add_argument(
        "--min-face-size",
        type=float,
        default=20,
        metavar="PX",
        help="side of the smallest face searched (default 20)",
    )
    parser.add_argument(
        "--search-side",
        type=int,
        default=1280,
        metavar="PX",
        help="photos with a longer side are searched for faces at this size; larger finds smaller faces (default 1280)",
    )
    parser.add_argument(
        "--given",
        type=Path,
        metavar="FILE",
        help='faces known beforehand, instead of detection: JSON {"a.jpg": [{"points": 5 x 2}], "b.jpg": '
        '[{"landmarks": 68 x 2}, {"box": [left, top, right, bottom]}]}',
    )
    parser.add_argument(
        "--center-if-none", action="store_true", help="where no face is found, take the middle of the photo for one"
    )
    parser.add_argument(
        "--eye-distance-mm", type=float, metavar="MM", help="true distance of the pupils: makes the meshes metric"
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=MAX_MEGAPIXELS, metavar="MP", help="larger photos are refused (100)"
    )
    parser.add_argument("--allow-failures", action="store_true", help="exit with 0 even if some photos gave no face")
    parser.add_argument("--backend", default="auto", help="rendering backend of the pictures (see sirjax doctor)")


def run(args: argparse.Namespace) -> int:
    """Reconstructs all photos; returns the exit code.

    Raises:
      ValueError: for settings that make no sense.
      FileNotFoundError: if there is no photo or no run.
    """
    formats = parse_formats(args.formats)
    if args.eye_distance_mm is not None:
        check_eye_distance(args.eye_distance_mm)
    given = read_given(args.given) if args.given else None
    photos = list_photos(args.photos)
    if not photos:
        raise FileNotFoundError(f"no photos in {', '.join(map(str, args.photos))}: name files or folders with photos")
    trained = load_run(args.checkpoint)
    detector = MTCNN(args.min_face_size, max_side=args.search_side)
    predictor = Predictor.of_run(trained, batch_size=args.batch, detector=detector)
    args.out.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with StatusTable(args.out) as table, tqdm(total=len(photos), unit="photo", desc="reconstruct") as progress:
        job = Job(predictor, table, args, formats, given, progress)
        for path, photo in read_ahead(photos, args.max_megapixels):
            job.take(path, photo)
        job.flush()
    report(job.counts, len(photos), time.perf_counter() - start, args.out)
    failed = sum(count for status, count in job.counts.items() if status != "ok")
    return 2 if failed and not args.allow_failures else 0


@dataclass
class Pending:
    """A photo whose faces wait for the networks."""

    path: Path
    photo: Photo
    faces: list[AlignedFace]


@dataclass
class Job:
    """Collects faces until a batch is full, reads them together and writes the results of each photo."""

    predictor: Predictor
    table: StatusTable
    args: argparse.Namespace
    formats: tuple[str, ...]
    given: dict[str, list[dict]] | None
    progress: Any
    counts: Counter = field(default_factory=Counter)  # faces that are ok; photos that failed, by status
    pending: list[Pending] = field(default_factory=list)

    def take(self, path: Path, photo: Photo | PhotoError) -> None:
        """Finds the faces of a photo, and reads a batch if it is full."""
        if isinstance(photo, PhotoError):
            self._fail(path, photo.status, str(photo))
            return
        height, width = photo.image.shape[:2]
        try:
            faces = self._find(path, photo)
        except Exception as error:
            self._fail(path, "error", f"{type(error).__name__}: {error}", width=width, height=height)
            return
        if not faces:
            self._fail(path, "no_face", self._why_none(photo), width=width, height=height)
            return
        self.pending.append(Pending(path, photo, faces))
        pixels = sum(item.photo.image.size / 3 for item in self.pending)
        if sum(len(item.faces) for item in self.pending) >= self.args.batch or pixels > MAX_PENDING_PIXELS:
            self.flush()

    def flush(self) -> None:
        """Reads all pending faces and writes their results."""
        pending, self.pending = self.pending, []
        faces = iter(self.predictor.reconstruct_aligned([face for item in pending for face in item.faces]))
        for item in pending:
            own = [next(faces) for _ in item.faces]
            height, width = item.photo.image.shape[:2]
            try:
                rows = self._write(item, own)
            except Exception as error:  # a full disk must not take the other photos' rows along
                self._fail(item.path, "error", f"{type(error).__name__}: {error}", width=width, height=height)
                continue
            self.table.add(item.path, rows)
            self.counts["ok"] += len(rows)
            self.progress.update()

    def _find(self, path: Path, photo: Photo) -> list[AlignedFace]:
        if self.given is None:
            return self.predictor.find_faces(photo.image, self.args.faces, center_if_none=self.args.center_if_none)
        known = next((self.given[name] for name in (str(path), path.name) if name in self.given), [])
        return [
            ALIGNERS[kind][0](photo.image, np.asarray(value, np.float32))
            for face in known
            for kind, value in face.items()
        ]

    def _why_none(self, photo: Photo) -> str:
        if self.given is not None:
            return f"{self.args.given} gives no face for this photo"
        reduced = max(1.0, max(photo.image.shape) / self.args.search_side)
        smallest = round(self.args.min_face_size * reduced)
        remedy = "--search-side" if reduced > 1 else "--min-face-size"
        return f"no face of at least {smallest} pixels found; change {remedy}, or tell where it is with --given"

    def _write(self, item: Pending, faces: list[FaceReconstruction]) -> list[Row]:
        if self.args.eye_distance_mm is not None:
            faces = [face.with_eye_distance(self.args.eye_distance_mm) for face in faces]
        folder = self.table.folder_for(item.path)
        folder.mkdir(exist_ok=True)
        face_model, metadata = self.predictor.face_model, self.predictor.metadata
        provenance = Provenance(
            face_model_fingerprint=metadata["face_model"],
            photo=key(item.path),
            run=f"{self.args.checkpoint}, step {metadata['step']}",
            licence=metadata["face_model_licence"],
        )
        for stale in folder.glob("face[0-9]*"):  # of an earlier run that found more faces
            stale.unlink()
        pictures = [] if self.args.no_pictures else draw_pictures(item, faces, face_model, self.args.backend)
        for name, picture in pictures:
            write_image(folder / name, picture)
        rows = []
        for i, face in enumerate(faces):
            write_face(folder, f"face{i}", face, face_model, provenance, self.formats)
            rows.append(_face_row(i, face, folder.name, item.photo))
        return rows

    def _fail(self, path: Path, status: str, message: str, **known: object) -> None:
        message = message.removeprefix(f"{path}: ")
        self.table.add(path, [{"status": status, "message": message, **known}])
        self.counts[status] += 1
        self.progress.write(f"{status}: {path}: {message}", file=sys.stderr)
        self.progress.update()


def draw_pictures(
    item: Pending, faces: list[FaceReconstruction], face_model: FaceModel, backend: str
) -> Iterator[tuple[str, UInt8[np.ndarray, "_ _ 3"]]]:
    """File names and pictures: the photo with all faces drawn in, and a sheet for each face."""
    image = item.photo.image
    drawings = [render_in_photo(face, face_model, image.shape[:2], backend=backend) for face in faces]
    yield "overlay.jpg", overlay(image, drawings[::-1])  # the largest face, the first, on top
    for i, (face, drawing) in enumerate(zip(faces, drawings, strict=True)):
        title = f"{item.path.name}, face {i}"
        sheet = reconstruction_sheet(image, face, face_model, drawing=drawing, title=title, backend=backend)
        yield f"face{i}_sheet.png", sheet


def read_ahead(photos: list[Path], max_megapixels: float) -> Iterator[tuple[Path, Photo | PhotoError]]:
    """Reads photos in order, a few ahead of the consumer, in a thread (OpenCV decodes without Python's lock)."""

    def read(path: Path) -> Photo | PhotoError:
        try:
            return read_photo(path, max_megapixels=max_megapixels)
        except PhotoError as error:
            return error

    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[tuple[Path, Future]] = deque()
        for path in photos:
            waiting.append((path, pool.submit(read, path)))
            if len(waiting) > READ_AHEAD:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()


def parse_formats(text: str) -> tuple[str, ...]:
    """The formats of a comma-separated list.

    Raises:
      ValueError: if one is unknown.
    """
    formats = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    unknown = [word for word in formats if word not in FORMATS]
    if unknown or not formats:
        raise ValueError(f"--formats {text!r}: give some of {','.join(FORMATS)}, separated by commas")
    return formats


def read_given(path: Path) -> dict[str, list[dict]]:
    """The faces known beforehand; see --given.

    Raises:
      ValueError: if the file does not hold what --given describes.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        for photo, faces in given.items():
            for face in faces:
                ((kind, value),) = face.items()
                shape = np.asarray(value, np.float32).shape
                if shape != ALIGNERS[kind][1]:
                    raise ValueError(f"{kind} of {photo} have shape {shape}, not {ALIGNERS[kind][1]}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kinds = ", ".join(f'{{"{kind}": {" x ".join(map(str, shape))}}}' for kind, (_, shape) in ALIGNERS.items())
        raise ValueError(f"{path}: {error}; --given wants JSON {{photo: [face, ...]}} with faces of {kinds}") from None
    return given


def align_given(photo: Photo, face: dict) -> AlignedFace:
    """A face of --given: {kind: numbers}."""
    ((kind, value),) = face.items()
    align, _ = ALIGNERS[kind]
    return align(photo.image, np.asarray(value, np.float32))


def report(counts: Counter, num_photos: int, seconds: float, out: Path) -> None:
    """One line about the whole run."""
    failures = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if status != "ok")
    print(
        f"{num_photos} photos, {counts['ok']} faces reconstructed{'; ' + failures if failures else ''}; "
        f"{num_photos / seconds:.2f} photos/s; results and status.csv in {out}"
    )


def _face_row(number: int, face: FaceReconstruction, folder: str, photo: Photo) -> Row:
    sides = ("left", "top", "right", "bottom")
    box = {side: round(float(value), 1) for side, value in zip(sides, face.box, strict=True) if np.isfinite(value)}
    score = {"score": round(face.score, 4)} if np.isfinite(face.score) else {}
    height, width = photo.image.shape[:2]
    message = "; ".join([*photo.notes, *face.notes])
    return {
        "status": "ok",
        "face": number,
        "folder": folder,
        **box,
        **score,
        "width": width,
        "height": height,
        "message": message,
    }
