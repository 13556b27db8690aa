"""Puts the study's results into the project, and its tables between the markers of README.md:

python -m experiments.photos.publish                                  rewrites README.md from the shipped results
python -m experiments.photos.publish --results runs/photos/results/photos    copies results.json and pictures first
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import experiments.photos
from experiments import publish
from experiments.common.markers import between_markers
from experiments.common.outcome import RESULTS, load_tables
from sirjax.files import write_text

FOLDER = Path(__file__).resolve().parent
README = FOLDER / "README.md"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="the folder of results.json")
    args = parser.parse_args(argv)
    if args.results:
        publish.copy_results(args.results, FOLDER, "photos")
    write_text(README, readme(README, FOLDER / RESULTS))
    print(README)
    return 0


def readme(path: Path, results: Path) -> str:
    """What README.md should say."""
    document = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else None
    return between_markers(path.read_text(encoding="utf-8"), section(document), path)


def section(document: dict[str, Any] | None) -> str:
    """Tables, claims and protocol of the results; without any, that there are none."""
    question, _, rest = (experiments.photos.__doc__ or "").partition("\n\n")
    parts = [publish.sentence(question.partition(": ")[2]), rest.strip()]
    if document is None:
        return "\n\n".join([*parts, "No results yet."])
    parts += [f"![{Path(picture).stem}]({picture})" for picture in document["pictures"]]
    for table in load_tables(document):
        parts += [f"### {table.title}", publish.markdown(table), table.caption]
    parts += ["### What the paper says, and what came out here", publish.claims_table(document["claims"])]
    facts, study = document["provenance"], document["study"]
    sets = ", ".join(f"{kind} {found['photos']} photos" for kind, found in study["sets"].items())
    parts.append(
        f"Protocol: {document['protocol']}. Sets: {sets}. Commit {facts.get('commit', 'unknown')}, {facts['time']}, "
        f"{facts['platform']}, jax {facts['jax']}; training of all runs of the study "
        f"{document['seconds']['training of all runs of the study'] / 60:.0f} min. As run: `{facts['command']}`."
    )
    return "\n\n".join(part for part in parts if part)


if __name__ == "__main__":
    sys.exit(main())
