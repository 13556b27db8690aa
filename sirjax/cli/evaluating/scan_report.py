"""The page of `sirjax evaluate scans`: table, cumulative curves, error maps to turn, the worst cases, what failed."""

import numpy as np

from sirjax.cli.evaluating.scan_jobs import Case, Options, compare
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.scan_summary import CED, KINDS, STATISTICS, Measured, ScanSummary, tip_is_doubtful
from sirjax.report import Curve, Meshes, MeshView, Page, Plot, Table

_WORST = 20  # rows of the table
_LIMITS = (1.0, 2.0, 3.0, 5.0, 10.0)  # mm, ends of the color bar
_NAMES = {"rmse": "RMSE", "mean": "mean", "median": "median", "percentile_95": "95 % of points below"}


def table_rows(
    summary: ScanSummary, mean_face: ScanSummary | None = None, gain: Interval | None = None
) -> list[list[str]]:
    """A line for each figure: its name and its values to the plane, the surface and the vertex; a header first."""
    rows = [["", *(f"to {kind}, mm" for kind in KINDS)]]
    for statistic in STATISTICS:
        rows.append([_NAMES[statistic], *(text(summary.images[kind][statistic]) for kind in KINDS)])
    if mean_face is not None:
        rows.append(["mean face: RMSE", *(text(mean_face.images[kind]["rmse"]) for kind in KINDS)])
    if gain is not None:
        rows.append(["minus the mean face's", text(gain), "", ""])
    rows += [[f"all points: {name}", "", text(interval), ""] for name, interval in summary.points.items()]
    return rows


def text(interval: Interval) -> str:
    """A figure with its interval."""
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def build_page(
    cases: list[Case],
    options: Options,
    measured: dict[str, Measured],
    failures: dict[str, str],
    protocol: str,
    rows: list[list[str]],
    summary: ScanSummary,
    mean_face: ScanSummary | None,
) -> Page:
    """The report; the cases it shows as meshes are measured once more."""
    people = len({one.subject for one in measured.values()})
    page = Page(
        title="Shape error on scans",
        summary=(
            f"{protocol}. {len(measured)} images of {people} people, {len(failures)} not measured. RMSE to the plane "
            f"{text(summary.images['plane']['rmse'])} mm."
        ),
    )
    page.add(Table("Errors", ["figure", *rows[0][1:]], rows[1:], caption=_READING))
    page.add(_curves(summary, mean_face))
    order = sorted(measured.values(), key=lambda one: one.error["plane"].rmse)
    by_name = {case.name: case for case in cases}
    chosen = {"best": order[0], "middle": order[len(order) // 2], "worst": order[-1]}
    shown = {f"{rank}: {one.name}": by_name[one.name] for rank, one in chosen.items()}
    page.add(_maps(shown, options))
    worst = [
        [
            one.name,
            one.subject,
            *(round(one.error[kind].rmse, 3) for kind in KINDS),
            round(one.scale, 4),
            one.iterations,
            "doubtful" if tip_is_doubtful(one) else "",
        ]
        for one in order[::-1][:_WORST]
    ]
    columns = ["image", "person", *(f"RMSE to {kind}, mm" for kind in KINDS), "scale", "iterations", "nose tip"]
    page.add(Table("Largest errors", columns, worst))
    if failures:
        page.add(Table("Not measured", ["image", "reason"], [[name, reason] for name, reason in failures.items()]))
    return page


_READING = (
    "Distances of scan points to the prediction: along the normal of the closest triangle (plane), to the closest "
    "point of the surface, to the closest vertex. Means over images, with 95 % intervals from drawing whole people "
    "with replacement; in the last lines the points of all images are one heap, as in the NoW challenge."
)


def _curves(summary: ScanSummary, mean_face: ScanSummary | None) -> Plot:
    curves = [
        Curve("images, RMSE to plane", CED, 100 * summary.ced_images),
        Curve("points, distance to surface", CED, 100 * summary.ced_points),
    ]
    if mean_face is not None:
        curves += [
            Curve("mean face: images", CED, 100 * mean_face.ced_images),
            Curve("mean face: points", CED, 100 * mean_face.ced_points),
        ]
    return Plot("Cumulative errors", curves, x_label="error, mm", y_label="share below, %", y_range=(0, 100))


def _maps(shown: dict[str, Case], options: Options) -> Meshes:
    views, largest = [], 0.0
    for name, case in shown.items():
        pair = compare(case, options)
        error, (scan, _), (predicted, triangles) = pair.error, pair.scan, pair.prediction
        largest = max(largest, error.plane.percentile_95)
        center = scan[error.crop].mean(axis=0)
        index = np.full(len(scan), -1)
        index[error.crop] = np.arange(len(error.crop))
        turned = (scan[error.crop] - center[None]) @ error.alignment.rotation  # upright as the prediction is
        moved = (error.alignment.apply(predicted) - center[None]) @ error.alignment.rotation
        views.append(MeshView(name, turned, index[error.crop_triangles], values=error.plane_distance))
        near = np.linalg.norm(moved, axis=1) <= 1.3 * np.linalg.norm(turned, axis=1).max()
        views.append(MeshView("its prediction", *_part(moved, triangles, near)))
    return Meshes(
        "Error maps",
        views,
        value_label="mm",
        value_range=(0.0, next((limit for limit in _LIMITS if limit >= largest), _LIMITS[-1])),
        caption="Scans, cropped as they were measured, in the color of their distance to the plane; beside each the "
        "aligned prediction (only what lies near the crop).",
    )


def _part(vertices: np.ndarray, triangles: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The triangles whose vertices are all kept."""
    kept = triangles[keep[triangles].all(axis=1)]
    rows, place = np.unique(kept, return_inverse=True)
    return vertices[rows], place.reshape(-1, 3)
