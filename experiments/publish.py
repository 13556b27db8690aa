"""Puts results into the project and writes the READMEs from them:

  python -m experiments.publish                           rewrites the READMEs from the results that are shipped
  python -m experiments.publish --results runs/experiments/results     copies results.json and pictures first
  python -m experiments.publish --demo runs/demo       likewise, of the demo, which must have run with --sir-off, too

Writes experiments/NAME/README.md, and what stands between the markers in experiments/README.md and README.md.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from experiments.common.command import NAMES, module_of
from experiments.common.markers import between_markers
from experiments.common.outcome import RESULTS, ResultTable, load_tables
from sirjax.files import write_bytes, write_text

ROOT = Path(__file__).resolve().parent.parent
DEMO = "demo"  # whose table the project's README shows, too, between markers of its own
WITH, WITHOUT = "sir", "sir_off"  # its two runs
HEADLINE = "table2_ablation"  # whose first table the project's README shows


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="folder with a results folder for each experiment")
    parser.add_argument("--demo", type=Path, help="what the demo made, with the SIR loss and without it: runs/demo")
    args = parser.parse_args(argv)
    if args.results:
        for name in NAMES:
            copy_results(args.results / name, ROOT / "experiments" / name, name)
    if args.demo:
        copy_results(args.demo / WITH, ROOT / "experiments" / DEMO / WITH, DEMO)
        copy_results(args.demo / WITHOUT, ROOT / "experiments" / DEMO / WITHOUT, f"{DEMO} --sir-off")
    for path, text in readmes(ROOT).items():
        write_text(path, text)
        print(path.relative_to(ROOT))
    return 0


def copy_results(source: Path, target: Path, command: str) -> None:
    """Brings results.json and the pictures it names, and removes the pictures of older results.

    Args:
      source: a folder that an experiment wrote.
      target: one of the project.
      command: of the experiments, which makes the source.

    Raises:
      FileNotFoundError: if the experiment has not been run.
    """
    if not (source / RESULTS).is_file():
        raise FileNotFoundError(f"{source / RESULTS} is missing: run `python -m experiments.{command}` first")
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.jpg"):
        old.unlink()
    for name in [*json.loads((source / RESULTS).read_text(encoding="utf-8"))["pictures"], RESULTS]:
        write_bytes(target / name, (source / name).read_bytes())


def readmes(root: Path) -> dict[Path, str]:
    """What each README should say, by its path."""
    documents = {
        name: json.loads((root / "experiments" / name / RESULTS).read_text(encoding="utf-8")) for name in NAMES
    }
    folders = {name: root / "experiments" / name for name in NAMES}
    texts = {folder / "README.md": experiment_page(name, documents[name]) for name, folder in folders.items()}
    page, front = root / "experiments" / "README.md", root / "README.md"
    texts[page] = between_markers(page.read_text(encoding="utf-8"), index(documents), page)
    text = between_markers(front.read_text(encoding="utf-8"), headline(documents), front)
    demo = [
        json.loads((root / "experiments" / DEMO / run / RESULTS).read_text(encoding="utf-8")) for run in (WITH, WITHOUT)
    ]
    texts[front] = between_markers(text, demo_block(*demo), front, name=DEMO)
    return texts


def experiment_page(name: str, document: dict[str, Any]) -> str:
    """README.md of one experiment."""
    question, _, rest = (module_of(name).__doc__ or "").partition("\n\n")
    parts = [
        f"# {document['title']}",
        "(Written by `python -m experiments.publish`; do not edit.)",
        sentence(question.partition(": ")[2]),
        f"```sh\npython -m experiments.{name}\n```",
        rest.strip(),
    ]
    parts += [f"![{Path(picture).stem}]({picture})" for picture in document["pictures"]]
    for table in load_tables(document):
        parts += [f"## {table.title}", markdown(table), table.caption]
    if document["claims"]:
        parts += ["## What the paper says, and what came out here", claims_table(document["claims"])]
    facts, study = document["provenance"], document["study"]
    sets = ", ".join(f"{kind} {found['photos']} photos" for kind, found in study["sets"].items())
    parts.append(
        f"Protocol: {document['protocol']}. Sets: {sets} ({study['sets']['evaluate']['made_by']}). Commit "
        f"{facts.get('commit', 'unknown')}, {facts['time']}, {facts['platform']}, jax {facts['jax']}; training of all "
        f"runs of the study {document['seconds']['training of all runs of the study'] / 60:.0f} min. "
        f"As run: `{facts['command']}`."
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def sentence(text: str) -> str:
    """With a capital letter first."""
    return text[:1].upper() + text[1:]


def index(documents: dict[str, dict[str, Any]]) -> str:
    """The list of experiments, and all claims."""
    lines = ["| experiment | command |", "|---|---|"]
    for name, document in documents.items():
        lines.append(f"| [{document['title']}]({name}/README.md) | `python -m experiments.{name}` |")
    claims = [claim for document in documents.values() for claim in document["claims"]]
    return "\n".join(lines) + "\n\n" + claims_table(claims)


def headline(documents: dict[str, dict[str, Any]]) -> str:
    """For the project's README: the ablation."""
    return markdown(load_tables(documents[HEADLINE])[0])


def demo_block(document: dict[str, Any], without: dict[str, Any]) -> str:
    """For the project's README: the demo's closing table, a column from the run without SIR, and how long it took."""
    (table,), (other,) = load_tables(document), load_tables(without)
    title = table.title[:1].lower() + table.title[1:]
    columns = [title, table.columns[1], other.columns[1], *table.columns[2:]]
    pairs = zip(table.rows, other.rows, strict=True)
    shown = ResultTable("", columns, [[*row[:2], other_row[1], *row[2:]] for row, other_row in pairs])
    facts, minutes = document["provenance"], sum(document["seconds"].values()) / 60
    return f"{markdown(shown)}\n\n(Seed 0; {minutes:.1f} minutes on two cores, jax {facts['jax']}, after installation.)"


def claims_table(claims: list[dict[str, str]]) -> str:
    """Claims with their verdicts."""
    rows = [[claim["text"], claim["verdict"], claim["evidence"]] for claim in claims]
    return markdown(ResultTable("", ["claim", "here", "evidence"], rows))


def markdown(table: ResultTable) -> str:
    """A table in Markdown."""
    rows = [[cell.replace("|", r"\|") for cell in row] for row in [list(table.columns), *table.texts()]]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(table.columns), *lines[1:]])


if __name__ == "__main__":
    sys.exit(main())
