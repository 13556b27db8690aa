"""Misspelt commands, kinds, options and formats: one line that names the nearest one."""

import argparse

import pytest

from sirjax.cli.parsing import Parser, UsageError, explain, nearest, options_of, unknown_options, unknown_word


def kitchen():
    parser = Parser(prog="kitchen")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    bake = commands.add_parser("bake")
    bake.add_argument("--oven", required=True, choices=("gas", "electric"))
    bake.add_argument("--minutes", type=int)
    commands.add_parser("boil")
    return parser


def complaint(*words):
    with pytest.raises(UsageError) as caught:
        kitchen().parse_args(words)
    return f"{caught.value.parser.prog}: {explain(caught.value, words)}"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["bkae"], "kitchen: unknown COMMAND 'bkae': did you mean bake? Choose from bake, boil"),
        (["xyz"], "kitchen: unknown COMMAND 'xyz': choose from bake, boil"),
        ([], "kitchen: COMMAND missing: see 'kitchen --help'"),
        (["bake"], "kitchen bake: --oven missing: see 'kitchen bake --help'"),
        (["bake", "--ovn=gas"], "kitchen bake: unknown option --ovn: did you mean --oven? See 'kitchen bake --help'"),
        (
            ["bake", "--oven", "gsa"],
            "kitchen bake: unknown --oven 'gsa': did you mean gas? Choose from gas, electric",
        ),
        (
            ["bake", "--oven", "gas", "--minutes", "ten"],
            "kitchen bake: argument --minutes: invalid int value: 'ten': see 'kitchen bake --help'",
        ),
    ],
)
def test_one_line_says_what_to_type_instead(words, text):
    assert complaint(*words) == text


def test_the_innermost_parser_answers_for_left_over_words():
    args, rest = kitchen().parse_known_args(["bake", "--oven", "gas", "--minuets", "3"])
    assert rest == ["--minuets", "3"]
    remedy = "did you mean --minutes? See 'kitchen bake --help'"
    assert unknown_word(args.parser, "--minuets") == f"unknown option --minuets: {remedy}"
    assert unknown_word(args.parser, "3") == "unexpected '3': see 'kitchen bake --help'"


def test_settings_are_suggested_where_there_are_any():
    text = unknown_word(kitchen(), "--rate=3", setting=lambda name: f"--config.{name}")
    assert text == "unknown option --rate: did you mean --config.rate? See 'kitchen --help'"


def test_abbreviations_and_settings_are_not_unknown():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes")
    parser.add_argument("--dry-run", action="store_true")
    assert options_of(parser) == ["--minutes", "--dry-run"]  # usage lines name help by its short option
    assert unknown_options(parser, ["--min=3", "--config.x=1", "--dry", "--wet", "bake"]) == ["--wet"]


def test_nothing_is_near_a_word_of_another_kind():
    assert nearest("xyz", ["bake", "boil"]) == ""
    assert nearest("boi", ["bake", "boil"]) == "boil"
