"""What the exports for benchmark toolkits share: reading photos, the check before anything is written, the picture."""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from sirjax.cli.exporting.photo_shapes import PhotoShape, read_shapes
from sirjax.cli.outputs import StatusTable
from sirjax.export.files import write_image
from sirjax.export.toolkit_mesh import Problem, Topology, check_meshes
from sirjax.morphable.model import FaceModel, neutral_vertices
from sirjax.pictures.draw import GREEN, PAPER, YELLOW, caption
from sirjax.pictures.views import FRONT, THREE_QUARTERS, clay_view, place_in_view
from sirjax.predictor import Predictor
from sirjax.training.setup import load_run

PICTURE = "landmarks.png"  # the mean face and the first prediction with the points that the toolkit gets
_CHUNK = 32  # meshes held at a time
_SIDE = 480  # pixels of a view


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what both exports take."""
    parser.add_argument("run_directory", type=Path, help="the --workdir of a training run")
    parser.add_argument("photos", type=Path, help="folder of the benchmark's photos")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the files")
    parser.add_argument("--batch", type=int, default=8, help="crops read at once (default: %(default)s)")
    parser.add_argument(
        "--center-if-none", action="store_true", help="where no face is found, take the middle of the photo for one"
    )
    parser.add_argument(
        "--allow-failures", action="store_true", help="write what there is, although photos or meshes have problems"
    )
    parser.add_argument("--backend", default="auto", help="rendering backend of the picture (see sirjax doctor)")


def predict(args: argparse.Namespace, photos: Sequence[Path]) -> tuple[FaceModel, list[PhotoShape]]:
    """The run's face model and its reading of the photos."""
    trained = load_run(args.run_directory)
    predictor = Predictor.of_run(trained, batch_size=args.batch)
    return trained.face_model, read_shapes(predictor, photos, center_if_none=args.center_if_none)


def meshes(
    model: FaceModel, topology: Topology, rows: Sequence[PhotoShape]
) -> Iterator[tuple[Sequence[PhotoShape], Float[np.ndarray, "N V 3"]]]:
    """The neutral meshes (mm) of the rows that have a shape, some at a time."""
    read = [(row, row.shape) for row in rows if row.shape is not None]
    for start in range(0, len(read), _CHUNK):
        part, shapes = zip(*read[start : start + _CHUNK], strict=True)
        vertices = neutral_vertices(model, jnp.asarray(np.stack(shapes)))
        yield part, np.asarray(vertices, np.float64)[:, topology.kept]


def check(
    model: FaceModel, topology: Topology, rows: Sequence[PhotoShape], name_of: Callable[[PhotoShape], str]
) -> list[Problem]:
    """Everything wrong with photos and meshes."""
    problems = []
    failed = [row for row in rows if row.shape is None]
    if failed:
        first = failed[0]
        problems.append(
            Problem(
                f"{len(failed)} of {len(rows)} photos gave no mesh, the first is {first.path} ({first.status}: "
                f"{first.message})",
                "the toolkit would compute its figures without them; mend the photos, or add --allow-failures",
            )
        )
    for part, vertices in meshes(model, topology, rows):
        problems += check_meshes([name_of(row) for row in part], vertices, topology)
    return problems


def settle(problems: Sequence[Problem], *, allow: bool) -> bool:
    """Prints the problems; whether files may be written."""
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    if problems and not allow:
        print(f"{len(problems)} problems: nothing was written (--allow-failures writes all the same)", file=sys.stderr)
    return allow or not problems


def check_target(out: Path) -> None:
    """Refuses a folder that holds something: files of another export must not be taken for this one's.

    Raises:
      FileExistsError: if there is something in it.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} exists and is not empty: name a new folder, or empty it")


def write_status(out: Path, rows: Sequence[PhotoShape], name_of: Callable[[PhotoShape], str]) -> None:
    """OUT/status.csv and .jsonl: a row for each photo."""
    with StatusTable(out) as table:
        for row in rows:
            written = name_of(row) if row.shape is not None else ""
            table.add(row.path, [{"status": row.status, "folder": written, "message": row.message}])


def write_picture(
    path: Path,
    model: FaceModel,
    rows: Sequence[PhotoShape],
    points_of: Callable[[Float[np.ndarray, "V 3"]], Float[np.ndarray, "K 3"]],
    numbers: Sequence[int | None],
    backend: str,
) -> None:
    """The mean face and the first prediction from two sides, with the toolkit's points numbered: look at it.

    Args:
      path: the file.
      model: the face model.
      rows: the photos; the first one with a shape is drawn.
      points_of: the points (mm) on the vertices of the face model.
      numbers: what the points are called; None for one that is a small dot without a number.
      backend: see `sirjax.render.rasterize`.
    """
    faces = [("mean face", np.asarray(model.mean))]
    shown = next((row for row in rows if row.shape is not None), None)
    if shown is not None and shown.shape is not None:
        faces.append((shown.path.name, np.asarray(neutral_vertices(model, jnp.asarray(shown.shape)[None]))[0]))
    strips = []
    for name, vertices in faces:
        views = [
            _with_points(
                clay_view(model, vertices, yaw, size=_SIDE, backend=backend),
                place_in_view(model, points_of(vertices), yaw, _SIDE),
                numbers,
            )
            for yaw in (FRONT, THREE_QUARTERS)
        ]
        strips += [np.hstack(views), caption(name, 2 * _SIDE, background=PAPER)]
    write_image(path, np.vstack(strips))


def _with_points(
    view: UInt8[np.ndarray, "H W 3"], places: Float[np.ndarray, "K 3"], numbers: Sequence[int | None]
) -> UInt8[np.ndarray, "H W 3"]:
    canvas = view.copy()
    for (u, v, _), number in zip(places.tolist(), numbers, strict=True):
        radius = 1 if number is None else 3
        cv2.circle(canvas, (round(u), round(v)), radius, GREEN, cv2.FILLED, cv2.LINE_AA)
        if number is None:
            continue
        where = (round(u) + 5, round(v) - 4)
        for color, thickness in (((40, 40, 40), 3), (YELLOW, 1)):  # a dark rim keeps it readable on clay
            cv2.putText(canvas, str(number), where, cv2.FONT_HERSHEY_SIMPLEX, 0.38, color, thickness, cv2.LINE_AA)
    return canvas
