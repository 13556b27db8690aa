import pytest

from data_prep.registry import SOURCES
from sirjax.cli.main import main


def test_help_lists_every_data_set(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = capsys.readouterr().out
    assert all(f"    {name}" in text for name in ("synthetic", *SOURCES))


def test_an_unknown_data_set_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "photos", "raw", "--out", "out"])
    assert "unknown WHAT 'photos': choose from synthetic, identity-folders, " in capsys.readouterr().err
