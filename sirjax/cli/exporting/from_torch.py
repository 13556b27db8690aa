"""PyTorch weights of SphereFace networks as a weights file of sirjax, to start a training from or to look into.

examples:
  sirjax export from-torch sphere20a_20171020.pth --out start.safetensors
  sirjax train --config warmup --workdir runs/warmup --config.networks.preset=sphere20 \\
    --config.init_from=start.safetensors
  sirjax export from-torch net_epoch_5.pkl --out theirs.safetensors --face-model bfm.npz

Known are the public networks of sphereface and CosFace in PyTorch (conv1_1, layer1.0, ...; 20 or 64 layers), and the
layout of the paper's authors' net.py with its branches, albedo decoder and ConfNet. Nothing in the file is executed.
Their last layers (identity features, codes in other units) are left out: those of the result start fresh. Docs:
docs/weights.md.
"""

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from sirjax.cli.exporting import source
from sirjax.morphable.builtin import BUILTIN
from sirjax.morphable.storage import fingerprint
from sirjax.networks.safetensors_file import read_safetensors
from sirjax.networks.torch_weights import PREPROCESSING, convert_torch
from sirjax.networks.weight_files import read_torch
from sirjax.training.licences import Licences
from sirjax.training.setup import Settings, make_face_model, make_networks_for
from sirjax.training.weights import SUFFIX, About, merge, save_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax export from-torch`."""
    parser.add_argument("source", type=Path, metavar="FILE", help="state dict of PyTorch (.pth, .pkl) or .safetensors")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the .safetensors file to write")
    parser.add_argument(
        "--face-model", default=BUILTIN, help="that the networks shall read (default: the built-in one)"
    )
    parser.add_argument("--uv-size", type=int, default=256, help="texels on a side of the albedo map (default 256)")
    parser.add_argument(
        "--preprocessing",
        choices=tuple(PREPROCESSING),
        help="how the networks were fed (default: as the public code of each feeds them)",
    )
    parser.add_argument("--licence", default="", help="terms of the weights you import, for the file's records")
    parser.add_argument("--seed", type=int, default=0, help="of the layers that start fresh (default 0)")


def run(args: argparse.Namespace) -> int:
    """Imports; returns the exit code.

    Raises:
      FileNotFoundError: if the file, the face model or the folder to write to is not there.
      ValueError: if the file is damaged, wants to run code, or holds another network.
    """
    source.check_target(args.out)
    if not args.source.is_file():
        raise FileNotFoundError(f"no weights at {args.source}: name a state dict of PyTorch")
    read = read_safetensors if args.source.suffix == SUFFIX else read_torch
    try:
        found = convert_torch(read(args.source), args.preprocessing)
    except ValueError as error:
        raise ValueError(f"{args.source} cannot be imported: {error}") from None
    settings: Settings = ConfigDict(
        {
            "networks": {
                "preset": found.preset,
                "uv_size": args.uv_size,
                "shared_stages": 2,
                "albedo_maps": found.albedo_maps,
                "block_bias": found.block_bias,
                "dtype": "float32",
            },
            "face_model": {"path": args.face_model, "orthonormalize": True},
        }
    )
    face_model = make_face_model(settings.face_model)
    networks = make_networks_for(settings.networks, face_model)
    images = jnp.zeros((1, *networks.image_size, 3))
    # The hardware generator: the usual one takes long to compile for so many arrays.
    fresh = jax.jit(networks.init)(jax.random.key(args.seed, impl="rbg"), images)["params"]
    params, missing = merge(fresh, found.params)
    about = About(
        networks=settings.networks.to_dict(),
        camera={"quaternion_gain": 1.0, "scale_gain": 0.1, "translation_gain": 0.1},
        face_model={
            "file": BUILTIN if args.face_model == BUILTIN else Path(args.face_model).name,
            "orthonormalize": True,
            "name": face_model.name,
            "fingerprint": fingerprint(face_model),
        },
        licences=Licences(face_model.name, face_model.licence, {args.source.name: args.licence}).to_dict(),
        licence=args.licence,
        run=f"imported from {args.source.name}",
        notes=[*found.notes, f"start fresh: {', '.join(sorted({name.rsplit('/', 1)[0] for name in missing}))}"],
    )
    save_weights(args.out, params, about)
    print("\n".join(f"note: {note}" for note in about.notes))
    print(
        f"wrote {args.out}, {source.size_of(args.out)}: {found.preset}, {len(found.used)} arrays of {args.source.name}"
    )
    return 0
