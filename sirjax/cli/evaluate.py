"""Measure recognizability, shape and landmarks of a trained run, or of anybody's arrays and meshes.

sirjax evaluate verification runs/sir --records records/lfw --out results    do two photos show one person?
sirjax evaluate benchmark runs/sir --records records/benchmark    rendered people whose true shape is known
sirjax evaluate landmarks runs/sir --records records/aflw2000 --out results    68 points, by yaw and region
sirjax evaluate distinctiveness runs/sir --records records/heldout --out results    the four conditions of Table I
sirjax evaluate scans table.tsv --out results    shapes against 3D scans, as for Florence MICC and NoW
"""

import argparse

from sirjax.cli.kinds import add_kinds

# What -> (module, one line of help).
KINDS = {
    "verification": ("sirjax.cli.evaluating.verification", "do two photos show one person? LFW, CFP, YTF, any pairs"),
    "benchmark": ("sirjax.cli.evaluating.benchmark", "a run on rendered people whose true shape is known"),
    "landmarks": ("sirjax.cli.evaluating.landmarks", "68 points of a run, or anybody's points beside true ones"),
    "distinctiveness": ("sirjax.cli.evaluating.distinctiveness", "the conditions of Table I, for any set of shapes"),
    "scans": ("sirjax.cli.evaluating.scans", "shapes of a run, of codes or of mesh files against 3D scans"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the kinds of evaluation and the options of each."""
    add_kinds(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """Evaluates."""
    return args.run_kind(args)
