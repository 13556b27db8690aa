"""What all exports of trained networks share: where they come from, and whether they may be passed on."""

import argparse
from pathlib import Path

from sirjax.training.licences import PERMISSION, Licences, licences_of
from sirjax.training.setup import TrainedRun, load_run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the source and the permission."""
    parser.add_argument("source", type=Path, metavar="RUN", help="run directory, .safetensors file, or builtin")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the file to write")
    parser.add_argument("--licence", default="", help="terms you give the file under, for its records")
    parser.add_argument(
        PERMISSION,
        action="store_true",
        dest="may_share",
        help="the terms of face model and photos, which the file records, let you pass it on",
    )


def load(args: argparse.Namespace) -> tuple[TrainedRun, Licences]:
    """The networks to export and the terms they stand under.

    Raises:
      FileNotFoundError: if the source is not there, or the folder to write to.
      PermissionError: if the terms are restricted and the user does not say that they allow it.
    """
    check_target(args.out)
    run = load_run(args.source)
    licences = licences_of(args.source, run.face_model)
    licences.require_shareable(allowed=args.may_share)
    return run, licences


def check_target(out: Path) -> None:
    """Finds out before the work whether the file can be written.

    Raises:
      FileNotFoundError: if its folder is not there.
    """
    if not out.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of --out does not exist: {out.absolute().parent}")


def name_of(args: argparse.Namespace, run: TrainedRun) -> str:
    """Which weights, for the records; no path of this machine."""
    return f"{args.source.absolute().name}, step {run.metadata['step']}"


def size_of(path: Path) -> str:
    """The size of a file, to be read by people."""
    return f"{path.stat().st_size / 1e6:.1f} MB"
