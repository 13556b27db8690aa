"""Encoder and linear face model as one ONNX file: crops in, codes, vertices and landmarks out.

examples:
  pip install 'sirjax[onnx]'
  sirjax export onnx runs/sir --out sir.onnx
  sirjax export onnx runs/sir --out sir-codes.onnx --until codes
  python -c 'import numpy, onnxruntime; run = onnxruntime.InferenceSession("sir.onnx").run;
    print(run(["shape"], {"crops": numpy.zeros((2, 112, 96, 3), "float32")}))'

Opset 17, any number of crops. The file is compared with JAX in ONNX Runtime before it is written: outputs may differ by
1e-4 of their largest value. Albedo and rendering are not in it (`sirjax export program --until rendering` has them).
The metadata inside name units, frames and licences. Weights and face model are inside: if their terms are not plainly
free, only --i-may-share writes the file. Docs: docs/exporting.md.
"""

import argparse

from sirjax.cli.exporting import source
from sirjax.export.onnx_model import LEVELS, save_onnx
from sirjax.export.program import MESH


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export onnx`."""
    source.add_arguments(parser)
    parser.add_argument("--until", choices=LEVELS, default=MESH, help="how far it goes (default %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
      FileNotFoundError: if the run or the folder to write to is not there.
      ImportError: if the extra is not installed.
      PermissionError: if terms are restricted and nothing says that they allow it.
      RuntimeError: if ONNX Runtime and JAX disagree.
    """
    trained, licences = source.load(args)
    difference = save_onnx(
        args.out,
        trained.networks,
        trained.params,
        trained.face_model,
        trained.gains,
        until=args.until,
        run=source.name_of(args, trained),
        licence=args.licence,
        licences=licences.to_dict(),
    )
    print(f"wrote {args.out}, {source.size_of(args.out)}; ONNX Runtime differs from JAX by {difference:.1e} at most")
    return 0
