"""Which predictions to measure against which scans: from a table, or from codes and a prepared Florence set."""

import csv
from pathlib import Path

import numpy as np

from sirjax.cli.evaluating.codes import load_codes
from sirjax.cli.evaluating.scan_jobs import Case, Shapes
from sirjax.evaluation.codes import Codes
from sirjax.morphable import FaceModel

REQUIRED = ("subject", "scan", "prediction")
OPTIONAL = ("name", "scan_landmarks", "prediction_landmarks", "scan_nose_tip", "prediction_nose_tip")
TIPS = ("subject", "x", "y", "z")
SCANS_FILE = "scans.tsv"  # beside the records of the Florence set


def read_cases(table: Path) -> list[Case]:
    """The rows of a table: tab separated, with a header; paths are relative to its folder.

    `subject`, `scan` and `prediction` are needed; `prediction` is a mesh file or `codes.npz#name`. Optional columns:
    `name`, `scan_landmarks`, `prediction_landmarks` (files), `scan_nose_tip`, `prediction_nose_tip` ("x y z").

    Raises:
      FileNotFoundError: if the table is missing.
      ValueError: if columns are missing or unknown, there are no rows, or a cell says nothing usable.
    """
    if not table.is_file():
        raise FileNotFoundError(f"{table} is missing: give a table of scans and predictions, a run or codes")
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        columns = list(reader.fieldnames or [])
        rows = list(reader)
    wrong = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in REQUIRED + OPTIONAL]
    if wrong or unknown:
        raise ValueError(
            f"{table} needs the tab-separated columns {', '.join(REQUIRED)} and may have {', '.join(OPTIONAL)}; "
            f"missing: {', '.join(wrong) or 'none'}, unknown: {', '.join(unknown) or 'none'}"
        )
    if not rows:
        raise ValueError(f"{table} has a header but no rows: give one for each prediction")
    codes: dict[str, Codes] = {}
    cases = [_case(table, line, row, codes) for line, row in enumerate(rows, start=2)]
    for line, case in enumerate(cases, start=2):
        alone = (case.scan_landmarks is None) != (case.prediction_landmarks is None)
        if alone and isinstance(case.prediction, Path):  # codes have the landmarks of their face model
            raise ValueError(f"{table}, line {line}: scan_landmarks and prediction_landmarks must be given together")
    marked = sum(case.scan_landmarks is not None for case in cases)
    if 0 < marked < len(cases):
        raise ValueError(
            f"{table}: {marked} of {len(cases)} rows have landmarks: give them for all or none, as figures of "
            "different starts must not be averaged"
        )
    return cases


def cases_of_records(
    codes: Codes, records: Path, scans: Path, kind: str, tips: dict[str, tuple[float, ...]] | None = None
) -> list[Case]:
    """Each image of a prepared Florence set against its person's scan.

    Args:
      codes: named as the images: subject_01/PTZ-Outdoor/000012.jpg.
      records: the set's folder, where `scans.tsv` lies.
      scans: the folder of the published data set that `scans.tsv` is relative to.
      kind: which scan of each person, such as frontal1.
      tips: the nose tip of each person's scan, from `read_tips`; the foremost vertex if None.

    Raises:
      FileNotFoundError: if `scans.tsv` is missing.
      ValueError: if it lists no scan of that kind, or somebody's tip is missing.
    """
    path = records / SCANS_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: prepare the set with: sirjax prepare micc FLORENCE --out {records}"
        )
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    # .obj comes before .wrl, which cannot be read, so it is the one that stays.
    scan_of = {
        row["identity"]: scans / row["file"]
        for row in sorted(rows, key=lambda row: row["file"], reverse=True)
        if row["kind"] == kind and not row["file"].endswith(".wrl")
    }
    if not scan_of:
        kinds = ", ".join(sorted({row["kind"] for row in rows})) or "none"
        raise ValueError(f"{path} lists no scan {kind!r}; give one of these to --scan-kind: {kinds}")
    people = [name.split("/")[0] for name in codes.names]
    without = sorted(set(people) - set(tips)) if tips is not None else []
    if without:
        raise ValueError(
            f"the table of nose tips lacks {len(without)} of {len(set(people))} people, such as {without[0]}: give "
            "all or none, as figures of different crops must not be averaged"
        )
    return [
        Case(
            name,
            subject,
            scan_of.get(subject, scans / f"{subject} without a scan {kind}"),
            shape,
            scan_nose_tip=tips[subject] if tips is not None else None,
        )
        for name, subject, shape in zip(codes.names, people, codes.shape, strict=True)
    ]


def read_tips(table: Path) -> dict[str, tuple[float, ...]]:
    """Nose tips of scans by person: tab separated, with the columns subject, x, y, z in the scans' unit.

    Raises:
      FileNotFoundError: if the table is missing.
      ValueError: if columns are missing, a place is no number, or a person comes twice.
    """
    if not table.is_file():
        raise FileNotFoundError(f"{table} is missing: give a table with the columns {', '.join(TIPS)}")
    with table.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if missing := [name for name in TIPS if name not in (reader.fieldnames or [])]:
            raise ValueError(
                f"{table} needs the tab-separated columns {', '.join(TIPS)}; missing: {', '.join(missing)}"
            )
        rows = list(reader)
    tips: dict[str, tuple[float, ...]] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{table}, line {line}"
        place = _place(where, "x y z", {"x y z": " ".join(row[axis] or "none" for axis in "xyz")})
        if place is None or row["subject"] in tips:
            raise ValueError(f"{where}: {row['subject']!r} comes twice: give one nose tip for each person")
        tips[row["subject"]] = place
    return tips


def mean_faces(cases: list[Case]) -> list[Case]:
    """The mean face against each person's scan: what every model of shapes has to beat."""
    first = {case.subject: case for case in reversed(cases) if isinstance(case.prediction, np.ndarray)}
    return [
        Case(
            f"mean face, {subject}",
            subject,
            case.scan,
            np.zeros_like(case.prediction),
            scan_landmarks=case.scan_landmarks,
            scan_nose_tip=case.scan_nose_tip,
        )
        for subject, case in sorted(first.items())
    ]


def shapes_of(model: FaceModel) -> Shapes:
    """A face model as plain arrays, which worker processes take."""
    return Shapes(
        mean=np.asarray(model.mean, np.float64),
        basis=np.asarray(model.shape_basis),
        triangles=np.asarray(model.triangles),
        landmark_vertices=np.asarray(model.landmark_vertices),
        landmark_weights=np.asarray(model.landmark_weights),
    )


def _case(table: Path, line: int, row: dict[str, str], codes: dict[str, Codes]) -> Case:
    where = f"{table}, line {line}"
    empty = [name for name in REQUIRED if not (row[name] or "").strip()]
    if empty:
        raise ValueError(f"{where}: {', '.join(empty)} is empty")
    file = lambda name: table.parent / row[name] if row.get(name) else None  # noqa: E731
    prediction: Path | np.ndarray = table.parent / row["prediction"]
    if "#" in row["prediction"]:
        path, name = row["prediction"].rsplit("#", 1)
        if path not in codes:
            codes[path] = load_codes(table.parent / path)
        source = codes[path]
        if name not in source.names:
            raise ValueError(f"{where}: {path} holds no code named {name!r}, but {len(source.names)} others")
        prediction = source.shape[source.names.index(name)]
    return Case(
        name=row.get("name") or row["prediction"],
        subject=row["subject"],
        scan=table.parent / row["scan"],
        prediction=prediction,
        scan_landmarks=file("scan_landmarks"),
        prediction_landmarks=file("prediction_landmarks"),
        scan_nose_tip=_place(where, "scan_nose_tip", row),
        prediction_nose_tip=_place(where, "prediction_nose_tip", row),
    )


def _place(where: str, column: str, row: dict[str, str]) -> tuple[float, ...] | None:
    if not row.get(column):
        return None
    try:
        place = tuple(float(word) for word in row[column].replace(",", " ").split())
    except ValueError:
        place = ()
    if len(place) != 3 or not np.isfinite(place).all():
        raise ValueError(f"{where}: {column} must be three numbers x y z, got {row[column]!r}")
    return place
