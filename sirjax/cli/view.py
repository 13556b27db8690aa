"""Show reconstructed faces on one page: photo and overlay, mesh to turn, norm slider, two faces compared.

examples:
  sirjax view
  sirjax view faces --photos holiday/ --out holiday.html
  sirjax view faces --truth scans/

DIR is what `sirjax reconstruct --out DIR` wrote. The page is one file that opens from the disk and loads nothing; the
photos are in it, cut around the face. Of the face model it carries these faces' meshes only; its licence is in the
footer: if the model is restricted, so is the page. Docs: docs/reconstruct.md.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sirjax.cli.viewing.faces import StoredFace, distances, face_model_of, read_folder, viewed
from sirjax.cli.viewing.truth import errors, find_truths
from sirjax.export.files import software
from sirjax.morphable.model import FaceModel
from sirjax.report.viewer import Viewer

MAX_FACES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument(
        "folder",
        nargs="?",
        default=Path("faces"),
        type=Path,
        metavar="DIR",
        help="folder that sirjax reconstruct wrote (default: faces)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page (default: DIR/view.html)")
    parser.add_argument(
        "--face-model", type=Path, metavar="FILE", help="face model of the faces; the built-in one is found by itself"
    )
    parser.add_argument("--photos", type=Path, metavar="DIR", help="where the photos lie now, if they were moved")
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="true shapes as meshes or scans in mm, frontal, named as the photos",
    )
    parser.add_argument("--max-faces", type=int, default=MAX_FACES, metavar="N", help="only the first N (default 60)")
    parser.add_argument("--title", help="heading (default: the name of DIR)")


def run(args: argparse.Namespace) -> None:
    """Writes the page.

    Raises:
      FileNotFoundError: if DIR holds no reconstructed face.
      ValueError: if a file is damaged, or faces do not belong to the face model.
    """
    if args.max_faces < 1:
        raise ValueError(f"--max-faces must be at least 1, got {args.max_faces}")
    found = read_folder(args.folder)
    stored = found[: args.max_faces]
    model = face_model_of(stored, args.face_model)
    truths = find_truths(args.truth, stored) if args.truth else {}
    page = build(stored, model, args.title or args.folder.resolve().name, args.photos, truths)
    path = args.out or args.folder / "view.html"
    page.write(path)
    if len(found) > len(stored):
        print(f"only the first {len(stored)} of {len(found)} faces; --max-faces shows more", file=sys.stderr)
    print(f"{len(stored)} faces, {path.stat().st_size / 1e6:.1f} MB: {path}")


def build(
    stored: list[StoredFace],
    model: FaceModel,
    title: str,
    photos: Path | None = None,
    truths: Mapping[str, Path] | None = None,
) -> Viewer:
    """The page of some faces of one face model."""
    faces = []
    for face in stored:
        truth = (truths or {}).get(face.folder)
        faces.append(viewed(face, model, photos, None if truth is None else errors(face, model, truth)))
    return Viewer(
        title=title,
        faces=faces,
        mean=np.asarray(model.mean),
        triangles=np.asarray(model.triangles),
        modes=model.num_shape,
        distances=distances(stored, [face.neutral for face in faces]),
        origin=_origin(stored, model),
    )


def _origin(stored: list[StoredFace], model: FaceModel) -> dict[str, object]:
    """The footer: names, and no path of this machine."""
    runs = sorted({face.text("run").replace("\\", "/").rsplit("/", 1)[-1] for face in stored} - {""})
    return {
        "Face model": f"{model.name}; licence: {model.licence or 'not stated'}",
        "Weights": "; ".join(runs),
        "Licence of the meshes": "; ".join(sorted({face.text("licence") for face in stored} - {""})) or "not stated",
        "Photos": "belong to their owners; this page holds the parts around the faces",
        "Sizes": "millimeters of an average head: one photo does not tell the true size",
        "Made with": software(),
    }
