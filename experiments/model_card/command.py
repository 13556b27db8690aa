"""Measures what is named, keeps the figures, and writes the page from them."""

import argparse
import json
from pathlib import Path

import experiments.model_card
from experiments.common.outcome import RESULTS, Outcome, public_facts, save_outcome
from experiments.model_card import card, measures
from sirjax.export.files import encode_image
from sirjax.files import write_bytes
from sirjax.training.setup import load_run
from sirjax.training.weights import SHIPPED

PROTOCOL = "model-card-v1: 95 % intervals from draws of people (of photos where nobody knows who they show)"


def main(argv: list[str] | None = None) -> int:
    """Measures, or takes the figures there are, and writes the page."""
    parser = argparse.ArgumentParser(
        description=experiments.model_card.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    named = {"metavar": "NAME=RECORDS", "action": "append", "default": [], "type": named_folder}
    parser.add_argument("--weights", default=SHIPPED, metavar="RUN", help="run directory or file (default: builtin)")
    parser.add_argument("--landmarks", **named, help="real photos with landmarks; may be given again")
    parser.add_argument("--pairs", **named, help="real photos of people, with a list of pairs or without; likewise")
    parser.add_argument("--benchmark", type=Path, metavar="RECORDS", help="people rendered by sirjax, never trained on")
    parser.add_argument(
        "--people", type=Path, metavar="RECORDS", help="draw shapes read from several photos of each person"
    )
    parser.add_argument("--picture", type=Path, default=card.PICTURE, metavar="FILE", help="of --people (%(default)s)")
    parser.add_argument("--from-results", action="store_true", help="measure nothing, write the page anew")
    parser.add_argument("--results", type=Path, default=card.FOLDER, metavar="DIR", help="for results.json")
    parser.add_argument("--page", type=Path, default=card.PAGE, metavar="FILE", help="the page with the two markers")
    args = parser.parse_args(argv)
    if not args.from_results:
        if not (args.landmarks or args.pairs or args.benchmark):
            parser.error("name what to measure on: --landmarks, --pairs, --benchmark; or --from-results")
        measure(args)
    document = json.loads((args.results / RESULTS).read_text(encoding="utf-8"))
    card.write(args.page, document)
    print(args.page)
    return 0


def named_folder(text: str) -> tuple[str, Path]:
    """("LFW", Path("records/lfw")) of "LFW=records/lfw".

    Raises:
      ArgumentTypeError: if one of the two is missing.
    """
    name, _, folder = text.rpartition("=")
    if not name or not folder:
        raise argparse.ArgumentTypeError(f"{text!r} must be NAME=RECORDS: the name is what the page calls the set")
    return name, Path(folder)


def measure(args: argparse.Namespace) -> None:
    """Reads every set with the weights and writes the figures; of paths nothing is kept."""
    trained = load_run(args.weights)
    tables = []
    if args.landmarks:
        read = {name: measures.read_landmarks(trained, folder) for name, folder in args.landmarks}
        tables += measures.landmark_tables(read)
    if args.pairs:
        tables.append(measures.verification_table(trained, dict(args.pairs)))
    if args.benchmark:
        tables += measures.benchmark_tables(measures.read_benchmark(trained, args.benchmark))
    if args.people:
        write_bytes(args.picture, encode_image(measures.people_picture(trained, args.people), args.picture.suffix))
    about = card.about_weights(args.weights, trained)
    save_outcome(Outcome(PROTOCOL, tables), args.results, {"weights": about, "provenance": public_facts()})
