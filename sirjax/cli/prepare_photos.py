"""`sirjax prepare SOURCE RAW --out RECORDS`: raw data sets of photos to records of aligned crops."""

import argparse
import os
import re
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

from sirjax.data.images import JPEG_QUALITY
from sirjax.data.records import RecordSource
from sirjax.photo import MAX_MEGAPIXELS

_REASONS_SHOWN = 12
_EXAMPLES = """\
examples:
  sirjax prepare {name} RAW --out records/{name}
  sirjax prepare {name} RAW --out records/{name} --limit 200 --preview crops.png
"""


def add_parsers(kinds: Any) -> None:
    """Declares a sub-command for each raw data set.

    Args:
      kinds: what `add_subparsers` returned.
    """
    from data_prep.registry import SOURCES, add_source_arguments

    for name, (_, _, help_text) in SOURCES.items():
        parser = kinds.add_parser(
            name,
            help=help_text,
            description=help_text[0].upper() + help_text[1:] + ".",
            epilog=_EXAMPLES.format(name=name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_arguments(parser)
        add_source_arguments(name, parser.add_argument_group("of this data set"))
        parser.set_defaults(prepare=run)


def run(args: argparse.Namespace) -> int:
    """Prepares the photos, and those held out if they are asked for."""
    from data_prep.part_worker import Settings
    from data_prep.preparation import prepare
    from data_prep.registry import make_source
    from data_prep.selection import hold_out

    if args.held_out_to is not None and args.hold_out is None:
        raise ValueError("--held-out-to needs --hold-out: say which photos to hold out")
    if args.held_out_to is not None and args.held_out_to.resolve() == args.out.resolve():
        raise ValueError(f"--out and --held-out-to are both {args.out}: choose two folders")
    source = make_source(args.what, args)
    entries, selection = source.entries(), "all"
    sets = [(args.out, entries, selection)]
    if args.hold_out is not None:
        kept, held = hold_out(entries, args.hold_out)
        rule = Path(args.hold_out).name  # of a list file: no machine's path
        sets = [(args.out, kept, f"all but {rule}")]
        if args.held_out_to is not None:
            sets.append((args.held_out_to, held, rule))
    options = {
        "workers": args.workers,
        "overwrite": args.overwrite,
        "progress": not args.quiet,
        "settings": Settings(quality=args.quality, max_megapixels=args.max_megapixels),
    }
    if args.beam is not None:
        options["make"] = _beam_maker(args, getattr(source, "root", args.raw))
    for out, chosen, selection in sets:
        if args.limit is not None:
            chosen, selection = chosen[: args.limit], f"{selection}, the first {args.limit}"
        _report(prepare(source, out, entries=chosen, selection=selection, **options), out)
        if args.preview is not None:
            _preview(out, args.preview if out == args.out else args.preview.with_stem(args.preview.stem + "_held_out"))
    return 0


def _beam_maker(args: argparse.Namespace, root: Path) -> Any:
    try:
        from data_prep.beam_pipeline import beam_maker
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"--beam needs the extra beam ({error}): pip install 'sirjax[beam]'") from None
    raw_url = args.beam_raw
    if raw_url is not None and root.is_relative_to(args.raw):  # the photos may be in a folder below RAW
        raw_url = f"{raw_url.rstrip('/')}/{root.relative_to(args.raw).as_posix()}".removesuffix("/.")
    return beam_maker(shlex.split(args.beam), storage=args.beam_storage, raw_url=raw_url)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("raw", type=Path, metavar="RAW", help="the data set as downloaded and unpacked")
    parser.add_argument("--out", type=Path, required=True, help="the records folder to make")
    parser.add_argument(
        "--workers", type=_positive, default=os.cpu_count() or 1, help="processes (default: one per processor)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace records made of other input or settings")
    parser.add_argument("--limit", type=_positive, help="take only the first so many photos of each set")
    parser.add_argument(
        "--hold-out",
        metavar="RULE",
        help="leave out the last:N identities (photos, if there are none), every:N-th, or those listed in a file",
    )
    parser.add_argument("--held-out-to", type=Path, metavar="RECORDS", help="make records of those held out as well")
    parser.add_argument(
        "--quality",
        type=_quality,
        default=JPEG_QUALITY,
        help=f"of the JPEG crops, 1 to 100, or png for lossless ones (default {JPEG_QUALITY})",
    )
    parser.add_argument(
        "--max-megapixels", type=float, default=MAX_MEGAPIXELS, help=f"larger photos are rejected ({MAX_MEGAPIXELS:g})"
    )
    parser.add_argument("--preview", type=Path, metavar="PNG", help="draw 64 random crops with their landmarks")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    cluster = parser.add_argument_group("on many machines (docs/data.md, Beyond one machine)")
    cluster.add_argument(
        "--beam", metavar="OPTIONS", help='let Apache Beam make the crops: --beam="--runner=FlinkRunner ..."'
    )
    cluster.add_argument(
        "--beam-storage",
        metavar="URL",
        help="folder for work under way that all machines reach (default: beside the records)",
    )
    cluster.add_argument("--beam-raw", metavar="URL", help="where the workers find RAW (default: at the same path)")


def _report(records: RecordSource, out: Path) -> None:
    manifest = records.manifest
    people = f" of {records.num_identities} people" if records.num_identities else ""
    print(f"{out}: {len(records)} photos{people}, {manifest['rejected_count']} rejected")
    # Numbers and names differ from photo to photo: alike once they are taken out.
    kinds = Counter(re.sub(r"-?\d[\d.]*", "N", reason.split(": ")[0]) for reason in manifest["rejected"].values())
    for reason, count in kinds.most_common(_REASONS_SHOWN):
        print(f"  {count:7d}  {reason}")


def _preview(out: Path, path: Path) -> None:
    from data_prep.contact_sheet import write_contact_sheet
    from sirjax.data.records import open_records

    write_contact_sheet(open_records(out), path)
    print(f"{out}: see {path}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _quality(text: str) -> int | None:
    if text == "png":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"must be 1 to 100 or png, got {text}")
    return int(text)
