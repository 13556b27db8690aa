"""Make training records: rendered ones, or aligned crops of real photos.

  sirjax prepare synthetic --out records
  sirjax prepare identity-folders VGGFace2/train --out records/vggface2 --workers 8
  sirjax prepare landmark-files 300W --out records/300w --hold-out every:10 --held-out-to records/300w_held_out

An interrupted preparation goes on when the same command is started again. Records that are there already with the same
input and settings are kept; others are refused unless --overwrite is given. `sirjax prepare WHAT --help` lists the
options of each; docs/data.md says what the records hold.
"""

import argparse

from sirjax.cli import prepare_photos, prepare_synthetic


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `sirjax prepare`."""
    kinds = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    synthetic = kinds.add_parser(
        "synthetic",
        help="rendered photos of people who do not exist",
        description=prepare_synthetic.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepare_synthetic.add_arguments(synthetic)
    synthetic.set_defaults(prepare=prepare_synthetic.run)
    prepare_photos.add_parsers(kinds)


def run(args: argparse.Namespace) -> int:
    """Makes the records that are not there yet."""
    return args.prepare(args)
