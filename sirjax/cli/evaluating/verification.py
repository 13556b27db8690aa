"""Do two photos show one person? Verification by distances of shapes, for a trained run or codes of any system.

examples:
  sirjax evaluate verification runs/sir --records records/lfw --out results
  sirjax evaluate verification runs/sir --records records/lfw --against runs/warmup --out results
  sirjax evaluate verification codes.npz --pairs pairs.txt --out results
  sirjax evaluate verification runs/sir --records test train --pairs test --train-pairs train --out results

Codes are a .npz or .npy of numbers [N, S] in mm. Without --pairs the list beside the records is used; where there is
none, pairs are drawn from the people of the records. docs/evaluation.md says what is computed.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from sirjax.cli.evaluating.codes import face_model_of, load_codes, read_codes
from sirjax.cli.evaluating.pair_files import read_pair_list, with_training_pairs
from sirjax.cli.evaluating.verification_page import build_page
from sirjax.cli.evaluating.verify import DESCRIPTORS, Evaluation, Subject, check_line, evaluate
from sirjax.data.records import JoinedRecords, RecordSource, open_records
from sirjax.evaluation import recognition
from sirjax.evaluation.bootstrap import Interval
from sirjax.evaluation.pair_lists import PairList
from sirjax.evaluation.recognition import Recognition
from sirjax.evaluation.report import Row, format_table
from sirjax.files import write_text
from sirjax.report import provenance
from sirjax.training.setup import is_trained, load_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax evaluate verification`."""
    parser.add_argument(
        "subject",
        type=Path,
        metavar="RUN_OR_CODES",
        help="run or builtin, or codes .npz or .npy",
    )
    parser.add_argument("--records", type=Path, nargs="+", default=[], metavar="DIR", help="photos for a run to read")
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="list of pairs (default: that beside the records)")
    parser.add_argument("--train-pairs", type=Path, metavar="FILE", help="pairs that choose the one threshold (View 1)")
    parser.add_argument("--draw", type=int, default=6000, metavar="N", help="pairs to draw where there is no list")
    parser.add_argument("--folds", type=int, default=10, help="where the list has none (default: %(default)s)")
    parser.add_argument("--against", type=Path, metavar="RUN_OR_CODES", help="compare with this one on the same pairs")
    parser.add_argument("--names", type=Path, metavar="FILE", help="a name per line, of codes without names")
    parser.add_argument("--face-model", metavar="FILE", help='of codes, for vertices: model file, or "builtin"')
    parser.add_argument("--descriptors", nargs="+", choices=DESCRIPTORS, help="default: all that are known")
    parser.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="average the codes of each photo and its mirror image (default: only where pairs are of videos)",
    )
    parser.add_argument("--batch", type=int, default=64, help="photos read at once (default: %(default)s)")
    parser.add_argument("--resamples", type=int, default=1000, help="draws of the bootstrap (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of drawn pairs and bootstrap (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for results.json and report.html")


def run(args: argparse.Namespace) -> int:
    """Evaluates, prints the figures and writes the results."""
    records = open_records(args.records[0] if len(args.records) == 1 else args.records) if args.records else None
    listed = _listed_pairs(args)
    mirror = bool(listed and any(n.endswith("/") for n in listed.names())) if args.mirror is None else args.mirror
    subject = read_subject(args.subject, records, args, mirror)
    against = read_subject(args.against, records, args, mirror) if args.against else None
    result = evaluate(
        subject,
        listed,
        records=records,
        against=against,
        descriptors=args.descriptors,
        num_pairs=args.draw,
        num_folds=args.folds,
        resamples=args.resamples,
        seed=args.seed,
    )
    print(text_table(result))
    args.out.mkdir(parents=True, exist_ok=True)
    facts = provenance(codes=subject.codes.source, against=against.codes.source if against else None)
    values = {"protocol": result.protocol, "figures": figures(result), "notes": result.notes, "provenance": facts}
    write_text(args.out / "results.json", json.dumps(values, indent=2, default=str) + "\n")
    build_page(result, records, subject.name, against.name if against else None, facts).write(args.out / "report.html")
    return 0


def read_subject(
    path: Path, records: RecordSource | JoinedRecords | None, args: argparse.Namespace, mirror: bool
) -> Subject:
    """The codes of a run or of a file.

    Raises:
      ValueError: if a run has no photos to read.
    """
    if path.is_dir() or is_trained(path):
        if records is None:
            raise ValueError(f"{path} is a run and needs photos to read: give --records DIR")
        trained = load_run(path)
        codes = read_codes(trained, records, batch_size=args.batch, mirror=mirror, run_name=str(path))
        return Subject(path.name, codes, np.asarray(trained.face_model.shape_basis))
    codes = load_codes(path, args.names)
    basis = np.asarray(face_model_of(codes, args.face_model).shape_basis) if args.face_model else None
    return Subject(path.stem, codes, basis)


def _listed_pairs(args: argparse.Namespace) -> PairList | None:
    path = args.pairs
    if path is None:
        beside = [folder for folder in args.records if (folder / "pairs.tsv").is_file()]
        if len(beside) > 1:
            raise ValueError(f"{len(beside)} of the records come with pairs: say which to use (--pairs)")
        path = beside[0] if beside else None
    if args.train_pairs is None:
        return None if path is None else read_pair_list(path)
    if path is None:
        raise ValueError("--train-pairs chooses the threshold for other pairs: give those too (--pairs)")
    return with_training_pairs(read_pair_list(path), read_pair_list(args.train_pairs))


def text_table(result: Evaluation) -> str:
    """Protocol, notes and figures as text."""
    rows: list[Row] = []
    for (descriptor, distance), found in result.found.items():
        rows += recognition.recognition_rows(f"{descriptor} {distance}", found)
    for (descriptor, distance), (other, difference) in result.against.items():
        name = f"{descriptor} {distance}"
        rows += recognition.recognition_rows(f"{name}, other", other)[:1]
        i = difference.difference
        rows.append(Row(f"accuracy minus other's, {name}", i.mean, "%", low=i.low, high=i.high))
    lines = [result.protocol, *result.notes, check_line(result)]
    lines += [f"missing: {name}: {why}" for name, why in result.missing.items()]
    for (descriptor, distance), (_, c) in result.against.items():
        counts = f"right alone {c.only_first}, other right alone {c.only_second}"
        lines.append(f"McNemar, {descriptor} {distance}: {counts}, p = {c.p_value:.2g}")
    return "\n".join(lines) + "\n\n" + format_table(rows)


def figures(result: Evaluation) -> dict[str, Any]:
    """The figures by descriptor and distance, for programs; shares as fractions."""
    values: dict[str, Any] = {}
    for (descriptor, distance), found in result.found.items():
        own = values.setdefault(descriptor, {})[distance] = _plain(found)
        if (descriptor, distance) in result.against:
            other, difference = result.against[descriptor, distance]
            own["against"] = _plain(other) | {
                "difference": difference.difference.mean,
                "difference_interval": _ends(difference.difference),
                "only_first": difference.only_first,
                "only_second": difference.only_second,
                "mcnemar_p": difference.p_value,
            }
    agreed = result.agreement
    check = None if agreed is None else dataclasses.asdict(agreed) | {"orthonormal": result.orthonormal}
    return {"verification": values, "self_check": check, "missing": result.missing}


def _plain(found: Recognition) -> dict[str, Any]:
    result = found.result
    return {
        "accuracy": result.accuracy,
        "accuracy_std": result.accuracy_std,
        "accuracy_interval": _ends(found.accuracy),
        "accuracy_binomial_interval": _ends(found.binomial),
        "auc": result.auc,
        "auc_interval": _ends(found.auc),
        "eer": result.eer,
        "eer_interval": _ends(found.eer),
        "tpr_at_far": result.tpr_at_far,
        "tpr_at_far_interval": _ends(found.tpr_at_far),
        "far": result.far,
        "fold_accuracy": result.fold_accuracy.tolist(),
        "thresholds": [float(t) if np.isfinite(t) else str(t) for t in result.thresholds],
    }


def _ends(interval: Interval) -> list[float]:
    return [interval.low, interval.high]
