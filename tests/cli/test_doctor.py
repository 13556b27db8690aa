import argparse
import json

import pytest

from sirjax.cli import doctor
from sirjax.render import backends
from sirjax.render.native import cuda_loader, loader


def run(*arguments):
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(arguments))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(backends, "has_gpu", lambda: False)


def test_working_backends_are_reported(capsys, no_gpu):
    assert run() == 0
    output = capsys.readouterr().out
    assert "  cpu: works" in output
    assert "  xla: works" in output
    assert "  cuda: JAX sees no NVIDIA GPU" in output
    assert "  nvdiffrast: JAX sees no NVIDIA GPU" in output
    assert '"auto" takes cpu in programs for CPUs, xla for NVIDIA GPUs, xla for others.' in output
    assert "jax 0." in output


def test_a_missing_backend_is_reported_with_its_reason(capsys, monkeypatch, no_gpu):
    monkeypatch.setattr(loader, "unavailable", lambda: "there is no C++ compiler; install g++")
    assert run() == 0  # xla still works
    assert "  cpu: there is no C++ compiler; install g++" in capsys.readouterr().out
    assert run("--backend", "cpu") == 1


def test_an_unknown_backend_is_refused(capsys):
    assert run("--backend", "opengl") == 1
    assert "opengl: there is no such backend; choose one of cpu, nvdiffrast, cuda, xla" in capsys.readouterr().out
    assert run("--backend", "cpuu") == 1
    assert "there is no such backend; did you mean cpu? Choose one of cpu," in capsys.readouterr().out


def test_machines_read_json(capsys, monkeypatch, no_gpu):
    monkeypatch.setattr(doctor, "self_test", lambda name, platform: "")
    monkeypatch.setattr(doctor, "idle_gpu", lambda: "install CUDA")
    assert run("--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["backends"]["cpu"] == ""
    assert found["backends"]["cuda"].startswith("JAX sees no NVIDIA GPU")
    assert found["auto"] == {"cpu": "cpu", "cuda": "xla", "other": "xla"}
    assert found["packages"]["jax"]
    assert found["advice"] == ["install CUDA"]


def test_missing_extras_and_idle_gpus_come_with_the_command_that_helps(capsys, monkeypatch, no_gpu):
    monkeypatch.setattr(doctor, "self_test", lambda name, platform: "")
    monkeypatch.setattr(doctor, "EXTRAS", {"no_such_module": "eval", "json": "models"})
    monkeypatch.setattr(doctor, "idle_gpu", lambda: "install CUDA")
    run()
    told = "Extras that are not installed:\n  eval: pip install 'sirjax[eval]'\nAdvice: install CUDA\n"
    assert capsys.readouterr().out.endswith(told)


def test_each_backend_is_tested_on_its_own_platform(monkeypatch):
    monkeypatch.setattr(doctor, "available_backends", lambda: dict.fromkeys(backends.NAMES, ""))
    asked = {}
    monkeypatch.setattr(doctor, "self_test", lambda name, platform: asked.setdefault(name, platform) and "")
    run()
    assert asked == {"cpu": "cpu", "nvdiffrast": "cuda", "cuda": "cuda", "xla": None}


def test_the_cuda_library_is_built_on_request_without_a_gpu(capsys, monkeypatch, tmp_path, no_gpu):
    library = tmp_path / "library.so"
    library.write_bytes(bytes(2_000_000))
    monkeypatch.setattr(cuda_loader, "build_into_cache", lambda: library)
    monkeypatch.setattr(cuda_loader, "open_library", lambda *_: None)
    assert run("--build-cuda") == 0
    assert capsys.readouterr().out == f"The CUDA rasterizer is in {library} (2.0 MB).\n"


def test_a_cuda_library_that_cannot_be_built_is_an_error_with_the_reason(capsys, monkeypatch):
    def fail():
        raise loader.NativeUnavailable("there is no nvcc")

    monkeypatch.setattr(cuda_loader, "build_into_cache", fail)
    assert run("--build-cuda") == 1
    assert capsys.readouterr().out == "The CUDA rasterizer cannot be built: there is no nvcc\n"
