"""Sub-commands of sub-commands: `sirjax evaluate WHAT`, `sirjax export WHAT`."""

import argparse
import importlib
from collections.abc import Mapping


def add_kinds(parser: argparse.ArgumentParser, kinds: Mapping[str, tuple[str, str]]) -> None:
    """Declares the kinds of a sub-command and the options of each; `args.run_kind` is what runs the chosen one.

    Args:
      parser: of the sub-command.
      kinds: name -> (module with `add_arguments` and `run`, one line of help).
    """
    choices = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, (module, help_text) in kinds.items():
        implementation = importlib.import_module(module)
        kind = choices.add_parser(
            name,
            help=help_text,
            description=implementation.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        implementation.add_arguments(kind)
        kind.set_defaults(run_kind=implementation.run)
