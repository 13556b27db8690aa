import argparse

import jax.numpy as jnp
import pytest

from sirjax.cli import doctor
from sirjax.render import rasterize
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


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5])
def test_a_backend_that_loses_gradients_is_found_out(monkeypatch, scale):
    real = rasterize._backward

    def broken(backend):
        return lambda *operands: tuple(scale * gradient for gradient in real(backend)(*operands))

    monkeypatch.setattr(rasterize, "_backward", broken)
    assert doctor.self_test("xla").startswith("wrong gradient of a vertex")


def test_a_backend_that_draws_nothing_is_found_out(monkeypatch):
    monkeypatch.setattr(
        rasterize,
        "_forward",
        lambda size, backend: lambda p, t: (jnp.full((1, *size), -1), jnp.zeros((1, *size, 3)), jnp.zeros((1, *size))),
    )
    assert doctor.self_test("xla") == "drew 0 of 64 pixels for a triangle that covers a part of the image"


def test_a_backend_that_throws_is_reported():
    assert doctor.self_test("opengl").startswith("fails: ValueError: there is no rendering backend 'opengl'")
