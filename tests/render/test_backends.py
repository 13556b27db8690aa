import pytest

from sirjax.render import backends
from sirjax.render.native import loader


def test_auto_takes_xla_where_there_is_no_library(monkeypatch):
    assert backends.resolve("auto") == "auto"
    monkeypatch.setattr(loader, "unavailable", lambda: "no compiler")
    assert backends.resolve("auto") == "xla"


def test_a_backend_that_is_missing_is_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(loader, "unavailable", lambda: "there is no C++ compiler; install g++")
    message = "the rendering backend 'cpu' is not available: there is no C\\+\\+ compiler; install g\\+\\+"
    with pytest.raises(RuntimeError, match=message):
        backends.resolve("cpu")


def test_an_unknown_backend_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="no rendering backend 'cuda': choose one of auto, cpu, xla"):
        backends.resolve("cuda")
