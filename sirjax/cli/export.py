"""Write what other programs read: programs and weights of trained networks, meshes for benchmark toolkits.

sirjax export program runs/sir --out sir.stablehlo       photo to face in one file that needs JAX alone
sirjax export onnx runs/sir --out sir.onnx               the same for ONNX runtimes
sirjax export weights runs/sir --out sir.safetensors     arrays with flat names, settings and licences inside
sirjax export from-torch sphere64a.pth --out start.safetensors      weights of PyTorch, to start a training from
sirjax export now runs/sir NoW_Dataset --list imagepathsvalidation.txt --out now      neutral meshes, 7 landmarks
sirjax export realy runs/sir REALY_image --toolkit REALY/data --out realy             one topology, 85 keypoints

Docs: docs/exporting.md, docs/weights.md; for the toolkits docs/evaluation.md.
"""

import argparse

from sirjax.cli.kinds import add_kinds

# What -> (module, one line of help).
KINDS = {
    "program": ("sirjax.cli.exporting.program", "photo to face as StableHLO, run by JAX alone"),
    "onnx": ("sirjax.cli.exporting.onnx", "photo to face as ONNX (extra: onnx)"),
    "weights": ("sirjax.cli.exporting.weights", "network weights as one .safetensors file"),
    "from-torch": ("sirjax.cli.exporting.from_torch", "PyTorch weights of SphereFace networks as such a file"),
    "now": ("sirjax.cli.exporting.now", "neutral meshes and 7 landmarks for the NoW benchmark's toolkit"),
    "realy": ("sirjax.cli.exporting.realy", "neutral meshes and 85 keypoints for the REALY benchmark's toolkit"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the kinds of export and the options of each."""
    add_kinds(parser, KINDS)


def run(args: argparse.Namespace) -> int:
    """Exports."""
    return args.run_kind(args)
