"""The `sirjax` command: one thin module per sub-command."""

import argparse
import importlib
import sys
import traceback

from sirjax.memory import keep_freed_memory

# Sub-command -> (module, one line of help). Modules are imported only when asked for: `sirjax --help` stays instant.
COMMANDS = {
    "train": ("sirjax.cli.train", "train from records (start the same command again and it goes on)"),
    "prepare": ("sirjax.cli.prepare", "make training records"),
    "face-model": ("sirjax.cli.face_model", "import published face models, describe and draw them"),
    "evaluate": ("sirjax.cli.evaluate", "measure recognizability, shape and landmarks"),
    "export": ("sirjax.cli.export", "write what other programs read: benchmark toolkits"),
    "reconstruct": ("sirjax.cli.reconstruct", "photos in, 3D faces out"),
    "doctor": ("sirjax.cli.doctor", "show which rendering backends work here, and why others do not"),
}


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The parser of all sub-commands; the arguments of `only` are filled in, the others stay bare."""
    parser = argparse.ArgumentParser(prog="sirjax", description="Recognizable 3D face shapes from single photos.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of errors")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (module, help_text) in COMMANDS.items():
        if name != only:
            commands.add_parser(name, help=help_text, add_help=False)
            continue
        implementation = importlib.import_module(module)
        sub = commands.add_parser(
            name,
            help=help_text,
            description=implementation.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        implementation.add_arguments(sub)
        sub.set_defaults(run=implementation.run, takes_settings=getattr(implementation, "TAKES_SETTINGS", False))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one sub-command; returns the exit code: 0 done, 1 error, 2 wrong usage or partly failed (see --help)."""
    argv = sys.argv[1:] if argv is None else list(argv)
    command = next((word for word in argv if word in COMMANDS), None)
    parser = build_parser(command)
    args, settings = parser.parse_known_args(argv)
    if settings and not args.takes_settings:
        parser.error(f"unknown option {settings[0]} for 'sirjax {command}'; see 'sirjax {command} --help'")
    args.settings = settings
    keep_freed_memory()
    try:
        return args.run(args) or 0
    except KeyboardInterrupt:
        print("sirjax: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        else:
            print(f"sirjax {args.command}: error: {error or type(error).__name__}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
