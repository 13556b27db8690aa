"""The completion scripts: one table for three shells; bash is asked what it would offer."""

import argparse
import subprocess

import pytest

from sirjax.cli import completion
from sirjax.cli.main import COMMANDS, main
from sirjax.cli.parsing import Parser


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("shell") / "sirjax.bash"
    with path.open("w") as file, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", file)
        assert main(["completion", "bash"]) == 0
    return path


def offered(script, *words):
    """What bash offers for the last word."""
    quoted = " ".join(f"'{word}'" for word in words)
    ask = f"source {script}; COMP_WORDS=(sirjax {quoted}); COMP_CWORD={len(words)}; _sirjax; echo ${{COMPREPLY[@]}}"
    return subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=False).stdout.split()


def test_bash_offers_commands_kinds_options_and_values(script):
    assert set(offered(script, "")) == set(COMMANDS)
    assert offered(script, "tra") == ["train"]
    assert offered(script, "evaluate", "sc") == ["scans"]
    assert offered(script, "face-model", "import", "fl") == ["flame"]
    assert offered(script, "reconstruct", "photo.jpg", "--che") == ["--checkpoint"]
    assert offered(script, "reconstruct", "--faces", "") == ["all", "largest"]
    assert offered(script, "train", "--config", "wa") == ["warmup"]
    assert offered(script, "train", "--config", "warmup", "--config.data.bat") == ["--config.data.batch_size="]
    assert offered(script, "export", "weights", "--dtype", "b") == ["bfloat16"]


def test_bash_leaves_file_names_to_itself(script):
    assert offered(script, "reconstruct", "") == []
    assert offered(script, "reconstruct", "--out", "") == []
    assert offered(script, "completion", "xyz") == []


def test_the_table_has_what_may_follow():
    parser = Parser()
    kinds = parser.add_subparsers()
    kind = kinds.add_parser("cut", add_help=False)
    kind.add_argument("how", choices=("thin", "thick"))
    kind.add_argument("--knife", choices=(1, 2))
    kind.add_argument("--out")
    kind.add_argument("--fast", action="store_true")
    table = completion.words_of(parser)
    assert table[""] == ["-h", "--help", "cut"]
    assert table["cut"] == ["thin", "thick", "--knife", "--out", "--fast"]
    assert (table["cut --knife"], table["cut --out"]) == (["1", "2"], [completion.FILES])
    assert "cut --fast" not in table


@pytest.mark.parametrize("shell", completion.SCRIPTS)
def test_every_shell_gets_the_whole_table(shell):
    text = completion.SCRIPTS[shell]({"": ["train"], "train --config": ["warmup", "sir"], "empty": []})
    assert '"train --config"' in text
    assert "warmup sir" in text
    assert '"empty"' not in text


def test_an_unknown_shell_is_a_usage_error(capsys):
    with pytest.raises(SystemExit):
        main(["completion", "csh"])
    assert capsys.readouterr().err == (
        "sirjax completion: error: unknown shell 'csh': did you mean zsh? Choose from bash, zsh, fish\n"
    )


def test_a_bare_parser_gives_an_empty_place():
    assert completion.words_of(argparse.ArgumentParser(add_help=False)) == {"": []}
