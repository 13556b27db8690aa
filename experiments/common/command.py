"""The command line that all experiments share: `python -m experiments.NAME`, and `python -m experiments.all`."""

import argparse
import importlib
import logging
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from configs import ablations
from experiments.common.outcome import REPORT, RESULTS, Outcome, save_outcome
from experiments.common.study import EPSILONS, Sets, Study, synthetic_sets
from sirjax.report import Page, Table, provenance

NAMES = (
    "table1_conditions",
    "table2_ablation",
    "table3_methods",
    "table4_vertices",
    "table5_scans",
    "figure3_norm",
    "figure4_curves",
    "figure5_shapes",
    "figure6_encoder",
    "figure7_views",
    "figure8_people",
    "figure9_comparison",
)
NEED_TRUTH = ("table5_scans", "figure4_curves")  # scans are made of the true shapes
DEMO_RECORDS = Path("runs/demo/records")
CLAIM_COLUMNS = ("claim", "here", "evidence")


def module_of(name: str) -> ModuleType:
    """The package of an experiment: its docstring, TITLE and `run`."""
    return importlib.import_module(f"experiments.{name}")


def main(names: list[str], argv: list[str] | None = None) -> int:
    """Runs experiments one after the other on one study."""
    description = module_of(names[0]).__doc__ if len(names) == 1 else importlib.import_module("experiments.all").__doc__
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    arguments = sys.argv[1:] if argv is None else argv
    study = make_study(parser, arguments)
    left_out = [name for name in names if name in NEED_TRUTH and not study.has_truth]
    for name in left_out:
        print(f"{name} is left out: {study.evaluated.path} has no true shapes. See sirjax evaluate scans")
    for name in names:
        if name not in left_out:
            run_experiment(name, study, arguments)
    return 1 if left_out == names else 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of every experiment."""
    parser.add_argument("--root", type=Path, default=Path("runs/experiments"), help="runs and results (%(default)s)")
    parser.add_argument("--landmark", type=Path, help="prepared records with landmarks; default: rendered faces")
    parser.add_argument("--identity", type=Path, help="prepared records with identities")
    parser.add_argument("--evaluate", type=Path, help="prepared records of other people, with identities")
    parser.add_argument("--warmup", type=Path, help="start from this warm-up of the demo, such as runs/demo/warmup")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each variant, with other seeds (%(default)s)")
    parser.add_argument("--epsilons", type=float, nargs="+", default=EPSILONS, help="weights of Fig. 6 (%(default)s)")
    parser.add_argument("--variants", nargs="+", choices=ablations.VARIANTS, default=ablations.VARIANTS)
    parser.add_argument("--shrink", type=float, default=1.0, help="divide sets and steps by this; for tests")


def make_study(parser: argparse.ArgumentParser, argv: Sequence[str]) -> Study:
    """The study that the command line describes."""
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("absl").setLevel(logging.WARNING)
    given = (args.landmark, args.identity, args.evaluate)
    if any(given) and not all(given):
        parser.error("--landmark, --identity and --evaluate belong together: name all three, or none")
    if all(given):
        sets = Sets(*given)
    else:
        sets = synthetic_sets(DEMO_RECORDS if args.shrink == 1 else args.root / "records", args.shrink)
    return Study(
        root=args.root,
        sets=sets,
        seeds=tuple(range(args.seeds)),
        shrink=args.shrink,
        variants=tuple(args.variants),
        epsilons=tuple(args.epsilons),
        given_warmup=args.warmup,
    )


def run_experiment(name: str, study: Study, arguments: Sequence[str] = ()) -> Path:
    """Runs one experiment and writes its results, pictures and page; returns its folder."""
    module = module_of(name)
    begun, trained = time.perf_counter(), study.spent()
    outcome = module.run(study)
    trained = study.spent() - trained
    facts: dict[str, Any] = {
        "experiment": name,
        "title": module.TITLE,
        "study": study.describe(),
        "provenance": provenance(command=shlex.join(["python", "-m", f"experiments.{name}", *arguments])),
        "seconds": {
            "training of new runs": round(trained, 1),
            "everything else": round(time.perf_counter() - begun - trained, 1),
            "training of all runs of the study": round(study.spent(), 1),
        },
    }
    folder = study.root / "results" / name
    save_outcome(outcome, folder, facts)
    page_of(module, outcome, facts).write(folder / REPORT)
    print_outcome(module, outcome)
    print(f"{folder / RESULTS}\n{folder / REPORT}\n", flush=True)
    return folder


def page_of(module: ModuleType, outcome: Outcome, facts: dict[str, Any]) -> Page:
    """The outcome as a self-contained page."""
    page = Page(module.TITLE, summary=" ".join((module.__doc__ or "").split()))
    for table in outcome.tables:
        page.add(Table(table.title, columns=table.columns, rows=table.texts(), caption=table.caption))
    if outcome.claims:
        rows = [[claim.text, claim.verdict, claim.evidence] for claim in outcome.claims]
        page.add(Table("What the paper says, and what came out here", columns=CLAIM_COLUMNS, rows=rows))
    for section in outcome.sections:
        page.add(section)
    page.add_provenance({"protocol": outcome.protocol, **outcome.settings, **facts["study"], **facts["provenance"]})
    return page


def print_outcome(module: ModuleType, outcome: Outcome) -> None:
    """The tables and claims as text."""
    print(f"\n{module.TITLE}\n{outcome.protocol}")
    for table in outcome.tables:
        print(f"\n{table.title}")
        for line in table.lines():
            print(f"  {line}")
    for claim in outcome.claims:
        print(f"\n{claim.verdict.upper()}: {claim.text}\n  {claim.evidence}")
