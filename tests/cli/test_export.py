"""The kinds of export."""

import pytest

from sirjax.cli.export import KINDS
from sirjax.cli.main import main


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_explains_itself_with_an_example(kind, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["export", kind, "--help"])
    assert stop.value.code == 0
    assert f"sirjax export {kind} " in capsys.readouterr().out


def test_an_unknown_kind_is_answered_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["export", "hologram"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert all(kind in error for kind in KINDS)
