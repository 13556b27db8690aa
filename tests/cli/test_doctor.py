import argparse

from sirjax.cli import doctor
from sirjax.render.native import loader


def run(*arguments):
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(arguments))


def test_working_backends_are_reported(capsys):
    assert run() == 0
    output = capsys.readouterr().out
    assert "  cpu: works" in output
    assert "  xla: works" in output
    assert "jax 0." in output


def test_a_missing_backend_is_reported_with_its_reason(capsys, monkeypatch):
    monkeypatch.setattr(loader, "unavailable", lambda: "there is no C++ compiler; install g++")
    assert run() == 0  # xla still works
    assert "  cpu: there is no C++ compiler; install g++" in capsys.readouterr().out
    assert run("--backend", "cpu") == 1


def test_an_unknown_backend_is_refused(capsys):
    assert run("--backend", "opengl") == 1
    assert "opengl: there is no such backend; choose one of cpu, xla" in capsys.readouterr().out
