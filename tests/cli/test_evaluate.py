"""The kinds of evaluation."""

import pytest

from sirjax.cli.evaluate import KINDS
from sirjax.cli.main import main


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_explains_itself_with_an_example(kind, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", kind, "--help"])
    assert stop.value.code == 0
    assert f"sirjax evaluate {kind} " in capsys.readouterr().out


def test_an_unknown_kind_is_answered_with_the_known_ones(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "beauty"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "beauty" in error
    assert all(kind in error for kind in KINDS)
