import jax.numpy as jnp
import pytest

from sirjax.render import rasterize
from sirjax.render import self_test as self_test_module
from sirjax.render.self_test import require_working, self_test


@pytest.mark.parametrize("scale", [0.0, 1.5])
def test_a_backend_that_loses_gradients_is_found_out(monkeypatch, scale):
    real = rasterize._backward

    def broken(backend):
        return lambda *operands: tuple(scale * gradient for gradient in real(backend)(*operands))

    monkeypatch.setattr(rasterize, "_backward", broken)
    assert self_test("xla").startswith("wrong gradient of a vertex")


def test_a_backend_that_draws_nothing_is_found_out(monkeypatch):
    monkeypatch.setattr(
        rasterize,
        "_forward",
        lambda size, backend: lambda p, t: (jnp.full((1, *size), -1), jnp.zeros((1, *size, 3)), jnp.zeros((1, *size))),
    )
    assert self_test("xla") == "drew 0 of 64 pixels for a triangle that covers a part of the image"


def test_a_backend_that_throws_is_reported():
    assert self_test("opengl").startswith("fails: ValueError: there is no rendering backend 'opengl'")


def test_training_on_a_broken_backend_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(self_test_module, "self_test", lambda backend: "wrong gradient of a texel: 0, by ... 1")
    with pytest.raises(RuntimeError, match=r"backend 'broken' does not work here: wrong gradient.*`sirjax doctor`"):
        require_working("broken")


def test_a_working_backend_is_tested_once(monkeypatch):
    asked = []
    monkeypatch.setattr(self_test_module, "self_test", lambda backend: asked.append(backend) or "")
    require_working("fine")
    require_working("fine")
    assert asked == ["fine"]
