"""A video in constant memory: frames -> faces -> tracks -> smoothed faces with the shape seen so far -> files.

OUT/<video>/ receives frames.jsonl (a line for each frame and face), overlay.mp4, for each face that was followed its
fused neutral shape (trackN_neutral.*, trackN.npz), and with `sequence` the posed mesh of every frame.
"""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from sirjax.cli.outputs import Row, key
from sirjax.cli.reconstructing.face_table import face_numbers
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.stream import Item, Search, read_faces
from sirjax.export.mesh import textured_mesh
from sirjax.export.mesh_files import write_mesh
from sirjax.export.person import write_track
from sirjax.morphable.model import landmarks_of, neutral_vertices
from sirjax.photo import Photo, PhotoHeader
from sirjax.pictures.in_photo import overlay, render_in_photo
from sirjax.reconstruction import FaceReconstruction, eye_distance_of
from sirjax.video.frames import VideoFile, VideoWriter
from sirjax.video.tracking import Lead, Track, Tracker, face_box

MAX_GAP_SECONDS = 1.0  # a face that is gone for longer is a new one when it comes back
MIN_FRAMES = 3  # in how many frames a face has to be seen to be written: the detector errs once in a while


@dataclass(frozen=True)
class VideoSettings:
    """How a video is read."""

    every: int = 1  # read every Nth frame
    max_frames: int | None = None  # read at most
    smooth: float = 1.0  # strength; 0 is off
    all_faces: bool = False  # else one face is followed, the largest
    sequence: bool = False  # write the posed mesh of every frame


@dataclass
class VideoJob:
    """Reads one video. Memory holds a batch of frames and a few numbers for each face in view."""

    path: Path
    folder: Path  # of the results, which exists
    session: Session
    settings: VideoSettings
    frames_read: int = 0
    size: tuple[int, int] = (0, 0)  # height and width
    written: list[Track] = field(default_factory=list)
    _lead: Lead = field(default_factory=Lead)

    def run(self) -> list[Row]:
        """Writes everything; returns the rows of the status table, one for each face followed.

        Raises:
          VideoError: if the video cannot be read.
        """
        video = VideoFile(self.path)
        rate = video.rate / self.settings.every
        tracker = Tracker(max_gap=round(MAX_GAP_SECONDS * rate), smooth=self.settings.smooth)
        journal_path = self.folder / "frames.jsonl"
        unfinished = journal_path.with_name(f".{journal_path.name}.tmp")
        for stale in self.folder.glob("track[0-9]*"):
            stale.unlink()
        with unfinished.open("w", encoding="utf-8") as journal, VideoWriter(self.folder / "overlay.mp4", rate) as film:
            for place, (number, seconds, item) in enumerate(self._faces(video)):
                tracks, ended = tracker.update(item.faces, place)
                self._finish(ended)
                chosen = self._chosen(tracks, tracker.tracks)
                faces = [self._smoothed(item.faces[i], tracks[i], seconds) for i in chosen]
                self._write_frame(journal, film, item, number, seconds, [tracks[i].number for i in chosen], faces)
            self._finish(tracker.tracks)
        unfinished.replace(journal_path)
        return self._rows()

    def _faces(self, video: VideoFile) -> Iterator[tuple[int, float, Item]]:
        """Number, time and faces of each frame."""
        places: deque[tuple[int, float]] = deque()

        def frames() -> Iterator[tuple[Path, Photo]]:
            for frame in video.frames(every=self.settings.every, max_frames=self.settings.max_frames):
                places.append((frame.number, frame.seconds))
                height, width = frame.image.shape[:2]
                self.frames_read, self.size = self.frames_read + 1, (height, width)
                yield Path(f"frame {frame.number}"), Photo(frame.image, PhotoHeader("video", width, height), ())

        total = -(-video.num_frames // self.settings.every) or None
        if total and self.settings.max_frames:
            total = min(total, self.settings.max_frames)
        search = Search(which="all", center_if_none=self.session.search.center_if_none)
        stream = read_faces(frames(), self.session.predictor, search, self.session.profile)
        for item in tqdm(stream, total=total, unit="frame", desc=self.path.name):
            yield (*places.popleft(), item)

    def _smoothed(self, face: FaceReconstruction, track: Track, seconds: float) -> FaceReconstruction:
        face_model = self.session.predictor.face_model
        return self.session.writer.metric(track.smoother(face, seconds, face_model, track.shape.mean))

    def _write_frame(
        self,
        journal: IO[str],
        film: VideoWriter,
        item: Item,
        number: int,
        seconds: float,
        tracks: list[int],
        faces: list[FaceReconstruction],
    ) -> None:
        assert item.photo is not None
        outputs, face_model = self.session.writer.outputs, self.session.predictor.face_model
        image = item.photo.image
        for line in frame_lines(number, seconds, item, tracks, faces):
            journal.write(json.dumps(line, ensure_ascii=False) + "\n")
        if outputs.pictures:
            with self.session.profile.part("draw", len(faces)):
                size, backend = image.shape[:2], outputs.backend
                drawings = [render_in_photo(face, face_model, size, backend=backend) for face in faces]
                film.add(overlay(image, drawings[::-1]))
        if self.settings.sequence:
            with self.session.profile.part("write", len(faces)):
                for track, face in zip(tracks, faces, strict=True):
                    self._write_posed(f"frame{number:06d}_track{track}_posed", face)

    def _write_posed(self, name: str, face: FaceReconstruction) -> None:
        writer, face_model = self.session.writer, self.session.predictor.face_model
        mesh = textured_mesh(face_model, face.posed_vertices * (face.metric_scale or 1.0), face.albedo)
        comment = "camera frame of the video: x right, y up, z to the viewer; millimeters"
        provenance = writer.provenance(key(self.path))
        write_mesh(self.folder, name, mesh, face_model, provenance, writer.outputs.formats, comment=comment)

    def _chosen(self, tracks: list[Track], alive: list[Track]) -> list[int]:
        """Which faces of a frame count, by their place in `tracks`."""
        return list(range(len(tracks))) if self.settings.all_faces else self._lead.choose(tracks, alive)

    def _finish(self, ended: list[Track]) -> None:
        """Writes the tracks that are over, if they are no flash in the pan and were followed."""
        for track in ended:
            if track.frames >= MIN_FRAMES and (self.settings.all_faces or track.number in self._lead.followed):
                self._write_track(track)
                self.written.append(track)

    def _write_track(self, track: Track) -> None:
        writer, face_model = self.session.writer, self.session.predictor.face_model
        shape = track.shape.mean
        vertices = np.asarray(neutral_vertices(face_model, jnp.asarray(shape)[None])[0])
        distance = writer.outputs.eye_distance_mm
        eyes = eye_distance_of(np.asarray(landmarks_of(face_model, jnp.asarray(vertices)[None])[0]))
        write_track(
            self.folder,
            f"track{track.number}",
            shape,
            vertices,
            track.albedo.mean,
            face_model,
            writer.provenance(key(self.path)),
            writer.outputs.formats,
            spread_mm=track.spread_mm(face_model),
            frames=(track.first_frame, track.last_frame, track.frames),
            metric_scale=None if distance is None else distance / eyes,
        )

    def _rows(self) -> list[Row]:
        height, width = self.size
        known = {"width": width, "height": height}
        if not self.written:
            return [{"status": "no_face", "message": f"no face in {self.frames_read} frames", **known}]
        face_model = self.session.predictor.face_model
        return [
            {
                "status": "ok",
                "face": track.number,
                "folder": self.folder.name,
                "message": f"in {track.frames} of {self.frames_read} frames read, whose shapes differ by "
                f"{track.spread_mm(face_model):.2f} mm",
                **known,
            }
            for track in self.written
        ]


def frame_lines(
    number: int, seconds: float, item: Item, tracks: list[int], faces: list[FaceReconstruction]
) -> Iterator[dict[str, Any]]:
    """A line for each face of a frame, or one that says that there is none. Shapes are in trackN.npz."""
    place = {"frame": number, "seconds": round(seconds, 4)}
    if not faces:
        status = item.status if item.status != "ok" else "no_face"
        yield {**place, "status": status, "message": item.message}
    for track, face in zip(tracks, faces, strict=True):
        numbers = face_numbers(face)
        del numbers["shape"]
        box = [round(float(side), 1) for side in face_box(face)]
        yield {**place, "status": "ok", "track": track, "box": box, **numbers}
