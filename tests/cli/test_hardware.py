"""A GPU that JAX does not use is noticed."""

import jax
import pytest

from sirjax.cli import hardware


@pytest.fixture
def gpu(tmp_path, monkeypatch):
    device = tmp_path / "nvidia0"
    device.touch()
    monkeypatch.setattr(hardware, "NVIDIA", (device,))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    return device


def test_a_cpu_only_jax_on_a_gpu_machine_gets_advice(gpu):
    assert hardware.idle_gpu() == (
        f"this machine has an NVIDIA GPU ({gpu}) and JAX does not see it; for CUDA 13 (drivers from 580 on): "
        "pip install -U 'jax[cuda13]', for older drivers: pip install -U 'jax[cuda12]'"
    )


def test_a_variable_that_hides_the_gpu_is_named(gpu, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    assert hardware.idle_gpu() == "JAX_PLATFORMS=cpu keeps JAX from the NVIDIA GPU of this machine; unset it"


def test_used_and_absent_gpus_need_no_advice(gpu, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert hardware.idle_gpu() == ""
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    monkeypatch.setattr(hardware, "NVIDIA", ())
    assert hardware.idle_gpu() == ""
