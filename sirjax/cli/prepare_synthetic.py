"""Render photos of people who do not exist.

examples:
  sirjax prepare synthetic --out records
  sirjax prepare synthetic --out records --identities 300 --images-per-identity 14 --seed 1

Makes OUT/identity (identity labels), OUT/landmark (68 landmarks) and OUT/benchmark (people of neither, both labels). A
set that is there already with the same settings is kept; another one is refused unless --overwrite is given.
"""

import argparse
from pathlib import Path

from sirjax.data.records import MANIFEST, open_records


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("--out", required=True, type=Path, help="folder that receives the sets")
    parser.add_argument("--face-model", default="builtin", help='"builtin" or the .npz file of another face model')
    parser.add_argument("--seed", type=int, default=0, help="another seed, other people (default 0)")
    parser.add_argument("--identities", type=_count, default=200, help="people of the identity set (0: no set)")
    parser.add_argument("--images-per-identity", type=_count, default=10, help="photos of each, also benchmark")
    parser.add_argument("--landmark-images", type=_count, default=4000, help="photos of the landmark set")
    parser.add_argument("--benchmark-identities", type=_count, default=40, help="held-out people (0: no set)")
    parser.add_argument(
        "--albedo-per-image",
        action="store_true",
        help="new skin and hair in every photo: only shape identifies",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace sets that were made with other settings")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Renders the sets that are not there yet."""
    from sirjax.data.synthetic import set_parameters, write_synthetic_set
    from sirjax.morphable.builtin import load

    sets = {
        "identity": (args.identities, args.images_per_identity),
        "landmark": (args.landmark_images, 1),
        "benchmark": (args.benchmark_identities, args.images_per_identity),
    }
    face_model = load(args.face_model)
    for kind, (num_identities, images_per_identity) in sets.items():
        if num_identities == 0:
            continue
        path = args.out / kind
        options = {
            "num_identities": num_identities,
            "images_per_identity": images_per_identity,
            "kind": kind,
            "seed": args.seed,
            "albedo_per_identity": not args.albedo_per_image,
        }
        if (path / MANIFEST).is_file() and not args.overwrite:
            records = open_records(path)
            if records.manifest["parameters"] != set_parameters(face_model, **options):
                raise FileExistsError(f"{path} was made with other settings: choose another --out, or give --overwrite")
            state = "kept"
        else:
            records = write_synthetic_set(
                path, face_model, overwrite=args.overwrite, progress=not args.quiet, **options
            )
            state = "made"
        people = f" of {records.num_identities} people" if records.num_identities else ""
        print(f"{state} {path}: {len(records)} photos{people}")
    return 0


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {value}")
    return value
