"""Measure face shapes against 3D scans: of a run, of codes, or anybody's meshes. Florence MICC and NoW-like protocols.

examples:
  sirjax evaluate scans table.tsv --out results/mine
  sirjax evaluate scans table.tsv --protocol now --scale none --out results/now
  sirjax evaluate scans runs/sir --records records/micc --scans Florence --out results/micc

A table is tab separated with the columns subject, scan, prediction (mesh files, or codes.npz#name with --face-model)
and, if known, name, scan_landmarks, prediction_landmarks, scan_nose_tip, prediction_nose_tip. Scans are cropped around
the nose tip (the foremost point unless given) and predictions brought onto them by ICP; distances go from scan points
to the prediction's planes (the main figure), surface and vertices, in mm. Figures of different protocol lines must not
be compared. Writes DIR/results.json and DIR/report.html. Exit code 2: some could not be measured. Needs the extra
`eval` for mesh files and speed: pip install 'sirjax[eval]'. Docs: docs/evaluation.md.
"""

import argparse
import dataclasses
import json
import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sirjax.cli.evaluating.codes import load_codes, read_codes
from sirjax.cli.evaluating.scan_inputs import cases_of_records, mean_faces, read_cases, read_tips, shapes_of
from sirjax.cli.evaluating.scan_jobs import Case, Options, measure_all
from sirjax.cli.evaluating.scan_report import build_page, table_rows
from sirjax.cli.mesh_files import unit_mm
from sirjax.data.records import open_records, read_manifest
from sirjax.evaluation.closest_point import fcpw_is_installed
from sirjax.evaluation.scan_error import protocol_string
from sirjax.evaluation.scan_summary import TIP_GAP, Measured, paired_difference, summarize, tip_is_doubtful
from sirjax.files import write_text
from sirjax.morphable import load
from sirjax.report import provenance
from sirjax.training.setup import is_trained, load_run

CROPS = {"95": "sphere", "95_no_forehead": "no_forehead"}
SCALES = ("per_mesh", "global", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax evaluate scans`."""
    parser.add_argument("source", type=Path, help="table (.tsv), run directory, or codes (.npz)")
    parser.add_argument("--records", type=Path, help="of a run or codes: the prepared Florence set")
    parser.add_argument("--scans", type=Path, metavar="FOLDER", help="the published Florence set, for its scans")
    parser.add_argument("--scan-kind", default="frontal1", metavar="KIND", help="which scans (default: %(default)s)")
    parser.add_argument(
        "--tips", type=Path, metavar="FILE", help="of a run or codes: nose tips of the scans: subject, x, y, z (.tsv)"
    )
    parser.add_argument("--face-model", metavar="MODEL", help="of codes: 'builtin' or a file")
    parser.add_argument("--protocol", choices=("micc", "now"), default="micc", help="default: %(default)s")
    parser.add_argument("--crop", choices=tuple(CROPS), default="95", help="mm around the nose tip (default: 95)")
    parser.add_argument(
        "--scale",
        choices=SCALES,
        default="per_mesh",
        help="fitted to each mesh (default), one for all (the median of those), or none: millimeters as they are",
    )
    parser.add_argument("--trim", type=float, default=0.0, help="share of the worst points the fit ignores (0)")
    parser.add_argument("--unit", default="mm", help="of prediction files: mm, cm, m or millimeters per unit (mm)")
    parser.add_argument("--scan-unit", default="mm", help="of scan files, likewise (mm)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=64, help="images a run reads at once (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for results.json and report.html")


def run(args: argparse.Namespace) -> int:
    """Measures, prints a table and writes the results.

    Raises:
      ValueError: if options do not belong together, or nothing could be measured.
    """
    if not 0 <= args.trim < 1:
        raise ValueError(f"--trim must be in [0, 1), got {args.trim:g}")
    if args.workers < 1:
        raise ValueError(f"--workers must be 1 or more, got {args.workers}")
    cases, options, facts = _inputs(args)
    measured, failures = _measure(cases, options, args.workers, "measuring")
    if args.scale == "global":
        if not measured:
            raise ValueError(_nothing(failures))
        options = dataclasses.replace(options, scale=float(np.median([one.scale for one in measured.values()])))
        measured, failures = _measure(cases, options, args.workers, "measuring with one scale")
    if not measured:
        raise ValueError(_nothing(failures))
    baseline, _ = _measure(mean_faces(cases), options, args.workers, "mean face")  # of codes only
    both = [one for one in measured.values() if f"mean face, {one.subject}" in baseline]
    protocol = _protocol(args, cases, options, facts.get("images", ""))
    summary = summarize(list(measured.values()), seed=args.seed)
    mean_face = summarize(list(baseline.values()), seed=args.seed) if baseline else None
    by_subject = {one.subject: one for one in baseline.values()}
    gain = paired_difference(both, by_subject, seed=args.seed) if both else None

    print(f"{protocol}\n")
    rows = table_rows(summary, mean_face, gain)
    for row in rows:
        print("  ".join(f"{cell:{width}}" for cell, width in zip(row, (28, 24, 24, 24), strict=True)).rstrip())
    subjects = len({one.subject for one in measured.values()})
    print(f"\n{len(measured)} images of {subjects} people measured, {len(failures)} not")
    for name, reason in list(failures.items())[:10]:
        print(f"  {name}: {reason}")
    if doubtful := [one.name for one in measured.values() if tip_is_doubtful(one)]:
        print(f"nose tips of {len(doubtful)} scans are doubtful (off the aligned face's by more than {TIP_GAP:g} mm):")
        print(f"  {', '.join(doubtful[:10])}; give scan_nose_tip or --tips")
    if not fcpw_is_installed():
        print("fcpw is not installed: the same figures took longer; pip install 'sirjax[eval]'")

    facts = provenance(**facts)
    results = {
        "protocol": protocol,
        "figures": summary.metrics(),
        "mean_face": mean_face.metrics() if mean_face else None,
        "images": {one.name: _row(one) for one in measured.values()},
        "failures": failures,
        "provenance": facts,
    }
    page = build_page(cases, options, measured, failures, protocol, rows, summary, mean_face)
    page.add_provenance(facts)
    args.out.mkdir(parents=True, exist_ok=True)
    write_text(args.out / "results.json", json.dumps(results, indent=2) + "\n")
    page.write(args.out / "report.html")
    return 2 if failures else 0


def _inputs(args: argparse.Namespace) -> tuple[list[Case], Options, dict]:
    """What to measure, how, and where it comes from."""
    options = Options(
        crop="now" if args.protocol == "now" else CROPS[args.crop],
        scale=1.0 if args.scale == "none" else None,
        trim=args.trim,
        unit=unit_mm(args.unit),
        scan_unit=unit_mm(args.scan_unit),
    )
    facts: dict = {"source": str(args.source)}
    if args.source.suffix.lower() in (".tsv", ".txt"):
        if args.tips is not None:
            raise ValueError("--tips belongs to a run or codes: give a table's tips in its column scan_nose_tip")
        cases = read_cases(args.source)
        model = load(args.face_model) if args.face_model else None
    else:
        if args.records is None or args.scans is None:
            raise ValueError("a run or codes need --records (the prepared Florence set) and --scans (its folder)")
        facts["images"] = _drawn(args.records, args.scan_kind)
        tips = None if args.tips is None else read_tips(args.tips)
        if args.source.is_dir() or is_trained(args.source):
            trained = load_run(args.source)
            model = trained.face_model
            codes = read_codes(trained, open_records(args.records), batch_size=args.batch, run_name=str(args.source))
        else:
            if not args.face_model:
                raise ValueError("codes need the face model that they belong to: give --face-model")
            model, codes = load(args.face_model), load_codes(args.source)
        facts |= codes.source
        cases = cases_of_records(codes, args.records, args.scans, args.scan_kind, tips)
    if model is not None:
        options = dataclasses.replace(options, shapes=shapes_of(model))
        _check_modes(cases, options)
    return _named_apart(cases), options, facts


def _check_modes(cases: list[Case], options: Options) -> None:
    modes = len(options.shapes.basis) if options.shapes else 0
    for case in cases:
        if isinstance(case.prediction, np.ndarray) and len(case.prediction) != modes:
            raise ValueError(
                f"{case.name} has {len(case.prediction)} shape coefficients, the face model {modes} modes: "
                "give the model that the codes belong to"
            )


def _named_apart(cases: list[Case]) -> list[Case]:
    """Refuses two rows of one name, under which only one result could be kept."""
    names = [case.name for case in cases]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} names several rows: give them a column `name` in which all differ")
    return cases


def _measure(
    cases: list[Case], options: Options, workers: int, label: str
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Figures and reasons by name."""
    measured, failures = {}, {}
    outcomes = measure_all(cases, options, workers)
    for case, outcome in zip(cases, tqdm(outcomes, desc=label, total=len(cases), leave=False), strict=True):
        if isinstance(outcome, Measured):
            measured[case.name] = outcome
        else:
            failures[case.name] = outcome
    return measured, failures


def _protocol(args: argparse.Namespace, cases: list[Case], options: Options, drawn: str) -> str:
    scale = {"per_mesh": "per mesh", "global": f"one for all ({options.scale or 1:.4g})", "none": "none"}[args.scale]
    line = protocol_string(
        options.crop,
        from_landmarks=all(case.scan_landmarks is not None for case in cases),
        scale=scale,
        trim=options.trim,
    )
    return f"{line}; {drawn}" if drawn else line


def _drawn(records: Path, kind: str) -> str:
    """Which images of the Florence set, and which scans."""
    found = read_manifest(records).get("parameters", {})
    settings = ", ".join(found.get("settings", []))
    return f"{settings}, {found.get('frames_per_video')} frames, seed {found.get('seed')}, {kind}"


def _nothing(failures: dict[str, str]) -> str:
    name, reason = next(iter(failures.items()))
    return f"none of {len(failures)} predictions could be measured; {name}: {reason}"


def _row(one: Measured) -> dict:
    figures = {
        f"{kind}_{name}": round(value, 5)
        for kind, distances in one.error.items()
        for name, value in dataclasses.asdict(distances).items()
    }
    return {
        "subject": one.subject,
        **figures,
        "scale": one.scale,
        "points": one.num_points,
        "iterations": one.iterations,
        "converged": one.converged,
        "tip_gap": None if one.tip_gap is None else round(one.tip_gap, 3),
        "tip_is_doubtful": tip_is_doubtful(one),
    }
