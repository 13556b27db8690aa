"""The trained system as one program: crops in, codes, meshes and renderings out, on cpu, cuda and tpu, with JAX alone.

examples:
  sirjax export program runs/sir --out sir.stablehlo                       codes, vertices, landmarks
  sirjax export program runs/sir --out sir.stablehlo --until rendering     and the face drawn back
  python -c 'import jax, numpy; run = jax.export.deserialize(bytearray(open("sir.stablehlo", "rb").read())).call;
    print(run(numpy.zeros((2, 112, 96, 3), "float32"))["shape"])'

Needs only jax and flatbuffers where it runs. Any number of crops goes in: float32 in [0, 1], eyes, nose and mouth on
the template that FILE.json beside the program states, with all inputs, outputs, units, frames and licences. Weights and
face model are inside: if their terms are not plainly free, only --i-may-share writes the file. Docs: docs/exporting.md.
"""

import argparse

from sirjax.cli.exporting import source
from sirjax.export.program import LEVELS, MESH, PLATFORMS, save_program


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export program`."""
    source.add_arguments(parser)
    parser.add_argument("--until", choices=LEVELS, default=MESH, help="how far it goes (default %(default)s)")
    parser.add_argument(
        "--platforms",
        default=",".join(PLATFORMS),
        metavar="LIST",
        help="what it shall run on, of cpu, cuda, rocm, tpu (default %(default)s); nothing of it is needed here",
    )


def run(args: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
      FileNotFoundError: if the run or the folder to write to is not there.
      PermissionError: if terms are restricted and nothing says that they allow it.
      ValueError: if a platform is unknown, or the file's name ends in .json.
    """
    trained, licences = source.load(args)
    program, manifest = save_program(
        args.out,
        trained.networks,
        trained.params,
        trained.face_model,
        trained.gains,
        until=args.until,
        platforms=[word.strip() for word in args.platforms.split(",") if word.strip()],
        run=source.name_of(args, trained),
        licence=args.licence,
        licences=licences.to_dict(),
    )
    print(f"wrote {program}, {source.size_of(program)}, for {args.platforms}, and {manifest} that describes it")
    return 0
