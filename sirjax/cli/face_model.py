"""Face models: import published ones, look at them.

  sirjax face-model import surrey FOLDER --out surrey.npz     bfm2009, 3ddfa, bfm2017, flame, gnm, ict, surrey
  sirjax face-model info surrey.npz                           units, counts, symmetry, landmarks, licence, fingerprint
  sirjax face-model render surrey.npz --out surrey.png        mean, landmarks, modes, random faces, albedo, UV layout

`import` takes the folder the model was unpacked to, or its main file with the others beside it; docs/face_model.md
lists the files of each format and where to request them. The result goes to --config.face_model.path of `sirjax train`
and to --face-model of `sirjax prepare synthetic`. `info` and `render` also take "builtin".
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax face-model`."""
    from data_prep.face_models.formats import FORMATS

    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    formats = "\n".join(f"  {name:9s} {what}" for name, (_, what) in FORMATS.items())
    importing = actions.add_parser(
        "import",
        help="convert a published model",
        description=f"Convert a published model.\n\nformats:\n{formats}",
        epilog="example:\n  sirjax face-model import flame FLAME2023 --out flame.npz --modes 100 50 --orthonormalize",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    importing.add_argument("format", choices=FORMATS, metavar="FORMAT", help=f"one of {', '.join(FORMATS)}")
    importing.add_argument("path", type=Path, help="folder, or main file with the others beside it")
    importing.add_argument("--out", required=True, type=Path, help="the .npz file to write")
    importing.add_argument("--orthonormalize", action="store_true", help="make the shape modes orthonormal")
    importing.add_argument(
        "--modes", nargs=2, type=int, metavar=("N", "M"), help="keep N shape and M expression modes (default: all)"
    )
    importing.add_argument(
        "--landmarks", type=Path, help="own list of landmarks: lines `iBUG number from 1 = vertex number from 0`"
    )
    importing.add_argument("--uv-size", type=int, default=256, help="side of the mean albedo map (default 256)")
    importing.add_argument("--name", help="name of the model (default: the format's)")
    importing.add_argument("--licence", help="licence of your copy, where it differs from the usual one")
    info = actions.add_parser(
        "info",
        help="print what there is to know of a model",
        epilog="examples:\n  sirjax face-model info builtin\n  sirjax face-model info flame.npz --json",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    info.add_argument("model", help='an .npz file, or "builtin"')
    info.add_argument("--json", action="store_true", help="print JSON instead of text")
    render = actions.add_parser(
        "render",
        help="draw a model into one picture",
        epilog="example:\n  sirjax face-model render flame.npz --out flame.png --seed 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    render.add_argument("model", help='an .npz file, or "builtin"')
    render.add_argument("--out", required=True, type=Path, help="the .png file to write")
    render.add_argument("--size", type=int, default=256, help="side of a small tile in pixels (default 256)")
    render.add_argument("--seed", type=int, default=0, help="of the random faces")


def run(args: argparse.Namespace) -> int:
    """Imports, describes or draws a model."""
    {"import": _import, "info": _info, "render": _render}[args.action](args)
    return 0


def _import(args: argparse.Namespace) -> None:
    from data_prep.face_models.building import build
    from data_prep.face_models.formats import read
    from data_prep.face_models.landmarks import read_landmark_list
    from sirjax.morphable.storage import save_face_model
    from sirjax.morphable.summary import summary

    if args.out.suffix != ".npz":
        raise ValueError(f"--out must end in .npz, got {args.out}")
    if args.uv_size < 16:
        raise ValueError(f"--uv-size must be at least 16, got {args.uv_size}")
    if not args.out.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of --out does not exist: {args.out.absolute().parent}")
    raw = read(args.format, args.path)
    raw = replace(raw, name=args.name or raw.name, licence=args.licence or raw.licence)
    if args.landmarks:
        landmarks = read_landmark_list(args.landmarks)
        if landmarks.vertices.max() >= len(raw.mean):
            raise ValueError(f"{args.landmarks} names vertex {landmarks.vertices.max()}, the model has {len(raw.mean)}")
        raw = replace(raw, landmarks=landmarks)
    num_shape, num_expression = args.modes or (None, None)
    model, report = build(
        raw,
        num_shape=num_shape,
        num_expression=num_expression,
        orthonormal=args.orthonormalize,
        uv_size=args.uv_size,
    )
    save_face_model(model, args.out)
    print("\n".join([*summary(model)[:-1], *(f"note: {note}" for note in report.notes)]))
    print(f"wrote {args.out}")


def _info(args: argparse.Namespace) -> None:
    from sirjax.morphable.builtin import load
    from sirjax.morphable.summary import facts, summary

    model = load(args.model)
    print(json.dumps(facts(model), indent=2) if args.json else "\n".join(summary(model)))


def _render(args: argparse.Namespace) -> None:
    from sirjax.export.files import write_image
    from sirjax.morphable.builtin import load
    from sirjax.pictures.model_sheet import model_sheet

    if args.out.suffix.lower() != ".png":
        raise ValueError(f"--out must end in .png, got {args.out}")
    if args.size < 64:
        raise ValueError(f"--size must be at least 64, got {args.size}")
    write_image(args.out, model_sheet(load(args.model), size=args.size, seed=args.seed))
    print(f"wrote {args.out}")
