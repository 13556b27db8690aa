import pytest

from sirjax.render import backends
from sirjax.render.backends import Choice
from sirjax.render.native import cuda_loader, loader


@pytest.fixture
def machine(monkeypatch):
    """Pretends that the backends named work and the others do not; "gpu" stands for a device."""

    def set_up(*working):
        monkeypatch.setattr(backends, "has_gpu", lambda: "gpu" in working)
        for module, name in ((loader, "cpu"), (backends.nvdiffrast, "nvdiffrast"), (cuda_loader, "cuda")):
            reason = "" if name in working else f"install {name}"
            monkeypatch.setattr(module, "unavailable", lambda reason=reason: reason)

    return set_up


@pytest.mark.parametrize(
    ("working", "chosen"),
    [
        ((), Choice(cpu="xla", cuda="xla", other="xla")),
        (("cpu",), Choice(cpu="cpu", cuda="xla", other="xla")),
        (("cpu", "gpu"), Choice(cpu="cpu", cuda="xla", other="xla")),
        (("cpu", "gpu", "cuda"), Choice(cpu="cpu", cuda="cuda", other="xla")),
        (("cpu", "gpu", "cuda", "nvdiffrast"), Choice(cpu="cpu", cuda="nvdiffrast", other="xla")),
    ],
)
def test_auto_takes_the_best_one_that_works_on_each_platform(machine, working, chosen):
    machine(*working)
    assert backends.resolve("auto") == chosen


def test_one_backend_can_be_forced(machine):
    machine("cpu", "gpu", "cuda", "nvdiffrast")
    assert backends.resolve("cpu") == Choice(cpu="cpu", cuda="", other="")
    assert backends.resolve("cuda") == Choice(cpu="", cuda="cuda", other="")
    assert backends.resolve("nvdiffrast") == Choice(cpu="", cuda="nvdiffrast", other="")
    assert backends.resolve("xla") == Choice(cpu="xla", cuda="xla", other="xla")


def test_without_a_gpu_nothing_is_compiled_or_imported_for_one(machine, monkeypatch):
    machine("cpu")
    for module in (backends.nvdiffrast, cuda_loader):
        monkeypatch.setattr(module, "unavailable", lambda: pytest.fail("asked"))
    backends.resolve("auto")
    assert backends.available_backends()["cuda"] == backends.NO_GPU


@pytest.mark.parametrize("name", ["cpu", "nvdiffrast", "cuda"])
def test_a_backend_that_is_missing_is_refused_with_the_remedy(machine, name):
    machine("gpu")
    with pytest.raises(RuntimeError, match=f"the rendering backend '{name}' is not available: install {name}"):
        backends.resolve(name)


def test_an_unknown_backend_is_refused_with_the_known_names():
    message = "no rendering backend 'opengl': choose one of auto, cpu, nvdiffrast, cuda, xla"
    with pytest.raises(ValueError, match=message):
        backends.resolve("opengl")


@pytest.mark.parametrize(("working", "substitute"), [(("gpu", "cuda"), "cuda"), (("gpu",), "xla")])
def test_code_that_is_shared_out_among_devices_calls_no_python(machine, working, substitute):
    machine(*working)
    assert backends.without_callbacks(Choice("cpu", "nvdiffrast", "xla")) == Choice("cpu", substitute, "xla")
    assert backends.without_callbacks(Choice("cpu", "xla", "xla")) == Choice("cpu", "xla", "xla")


@pytest.mark.parametrize(("platform", "taken"), [("cpu", "cpu"), ("gpu", "cuda"), ("tpu", "xla")])
def test_what_runs_here_is_the_choice_for_the_default_platform(machine, monkeypatch, platform, taken):
    machine("cpu", "gpu", "cuda")
    monkeypatch.setattr(backends.jax, "default_backend", lambda: platform)
    assert backends.here() == taken
    assert backends.here("nvdiffrast") == "nvdiffrast"
