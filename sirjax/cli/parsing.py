"""Argument parsers whose complaints are one line that says what to type instead."""

import argparse
import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

SETTING = "--config."  # what options that are settings start with; see `sirjax train`


class UsageError(Exception):
    """A command line that cannot be understood; `parser` is the one, of a sub-command, that gave up."""

    def __init__(self, parser: argparse.ArgumentParser, message: str):
        super().__init__(message)
        self.parser = parser


class Parser(argparse.ArgumentParser):
    """Raises `UsageError` instead of printing the usage; keeps descriptions and examples as they are written.

    Its sub-parsers are of the same kind.
    """

    def __init__(self, **settings):
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, **settings})
        self.set_defaults(parser=self)  # the innermost one wins: whoever reads the arguments can ask it for its options

    def error(self, message: str) -> NoReturn:
        """Gives up on the command line.

        Raises:
          UsageError: always.
        """
        raise UsageError(self, message)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` is most likely a misspelling of; "" if none is near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a parser."""
    return list(dict.fromkeys(re.findall(r"(?<![\w-])--[a-z][\w-]*", parser.format_usage())))


def explain(error: UsageError, words: Sequence[str]) -> str:
    """One line that says what is wrong with a command line and what to type instead.

    Args:
      error: what the parser said.
      words: the command line.
    """
    parser, message = error.parser, str(error)
    choice = re.search(r"argument (.*?): invalid choice: '(.*?)' \(choose from (.*)\)", message)
    if choice:
        what, word, listed = choice.groups()
        known = [name.strip(" '\"") for name in listed.split(",")]
        like = nearest(word, known)
        hint = f"did you mean {like}? Choose" if like else "choose"
        return f"unknown {what} {word!r}: {hint} from {', '.join(known)}"
    if message.startswith("the following arguments are required: "):
        misspelt = unknown_options(parser, words)
        return unknown_word(parser, misspelt[0]) if misspelt else f"{message.split(': ')[1]} missing: {_help(parser)}"
    return f"{message}: {_help(parser)}"


def unknown_word(parser: argparse.ArgumentParser, word: str, *, setting: Callable[[str], str] | None = None) -> str:
    """What to say about a word of the command line that a parser has no use for.

    Args:
      parser: of the sub-command.
      word: an option, also with `=value`, or a bare word.
      setting: of a command that takes settings, what names the setting most like a word; "" if none is.
    """
    if not word.startswith("-"):
        return f"unexpected {word!r}: {_help(parser)}"
    name = word.split("=")[0]
    like = nearest(name, options_of(parser)) or (setting(name.strip("-")) if setting else "")
    return f"unknown option {name}: {f'did you mean {like}? See' if like else 'see'} '{parser.prog} --help'"


def unknown_options(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """The long options among `words` that a parser does not have; settings (--config.*) left out."""
    known = options_of(parser)
    found = [word.split("=")[0] for word in words if word.startswith("--") and not word.startswith(SETTING)]
    return [name for name in found if not any(option.startswith(name) for option in known)]


def _help(parser: argparse.ArgumentParser) -> str:
    return f"see '{parser.prog} --help'"
