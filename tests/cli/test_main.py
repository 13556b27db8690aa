"""One command, thin sub-commands, errors in one line."""

import argparse
import re
import subprocess
import sys

import pytest

from sirjax.cli import main as cli


def test_help_names_every_command_quickly():
    shown = subprocess.run(
        [sys.executable, "-m", "sirjax.cli.main", "--help"], capture_output=True, text=True, check=True
    )
    assert all(name in shown.stdout for name in cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    assert f"usage: sirjax {command}" in capsys.readouterr().out


def test_errors_are_one_line_without_traceback(tmp_path, capsys):
    code = cli.main(["evaluate", "benchmark", str(tmp_path), "--records", str(tmp_path)])
    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("sirjax evaluate: error: ")
    assert error.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path, capsys):
    assert cli.main(["--debug", "evaluate", "benchmark", str(tmp_path), "--records", str(tmp_path)]) == 1
    assert "Traceback" in capsys.readouterr().err


def refused(*words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(list(words))
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_unknown_options_are_usage_errors(tmp_path, capsys):
    error = refused("evaluate", "benchmark", str(tmp_path), "--records", "x", "--bach", "3", capsys=capsys)
    assert error == (
        "sirjax evaluate benchmark: error: unknown option --bach: did you mean --batch? "
        "See 'sirjax evaluate benchmark --help'\n"
    )


def test_settings_are_for_training_only(tmp_path, capsys):
    error = refused("evaluate", "benchmark", str(tmp_path), "--records", "x", "--config.seed=3", capsys=capsys)
    assert "unknown option --config.seed: " in error


def test_options_that_should_be_settings_name_the_setting(tmp_path, capsys):
    error = refused("train", "--config", "sir", "--workdir", str(tmp_path), "--batch_size=8", capsys=capsys)
    assert "unknown option --batch_size: did you mean --config.data.batch_size?" in error


def test_stray_words_are_refused(tmp_path, capsys):
    error = refused("train", "sir", "--config", "sir", "--workdir", str(tmp_path), capsys=capsys)
    assert error.startswith("sirjax train: error: unexpected 'sir'")


def test_values_of_settings_may_be_words_of_their_own():
    args = cli.parse(["train", "--config", "sir", "--workdir", "x", "--config.seed", "3"], "train")
    assert args.settings == ["--config.seed", "3"]


def test_debug_may_stand_anywhere(tmp_path, capsys):
    assert cli.main(["evaluate", "benchmark", str(tmp_path), "--records", str(tmp_path), "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_is_told_with_what_to_do(monkeypatch, capsys, tmp_path):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("sirjax.cli.train.run", interrupted)
    assert cli.main(["train", "--config", "sir", "--workdir", str(tmp_path)]) == 130
    told = "sirjax train: interrupted: the same command, started again, goes on from its last checkpoint\n"
    assert capsys.readouterr().err == told


def parsers(parser, path):
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from parsers(inner, f"{path} {name}")


def test_every_help_has_an_example():
    without = [
        path
        for path, parser in parsers(cli.build_parser(*cli.COMMANDS), "sirjax")
        if not re.search(r"^ *(python -m )?sirjax .*\w", parser.format_help().partition("\n\n")[2], re.M)
    ]
    assert without == []
