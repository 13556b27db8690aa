"""Reconstruct the faces of photos and videos: meshes, landmarks, overlays and all coefficients.

examples:
  sirjax reconstruct portrait.jpg
  sirjax reconstruct portrait.jpg --checkpoint runs/sir --out faces
  sirjax reconstruct anna/ --checkpoint runs/sir --out faces --same-person --use-fused
  sirjax reconstruct talk.mp4 --checkpoint runs/sir --out faces --every 2
  sirjax reconstruct photos/ 'more/**/*.png' --checkpoint runs/sir --out faces --faces largest --formats glb,npz

For every face of every photo, DIR/<photo>/ receives faceN_neutral and faceN_posed (.obj with .mtl and .png, .ply,
.glb), faceN.npz (all coefficients, cameras, landmarks, the crop transform), faceN_sheet.png (one picture that shows it
all), and the photo with its faces drawn in as overlay.jpg. DIR/status.csv and DIR/status.jsonl have a row for every
photo and face: ok, no_face, missing, unreadable, too_large or error; with --csv or --jsonl also its coefficients, pose
and landmarks. A video's folder has frames.jsonl, overlay.mp4 and its people's fused shapes. Docs: docs/reconstruct.md.

Exit code: 0 if every photo gave a face, 2 if some did not (0 with --allow-failures), 1 if nothing could start.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

from sirjax.cli.reconstructing.camera import check_display, watch
from sirjax.cli.reconstructing.face_table import KINDS
from sirjax.cli.reconstructing.inputs import find_inputs, read_given
from sirjax.cli.reconstructing.photos import reconstruct_photos
from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.session import Session
from sirjax.cli.reconstructing.stream import Search
from sirjax.cli.reconstructing.video_job import VideoSettings
from sirjax.cli.reconstructing.videos import is_video, reconstruct_videos
from sirjax.cli.reconstructing.writing import MAPS, TEXTURES, FaceWriter, Outputs
from sirjax.export.maps import FILES
from sirjax.export.mesh_files import FORMATS
from sirjax.networks.mtcnn import MTCNN
from sirjax.photo import MAX_MEGAPIXELS
from sirjax.predictor import Predictor
from sirjax.reconstruction import check_eye_distance
from sirjax.render.backends import here
from sirjax.training.setup import load_run
from sirjax.training.weights import SHIPPED, shipped_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "photos", nargs="*", type=Path, metavar="PHOTO", help="photos, folders of photos, patterns, videos"
    )
    parser.add_argument(
        "--checkpoint",
        default=Path(SHIPPED),
        type=Path,
        metavar="RUN",
        help="run directory, or .safetensors file (default: builtin, the weights that come with sirjax)",
    )
    parser.add_argument(
        "--out", default=Path("faces"), type=Path, metavar="DIR", help="folder for the results (default: faces)"
    )
    parser.add_argument(
        "--faces", choices=("all", "largest"), help="which faces (default: all of a photo, the largest of a video)"
    )
    parser.add_argument("--batch", type=int, default=8, metavar="N", help="crops read at once (default 8)")
    parser.add_argument(
        "--formats", default=",".join(FORMATS), metavar="LIST", help=f"of {','.join(FORMATS)} (default: all of them)"
    )
    parser.add_argument(
        "--csv", action="store_true", help="also write faces.csv: coefficients, pose and landmarks of every face"
    )
    parser.add_argument("--jsonl", action="store_true", help="the same as faces.jsonl, one JSON object a line")
    parser.add_argument(
        "--texture",
        choices=TEXTURES,
        default="albedo",
        help="colors of the meshes: predicted albedo (default), or the photo where it shows the face",
    )
    parser.add_argument(
        "--maps", default="", metavar="LIST", help=f"of {','.join(MAPS)}: in the pixels of the crop and of the photo"
    )
    parser.add_argument("--map-files", choices=FILES, default="png", help="16-bit PNG (default), or NumPy's .npy")
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
    parser.add_argument(
        "--same-person",
        action="store_true",
        help="all photos show one person (the largest face of each): fuse it",
    )
    parser.add_argument(
        "--person-from",
        choices=("folder",),
        help="each folder shows one person, named as the folder: fuse each",
    )
    parser.add_argument(
        "--use-fused", action="store_true", help="give each face its person's fused shape (reads every photo twice)"
    )
    add_video_arguments(parser)
    parser.add_argument("--profile", action="store_true", help="print the seconds of each part of the work")


def add_video_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what only videos and cameras have."""
    group = parser.add_argument_group("videos and cameras")
    group.add_argument("--every", type=int, default=1, metavar="N", help="read every Nth frame (default 1)")
    group.add_argument("--max-frames", type=int, metavar="N", help="read at most N frames")
    group.add_argument(
        "--smooth",
        type=float,
        default=1.0,
        metavar="S",
        help="smoothing of pose and expression; 0: none",
    )
    group.add_argument("--sequence", action="store_true", help="also write the posed mesh of every frame")
    group.add_argument("--camera", type=int, metavar="N", help="show the face in front of camera N in a window")


def run(args: argparse.Namespace) -> int:
    """Reconstructs all photos; returns the exit code.

    Raises:
      ValueError: for settings that make no sense.
      FileNotFoundError: if there is no photo or no run.
    """
    outputs, search = read_outputs(args), read_search(args)
    if args.use_fused and not (args.same_person or args.person_from):
        raise ValueError("--use-fused needs --same-person or --person-from folder: they say whose photos are fused")
    videos = VideoSettings(args.every, args.max_frames, args.smooth, args.faces == "all", args.sequence)
    if args.camera is not None:
        check_display()
        predictor = open_predictor(args)
        watch(args.camera, predictor, smooth=args.smooth, backend=here(args.backend), max_frames=args.max_frames)
        return 0
    inputs = find_inputs(args.photos)
    if not inputs:
        raise FileNotFoundError(f"no photos in {', '.join(map(str, args.photos))}: name files or folders with photos")
    session = open_session(args, outputs, search)
    counts, start = Counter(), time.perf_counter()
    photos = [path for path in inputs if not is_video(path)]
    if photos:
        grouping = "same-person" if args.same_person else args.person_from
        counts = reconstruct_photos(photos, session, grouping=grouping, use_fused=args.use_fused)
        report(counts, len(photos), "photos", time.perf_counter() - start, args.out)
    if len(photos) < len(inputs):
        begin = time.perf_counter()
        own, frames = reconstruct_videos([path for path in inputs if is_video(path)], session, videos)
        report(own, frames, "frames", time.perf_counter() - begin, args.out)
        counts += own
    if args.profile:
        print(session.profile.text(time.perf_counter() - start))
    failed = sum(count for status, count in counts.items() if status != "ok")
    return 2 if failed and not args.allow_failures else 0


def read_outputs(args: argparse.Namespace) -> Outputs:
    """What is to be written.

    Raises:
      ValueError: for an unknown format or an impossible eye distance.
    """
    if args.eye_distance_mm is not None:
        check_eye_distance(args.eye_distance_mm)
    return Outputs(
        formats=parse_list("--formats", args.formats, FORMATS),
        pictures=not args.no_pictures,
        backend=here(args.backend),
        eye_distance_mm=args.eye_distance_mm,
        texture=args.texture,
        maps=parse_list("--maps", args.maps, MAPS) if args.maps else (),
        map_files=args.map_files,
    )


def read_search(args: argparse.Namespace) -> Search:
    """How faces are looked for.

    Raises:
      ValueError: if the file of given faces is not one.
    """
    return Search(
        which=args.faces or "all",
        center_if_none=args.center_if_none,
        given=read_given(args.given) if args.given else None,
        given_name=str(args.given),
        min_face_size=args.min_face_size,
        search_side=args.search_side,
    )


def open_session(args: argparse.Namespace, outputs: Outputs, search: Search) -> Session:
    """Loads the run and the detector, and makes the folder of the results."""
    predictor = open_predictor(args)
    args.out.mkdir(parents=True, exist_ok=True)
    profile = Profile()
    writer = FaceWriter(predictor, str(args.checkpoint), outputs, profile)
    tables = tuple(kind for kind in KINDS if getattr(args, kind))
    return Session(predictor, search, writer, profile, args.out, tables, args.max_megapixels)


def open_predictor(args: argparse.Namespace) -> Predictor:
    """Loads the run and the detector."""
    trained = load_run(args.checkpoint)
    if str(args.checkpoint) == SHIPPED:
        print(f"weights: {shipped_words()}")
    detector = MTCNN(args.min_face_size, max_side=args.search_side)
    return Predictor.of_run(trained, batch_size=args.batch, detector=detector)


def parse_list(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """The words of a comma-separated list.

    Raises:
      ValueError: if one is unknown, or there is none.
    """
    words = tuple(word.strip().lower() for word in text.split(",") if word.strip())
    if not words or set(words) - set(known):
        raise ValueError(f"{option} {text!r}: give some of {','.join(known)}, separated by commas")
    return words


def report(counts: Counter, number: int, kind: str, seconds: float, out: Path) -> None:
    """One line about all photos, or all frames of videos."""
    failures = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()) if status != "ok")
    print(
        f"{number} {kind}, {counts['ok']} faces reconstructed{'; ' + failures if failures else ''}; "
        f"{number / seconds:.2f} {kind}/s; results and status.csv in {out}"
    )
