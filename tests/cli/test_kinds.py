"""Sub-commands of sub-commands."""

import argparse

import pytest

from sirjax.cli import doctor
from sirjax.cli.kinds import add_kinds


def test_the_chosen_kind_brings_its_options_and_what_runs_it():
    parser = argparse.ArgumentParser()
    add_kinds(parser, {"check": ("sirjax.cli.doctor", "is all well?")})
    args = parser.parse_args(["check", "--backend", "xla"])
    assert (args.what, args.backend, args.run_kind) == ("check", "xla", doctor.run)


def test_a_kind_must_be_chosen(capsys):
    parser = argparse.ArgumentParser()
    add_kinds(parser, {"check": ("sirjax.cli.doctor", "is all well?")})
    with pytest.raises(SystemExit):
        parser.parse_args([])
    assert "WHAT" in capsys.readouterr().err
