"""Florence 2D/3D faces (MICC): scans of 53 people and three videos of each, to measure shapes against.

    subject_01/Model/frontal1/obj/110920150452.obj     scans, millimeters; frontal1, frontal2, sider, sidel, also .wrl
    subject_01/Video/Indoor-Cooperative.mjpg           also PTZ-Indoor, PTZ-Outdoor; .mjpg, .mjpeg, .mpg, .avi, ...
    subject_01/PTZ-Outdoor/*.jpg                       or the frames of a video, extracted by the user

From every video a fixed number of frames is drawn by a seed. Scans do not become samples: `scans.tsv` beside the
records lists them by person, relative to the data set's folder, each with its SHA-256.

The data, by request: https://www.micc.unifi.it/resources/datasets/florence-3d-faces/ (A. Bagdanov et al., 2011).
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np

from data_prep.raw_files import find_folder, read_bytes
from data_prep.source import Entry, RawImage, Rejected
from data_prep.video import VIDEO_SUFFIXES, VideoFrames, frame_places
from sirjax.photo import SUFFIXES

PAGE = "https://www.micc.unifi.it/resources/datasets/florence-3d-faces/"
LICENCE = "Florence 2D/3D faces: for research, by request; see " + PAGE
SETTINGS = ("Indoor-Cooperative", "PTZ-Indoor", "PTZ-Outdoor")
SCANS_FILE = "scans.tsv"
_VIDEO_FOLDERS = ("Video", "Videos", ".")


class MICC:
    """Frames of one or more of the three videos of every subject."""

    def __init__(
        self,
        root: str | Path,
        *,
        settings: tuple[str, ...] = ("PTZ-Outdoor",),
        frames_per_video: int = 100,
        seed: int = 0,
    ):
        """Looks for the subjects.

        Args:
          root: the folder of subject_01, subject_02, ...
          settings: which videos; the paper takes the outdoor ones.
          frames_per_video: how many frames of each, drawn without repetition (all of a shorter video).
          seed: another seed, other frames.

        Raises:
          FileNotFoundError: if there are no subjects.
          ValueError: for an unknown setting or fewer frames than one.
        """
        unknown = [setting for setting in settings if setting not in SETTINGS]
        if unknown or not settings:
            raise ValueError(f"settings must be some of {', '.join(SETTINGS)}, got {', '.join(unknown) or 'none'}")
        if frames_per_video < 1:
            raise ValueError(f"frames_per_video must be 1 or more, got {frames_per_video}")
        self.root = find_folder(Path(root), ["subject_*"], "the Florence data set", PAGE, nested=("Florence",))
        self.settings, self.frames_per_video, self.seed = tuple(settings), frames_per_video, seed
        self._video = VideoFrames()
        self.parameters = {
            "preparer": "micc",
            "settings": list(settings),
            "frames_per_video": frames_per_video,
            "seed": seed,
            "licence": LICENCE,
        }

    def entries(self) -> list[Entry]:
        """The drawn frames. A video without frames is one entry with its own name, rejected when it is read."""
        entries = []
        for subject in self._subjects():
            for setting in self.settings:
                entries += self._drawn(subject, setting)
        if all(not entry.where for entry in entries):
            raise FileNotFoundError(f"{self.root} holds no video of {', '.join(self.settings)}: unpack it from {PAGE}")
        return sorted(entries, key=lambda entry: entry.name)

    def read(self, entry: Entry) -> RawImage:
        """One frame: `where` is (file, ) for an image, else (file, place of the frame in it)."""
        if not entry.where:
            raise Rejected(f"{entry.name} has no video and no frames")
        file, *place = entry.where
        if not place:
            return RawImage(data=read_bytes(self.root / file, file))
        frame = self._video.read(self.root / file, tuple(place))
        return RawImage(data=frame) if isinstance(frame, bytes) else RawImage(pixels=frame)

    def side_files(self) -> dict[str, str]:
        """`scans.tsv`: person, kind (the scan's folder), file relative to the data set, SHA-256."""
        lines = ["identity\tkind\tfile\tsha256"]
        for subject in self._subjects():
            model = subject / "Model"
            for path in sorted(path for suffix in ("*.obj", "*.wrl") for path in model.rglob(suffix)):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                file = path.relative_to(self.root).as_posix()
                lines.append(f"{subject.name}\t{path.relative_to(model).parts[0]}\t{file}\t{digest}")
        return {SCANS_FILE: "\n".join(lines) + "\n"}

    def _subjects(self) -> list[Path]:
        return sorted(path for path in self.root.glob("subject_*") if path.is_dir())

    def _drawn(self, subject: Path, setting: str) -> list[Entry]:
        """The frames of one video that the seed picks."""
        places = self._places(subject, setting)
        name = f"{subject.name}/{setting}"
        if not places:
            return [Entry(name, subject.name)]
        # The person's and the video's name seed the draw, so that it does not depend on what else is there.
        digest = hashlib.sha256(f"{self.seed} {name}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
        drawn = rng.permutation(len(places))[: self.frames_per_video]
        return [Entry(f"{name}/{index:06d}.jpg", subject.name, places[index]) for index in sorted(drawn.tolist())]

    def _places(self, subject: Path, setting: str) -> list[tuple]:
        """Where every frame of a video is: extracted images if there are any, else the video file."""
        for folder in (subject / below / setting for below in _VIDEO_FOLDERS):
            images = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
            if images:
                return [(path.relative_to(self.root).as_posix(),) for path in images]
        for folder in (subject / below for below in _VIDEO_FOLDERS):
            files = sorted(path for path in folder.glob(f"{setting}.*") if path.suffix.lower() in VIDEO_SUFFIXES)
            if files:
                return [(files[0].relative_to(self.root).as_posix(), *place) for place in frame_places(files[0])]
        return []


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what `from_arguments` reads."""
    parser.add_argument(
        "--settings", nargs="+", choices=SETTINGS, default=["PTZ-Outdoor"], help="which videos (default PTZ-Outdoor)"
    )
    parser.add_argument("--frames-per-video", type=int, default=100, help="frames drawn from each video (default 100)")
    parser.add_argument("--frame-seed", type=int, default=0, help="another seed, other frames (default 0)")


def from_arguments(args: argparse.Namespace) -> MICC:
    """The source that the command line asks for."""
    return MICC(args.raw, settings=tuple(args.settings), frames_per_video=args.frames_per_video, seed=args.frame_seed)
