"""Write what other programs read: meshes and landmarks for the toolkits of public benchmarks.

sirjax export now runs/sir NoW_Dataset --list imagepathsvalidation.txt --out now      neutral meshes, 7 landmarks
sirjax export realy runs/sir REALY_image --toolkit REALY/data --out realy             one topology, 85 keypoints
"""

import argparse

from sirjax.cli.kinds import add_kinds

# What -> (module, one line of help).
KINDS = {
    "now": ("sirjax.cli.exporting.now", "neutral meshes and 7 landmarks for the NoW benchmark's toolkit"),
    "realy": ("sirjax.cli.exporting.realy", "neutral meshes and 85 keypoints for the REALY benchmark's toolkit"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the kinds of export and the options of each."""
    add_kinds(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """Exports."""
    return args.run_kind(args)
