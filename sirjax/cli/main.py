"""The `sirjax` command: one thin module per sub-command."""

import argparse
import importlib
import sys
import traceback
from importlib import metadata
from typing import NoReturn

from sirjax.cli.compiled import keep_compiled
from sirjax.cli.errors import one_line
from sirjax.cli.parsing import SETTING, Parser, UsageError, explain, unknown_word
from sirjax.memory import keep_freed_memory

# Sub-command -> (module, one line of help). Modules are imported only when asked for: `sirjax --help` stays instant.
COMMANDS = {
    "train": ("sirjax.cli.train", "train from records (start the same command again and it goes on)"),
    "prepare": ("sirjax.cli.prepare", "make training records"),
    "face-model": ("sirjax.cli.face_model", "import published face models, describe and draw them"),
    "evaluate": ("sirjax.cli.evaluate", "measure recognizability, shape and landmarks"),
    "export": ("sirjax.cli.export", "write what other programs read: programs, weights, benchmark toolkits"),
    "reconstruct": ("sirjax.cli.reconstruct", "photos in, 3D faces out"),
    "view": ("sirjax.cli.view", "reconstructed faces on one page: photo, mesh to turn, two faces compared"),
    "doctor": ("sirjax.cli.doctor", "show what works on this machine, and what would help where it does not"),
    "completion": ("sirjax.cli.completion", "print a script that completes commands in bash, zsh or fish"),
}
EPILOG = """\
examples:
  sirjax prepare synthetic --out records
  sirjax train --config warmup --workdir runs/warmup --config.data.landmark=records/landmark
  sirjax reconstruct photo.jpg
  sirjax COMMAND --help

exit codes: 0 done; 1 error; 2 wrong usage, or some photos or scans failed; 75 another host hangs, start again;
130 interrupted (Ctrl-C). Errors are one line; --debug, before or after the command, shows the traceback.
"""
# Commands that, started again, continue -> where.
GOES_ON = {"train": "from its last checkpoint", "prepare": "where it was"}


# Commands that run trained networks: they keep what they compile. A training that goes on compiles as it did before.
READERS = ("reconstruct", "evaluate", "export")


def build_parser(*filled: str) -> argparse.ArgumentParser:
    """The parser of all sub-commands; the arguments of those `filled` are declared, the others stay bare."""
    parser = Parser(prog="sirjax", description="Recognizable 3D face shapes from single photos.", epilog=EPILOG)
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    parser.add_argument("--version", action="version", version=f"sirjax {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, help_text) in COMMANDS.items():
        if name not in filled:
            commands.add_parser(name, help=help_text, add_help=False)
            continue
        implementation = importlib.import_module(module)
        sub = commands.add_parser(name, help=help_text, description=implementation.__doc__)
        implementation.add_arguments(sub)
        sub.set_defaults(run=implementation.run, takes_settings=getattr(implementation, "SETTINGS", None))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one sub-command; returns the exit code: 0 done, 1 error, 2 wrong usage or partly failed (see --help)."""
    words = [word for word in (sys.argv[1:] if argv is None else argv) if word != "--debug"]
    debug = len(words) < len(sys.argv[1:] if argv is None else argv)
    command = next((word for word in words if not word.startswith("-")), "")
    if command in READERS:
        keep_compiled()
    args = parse(words, command)
    keep_freed_memory()
    try:
        return args.run(args) or 0
    except KeyboardInterrupt:
        goes_on = f": the same command, started again, goes on {GOES_ON[command]}" if command in GOES_ON else ""
        print(f"sirjax {command}: interrupted{goes_on}", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            print(f"sirjax {command}: error: {one_line(error)}", file=sys.stderr)
        return 1


def parse(words: list[str], command: str) -> argparse.Namespace:
    """The arguments of a command line; `settings` are the --config.* options of a command that takes them.

    Raises:
      SystemExit: with 2 and one line if it cannot be understood, with 0 after --help and --version.
    """
    try:
        args, rest = build_parser(command).parse_known_args(words)
    except UsageError as error:
        _give_up(error.parser, explain(error, words))
    for before, word in zip(["", *rest], rest, strict=False):
        is_value = not word.startswith("-") and before.startswith(SETTING) and "=" not in before
        if not args.takes_settings or not (word.startswith(SETTING) or is_value):
            _give_up(args.parser, unknown_word(args.parser, word, setting=args.takes_settings))
    args.settings = rest
    return args


def _give_up(parser: argparse.ArgumentParser, text: str) -> NoReturn:
    parser.exit(2, f"{parser.prog}: error: {text}\n")
    raise SystemExit(2)  # `exit` does not return, but does not say so


def _version() -> str:
    try:
        return metadata.version("sirjax")
    except metadata.PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    sys.exit(main())
