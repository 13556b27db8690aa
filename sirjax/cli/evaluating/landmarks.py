"""Measure landmarks: a run or codes on records, or anybody's points beside true ones.

examples:
  sirjax evaluate landmarks runs/sir --records records/aflw2000 --out results/landmarks
  sirjax evaluate landmarks predicted/ --truth 300W/test --normalization eyes --out results/300w
  sirjax evaluate landmarks points.npy --truth true.npy --out results/mine

Errors are mean distances of the 68 points in percent of the size of the face (NME), in the pixels of the original
photos: by yaw as for AFLW2000-3D (where a poses.tsv lies beside the records, or --poses names one), by region, and by
three sizes of the face: box, sqrt(width x height) of the labels' box; eyes, between the outer corners of the eyes;
pupils, between the eye centers. Writes DIR/results.json and DIR/report.html. Docs: docs/evaluation.md.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from sirjax.cli.evaluating.landmark_inputs import Faces, read_faces
from sirjax.data.alignment import transform_points
from sirjax.evaluation import landmark_error
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.landmark_summary import LandmarkResult, evaluate_landmarks
from sirjax.files import write_text
from sirjax.pictures.draw import GREEN, Color, blank, draw_landmarks
from sirjax.report import Curve, Page, Picture, Pictures, Plot, Table, provenance

PREDICTED: Color = (255, 70, 60)
_PICTURE_HEIGHT = 336  # pixels
_SHOWN = 8  # worst faces, and as many around the median


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax evaluate landmarks`."""
    parser.add_argument(
        "predictions",
        type=Path,
        help="run or builtin, codes .npz, folder of .pts files, or array [N, 68, 2]",
    )
    parser.add_argument("--records", type=Path, help="records with landmarks")
    parser.add_argument("--truth", type=Path, help="folder of .pts files or array [N, 68, 2], instead of records")
    parser.add_argument("--poses", type=Path, metavar="FILE", help="table with the columns name and yaw (degrees)")
    parser.add_argument(
        "--normalization", choices=landmark_error.NORMALIZATIONS, default="box", help="main one (default: box)"
    )
    parser.add_argument(
        "--limit", type=float, default=8.0, metavar="PERCENT", help="end of the CED curve; above it a failure (8)"
    )
    parser.add_argument("--first-pixel", type=float, default=1.0, help="center of the first pixel in .pts files (1)")
    parser.add_argument("--batch", type=int, default=64, help="images read at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for results.json and report.html")


def run(args: argparse.Namespace) -> int:
    """Evaluates, prints a table and writes the results.

    Raises:
      ValueError: if predictions and labels do not belong together, or the limit is not positive.
    """
    if not args.limit > 0:
        raise ValueError(f"--limit must be a positive number of percent, got {args.limit:g}")
    faces = read_faces(
        args.predictions,
        records=args.records,
        truth=args.truth,
        poses=args.poses,
        first_pixel=args.first_pixel,
        batch_size=args.batch,
    )
    result = evaluate_landmarks(
        faces.predicted,
        faces.target,
        yaw=faces.yaw,
        group=faces.group,
        normalization=args.normalization,
        limit=args.limit / 100,
        seed=args.seed,
    )
    print(f"{result.protocol}\n")
    for name, count, figure in table_rows(result):
        print(f"{name:34} {'' if count is None else count:>6}  {figure}")
    if faces.missing:
        print(f"\n{len(faces.missing)} photos have labels but no prediction, such as {faces.missing[0]}: not counted")
    args.out.mkdir(parents=True, exist_ok=True)
    facts = provenance(**faces.source)
    figures = {
        "protocol": result.protocol,
        "figures": result.metrics(),
        "nme_of": dict(zip(faces.names, np.round(100 * result.errors, 4).tolist(), strict=True)),
        "missing": faces.missing,
        "provenance": facts,
    }
    write_text(args.out / "results.json", json.dumps(figures, indent=2) + "\n")
    build_page(faces, result, facts).write(args.out / "report.html")
    return 0


def table_rows(result: LandmarkResult) -> list[tuple[str, int | None, str]]:
    """Name, number of faces and figure of each line of the table."""
    rows: list[tuple[str, int | None, str]] = [("all", len(result.errors), percent(result.error))]
    rows.append(("median", None, f"{100 * result.median:.2f} %"))
    for yaw_bin in result.bins or []:
        rows.append((yaw_bin.name, yaw_bin.count, percent(yaw_bin.error) if yaw_bin.error else "no faces"))
    if result.mean_of_bins is not None:
        rows.append(("mean of the bins", None, percent(result.mean_of_bins)))
    rows += [(f"region: {name}", None, percent(interval)) for name, interval in result.regions.items()]
    rows += [(f"divided by: {name}", None, percent(interval)) for name, interval in result.by_normalization.items()]
    rows.append((f"area under CED to {result.limit:.0%}", None, percent(result.area)))
    rows.append((f"failures (above {result.limit:.0%})", None, percent(result.failures)))
    return rows


def percent(interval: Interval) -> str:
    """A fraction and its interval in percent."""
    return f"{100 * interval.mean:.2f} % [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def build_page(faces: Faces, result: LandmarkResult, facts: dict) -> Page:
    """The report: table, cumulative curve, worst and median faces."""
    page = Page(
        title="Landmarks",
        summary=f"Mean error {percent(result.error)}; {len(faces.missing)} photos not predicted. {result.protocol}.",
    )
    rows = table_rows(result)
    page.add(Table("Errors", ["", "faces", "NME [95 % interval]"], rows, caption=_READING))
    page.add(_curve(faces, result))
    worst, middle = result.order[::-1][:_SHOWN], _around_median(result)
    if any(faces.image_of(int(i)) is not None for i in worst[:1]):
        legend = "True points green, predicted points red."
        page.add(Pictures("Largest errors", _picture_rows(faces, result, worst), caption=legend))
        if len(result.order) >= 4 * _SHOWN:  # else they are the same faces again
            page.add(Pictures("Median errors", _picture_rows(faces, result, middle), caption=legend))
    page.add_provenance(facts)
    return page


_READING = (
    "NME: mean distance of the points in percent of the size of the face, in photo pixels. Intervals: whole people are "
    "drawn with replacement (single photos where nobody knows who they show). Mean of the bins: what is published for "
    "AFLW2000-3D."
)


def _curve(faces: Faces, result: LandmarkResult) -> Plot:
    curves = []
    parts = [("all", np.ones(len(result.errors), bool))]
    if faces.yaw is not None and result.bins is not None:
        place = landmark_error.yaw_bin(faces.yaw)
        parts += [(b.name, place == i) for i, b in enumerate(result.bins) if b.count]
    for name, own in parts:
        x, y = landmark_error.cumulative(result.errors[own], result.limit)
        curves.append(Curve(f"{name} ({own.sum()})", 100 * x, 100 * y))
    return Plot(
        "Cumulative errors",
        curves,
        x_label="NME, %",
        y_label="faces with at most that error, %",
        y_range=(0, 100),
    )


def _around_median(result: LandmarkResult) -> np.ndarray:
    start = max(0, len(result.order) // 2 - _SHOWN // 2)
    return result.order[start : start + _SHOWN]


def _picture_rows(faces: Faces, result: LandmarkResult, members: np.ndarray) -> list[list[Picture]]:
    pictures = [Picture(draw(faces, int(i)), f"{faces.names[i]}: {100 * result.errors[i]:.2f} %") for i in members]
    return [pictures[k : k + 4] for k in range(0, len(pictures), 4)]


def draw(faces: Faces, index: int) -> UInt8[np.ndarray, "H W 3"]:
    """A face with its true points (green) and the predicted ones (red), enlarged or reduced to one height."""
    both = np.concatenate([faces.predicted[index], faces.target[index]])
    found = faces.image_of(index)
    if found is None:
        found = blank(64, 64), np.eye(2, 3)
    image, matrix = found
    points = transform_points(matrix, both)
    if image.shape[0] > _PICTURE_HEIGHT:  # a whole photo: cut the face out
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.25 * (high - low).max()
        left, top = np.maximum(np.floor(low - margin), 0).astype(int)
        right, bottom = np.ceil(high + margin).astype(int) + 1
        image, points = image[top:bottom, left:right], points - [left, top]
    scale = _PICTURE_HEIGHT / image.shape[0]
    size = (max(1, round(image.shape[1] * scale)), _PICTURE_HEIGHT)
    canvas = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    points = (points + 0.5) * scale - 0.5
    canvas = draw_landmarks(canvas, points[68:], color=GREEN)
    return draw_landmarks(canvas, points[:68], color=PREDICTED)
