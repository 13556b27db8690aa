"""Keeps what is named, and writes the page and the pictures from all that is kept."""

import argparse
import json
from pathlib import Path
from typing import Any

import experiments.training_runs
from experiments.common.outcome import Cell, ResultTable
from experiments.publish import markdown
from experiments.training_runs import picture
from experiments.training_runs.record import record
from sirjax.export.files import encode_image
from sirjax.files import write_bytes, write_text

FOLDER = Path(__file__).resolve().parent
PAGE = "README.md"
COLUMNS = ("stage", "network", "steps", "photos a step", "seed", "sets", "images/s", "hours")


def main(argv: list[str] | None = None) -> int:
    """Keeps the stages of a training, if some are named, and rewrites the page."""
    parser = argparse.ArgumentParser(
        description=experiments.training_runs.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", metavar="NAME", help="keep the stages that follow under this name")
    parser.add_argument("stages", type=Path, nargs="*", metavar="RUN", help="run directories, in order")
    parser.add_argument("--note", default="", help="a sentence for the page, say what the machine was")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where it is kept (default: beside this file)")
    args = parser.parse_args(argv)
    if bool(args.keep) != bool(args.stages):
        parser.error("--keep NAME needs the stages to keep, and stages a NAME")
    if args.keep:
        document = {"note": args.note, "stages": record(args.stages)}
        write_text(args.folder / f"{args.keep}.json", json.dumps(document, indent=1) + "\n")
    kept = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(args.folder.glob("*.json"))}
    for name, document in kept.items():
        write_bytes(args.folder / f"{name}.png", encode_image(picture.draw(document["stages"])))
    write_text(args.folder / PAGE, page(kept))
    print(args.folder / PAGE)
    return 0


def page(kept: dict[str, dict[str, Any]]) -> str:
    """Of each training a table of its stages and its curves."""
    about = (experiments.training_runs.__doc__ or "").strip()
    lines = ["# Trainings", "", about.splitlines()[0], ""]
    lines += ["```sh", "python -m experiments.training_runs --keep renders runs/renders/warmup runs/renders/sir", "```"]
    for name, document in kept.items():
        lines += ["", f"## {name}", ""]
        if document["note"]:
            lines += [document["note"], ""]
        rows = [row(i, stage) for i, stage in enumerate(document["stages"], 1)]
        lines += [markdown(ResultTable(name, COLUMNS, rows))]
        lines += ["", f"![Curves of {name}, a column for each stage]({name}.png)", ""]
        lines += [f"All settings, the sets' hashes and the curves: [{name}.json]({name}.json)."]
    lines += [
        "",
        "Images/s is the median of what was noted; hours are those of the steps, without compilation and pauses.",
    ]
    return "\n".join(lines) + "\n"


def row(number: int, stage: dict[str, Any]) -> list[Cell]:
    """A stage's row of the table."""
    settings = stage["settings"]
    sets = ", ".join(set_text(kind, found) for kind, found in stage["sets"].items())
    batch, speed, hours = settings["data"]["batch_size"], f"{stage['images_per_second']:.0f}", f"{stage['hours']:.2f}"
    return [number, settings["networks"]["preset"], stage["steps"], batch, settings["seed"], sets, speed, hours]


def set_text(kind: str, found: dict[str, Any]) -> str:
    """ "identity: 18000 photos of 1500 people"."""
    if "samples" not in found:
        return f"{kind}: gone"
    people = f" of {found['num_identities']} people" if found["num_identities"] else ""
    return f"{kind}: {found['samples']} photos{people}"
