"""Render photos of people who do not exist.

examples:
  sirjax prepare synthetic --out records
  sirjax prepare synthetic --out records --identities 300 --images-per-identity 14 --seed 1
  sirjax prepare synthetic --out records --backgrounds holidays --backgrounds-licence "CC0-1.0, my own photos"

Makes OUT/identity (identity labels), OUT/landmark (68 landmarks) and OUT/benchmark (people of neither, both labels). A
set that is there already with the same settings is kept; another one is refused unless --overwrite is given.

With --backgrounds a share of the faces stands before parts of your photos that show no face. The sets then carry the
terms of these photos, and so does what is trained on them.
"""

import argparse
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from sirjax.data.records import MANIFEST, open_records

if TYPE_CHECKING:
    from data_prep.background_photos import BackgroundFolder
    from sirjax.data.photo_backgrounds import PhotoBackgrounds

_REASONS_SHOWN = 5


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
    photos = parser.add_argument_group("backgrounds from photos")
    photos.add_argument("--backgrounds", type=Path, metavar="FOLDER", help="photos to cut backgrounds from")
    photos.add_argument(
        "--background-share", type=_share, metavar="SHARE", help="of the rendered photos that get one (default 0.5)"
    )
    photos.add_argument("--backgrounds-licence", metavar="TEXT", help="terms of FOLDER's photos (default: unknown)")
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
    folder = _background_folder(args)
    face_model = load(args.face_model)
    photo_backgrounds = None
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
            description = None if folder is None else folder.description
            if records.manifest["parameters"] != set_parameters(face_model, photo_backgrounds=description, **options):
                raise FileExistsError(f"{path} was made with other settings: choose another --out, or give --overwrite")
            state = "kept"
        else:
            if folder is not None and photo_backgrounds is None:
                photo_backgrounds = folder.search(progress=not args.quiet)
                _report(photo_backgrounds, args.backgrounds)
            records = write_synthetic_set(
                path,
                face_model,
                photo_backgrounds=photo_backgrounds,
                overwrite=args.overwrite,
                progress=not args.quiet,
                **options,
            )
            state = "made"
        people = f" of {records.num_identities} people" if records.num_identities else ""
        print(f"{state} {path}: {len(records)} photos{people}")
    return 0


def _background_folder(args: argparse.Namespace) -> "BackgroundFolder | None":
    if args.backgrounds is None:
        for option in ("background_share", "backgrounds_licence"):
            if getattr(args, option) is not None:
                name = option.replace("_", "-")
                raise ValueError(f"--{name} needs --backgrounds: name the folder of photos to cut backgrounds from")
        return None
    from data_prep.background_photos import BackgroundFolder

    share = 0.5 if args.background_share is None else args.background_share
    if share == 0:
        return None  # the pictures show nothing of the photos, whose terms then do not matter
    return BackgroundFolder(args.backgrounds, share=share, seed=args.seed, licence=args.backgrounds_licence or "")


def _report(backgrounds: "PhotoBackgrounds", folder: Path) -> None:
    print(f"{folder}: backgrounds from {len(backgrounds.photos)} photos, {len(backgrounds.left_out)} left out")
    # Numbers and names differ from photo to photo: alike once they are taken out.
    reasons = Counter(re.sub(r"-?\d[\d.]*", "N", reason.split(": ")[0]) for reason in backgrounds.left_out.values())
    for reason, count in reasons.most_common(_REASONS_SHOWN):
        print(f"  {count:7d}  {reason}")


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be 0 or more, got {value}")
    return value
