"""One command, thin sub-commands, errors in one line."""

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


def test_unknown_options_are_usage_errors(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", "benchmark", str(tmp_path), "--records", str(tmp_path), "--nonsense"])
    assert stop.value.code == 2
    assert "unknown option --nonsense for 'sirjax evaluate'" in capsys.readouterr().err
