"""Network weights as one .safetensors file with all settings inside, for sirjax and for other programs.

examples:
  sirjax export weights runs/sir --out sir.safetensors
  sirjax export weights runs/sir --out sir-half.safetensors --dtype bfloat16 --licence CC-BY-4.0
  sirjax reconstruct photo.jpg --checkpoint sir.safetensors --out faces

Arrays have flat names (docs/weights.md); the file records networks, camera, the face model's fingerprint, the step and
all licences. The face model is not in it: the built-in one is in every installation, another one has to lie beside the
file under the name it was trained with. A run trained with a face model or photos that are not plainly free to pass on
is only exported with --i-may-share.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from sirjax.cli.exporting import source
from sirjax.morphable.builtin import BUILTIN
from sirjax.training.history import training_history
from sirjax.training.licences import Licences
from sirjax.training.setup import TrainedRun
from sirjax.training.weights import DTYPES, About, save_weights

NETWORKS = ("preset", "uv_size", "shared_stages", "albedo_maps", "block_bias", "dtype")
CONFIDENCE = ("pose_weight", "expression_decay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export weights`."""
    source.add_arguments(parser)
    parser.add_argument("--note", action="append", default=[], metavar="TEXT", help="a sentence for the file's records")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32", help="of the numbers (default float32)")


def run(args: argparse.Namespace) -> int:
    """Exports; returns the exit code.

    Raises:
      FileNotFoundError: if the run or the folder to write to is not there.
      PermissionError: if terms are restricted and nothing says that they allow it.
      ValueError: if the file's name does not end in .safetensors.
    """
    trained, licences = source.load(args)
    about = about_run(trained, licences, run=source.name_of(args, trained), licence=args.licence)
    about = replace(about, notes=args.note, training=training_history(args.source))
    save_weights(args.out, trained.params, about, dtype=args.dtype)
    print(f"wrote {args.out}, {source.size_of(args.out)}, {args.dtype}; licences: {describe(licences)}")
    return 0


def about_run(trained: TrainedRun, licences: Licences, *, run: str = "", licence: str = "") -> About:
    """What a weights file says of a run."""
    model = trained.settings["face_model"]
    return About(
        networks={name: trained.settings["networks"][name] for name in NETWORKS},
        camera=dict(trained.settings["camera"]),
        face_model={
            "file": BUILTIN if model["path"] == BUILTIN else Path(model["path"]).name,
            "orthonormalize": model["orthonormalize"],
            "name": trained.face_model.name,
            "fingerprint": trained.metadata["face_model"],
        },
        licences=licences.to_dict(),
        licence=licence,
        step=trained.metadata["step"],
        run=run,
        sir={name: trained.settings["sir"][name] for name in CONFIDENCE},
    )


def describe(licences: Licences) -> str:
    """All terms in a line."""
    recorded = licences.to_dict()
    data = [f"records {name}: {licence}" for name, licence in recorded["data"].items()]
    return "; ".join([f"face model: {recorded['face_model']['licence']}", *data])
