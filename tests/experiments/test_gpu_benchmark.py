"""The benchmark for GPUs runs to its end without one and says what was not measured."""

import json

import numpy as np
import pytest

from experiments.benchmarks import gpu
from sirjax.render import backends


def test_without_a_gpu_it_ends_and_says_what_was_not_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["gpu", "--quick", "--no-build", "--out", str(tmp_path / "out")])
    monkeypatch.setattr(gpu, "has_gpu", lambda: False)
    monkeypatch.setattr(backends, "has_gpu", lambda: False)
    gpu.main()
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["cuda_library"] == "not built"
    assert results["backends"] == {"cpu": "", "xla": "", "cuda": backends.NO_GPU, "nvdiffrast": backends.NO_GPU}
    assert results["agreement"]["xla"]["agrees"]
    for name in ("cuda", "nvdiffrast", "nvdiffrast in torch"):
        assert results["agreement"][name] == "not measured: no GPU"
    assert results["rasterizer"] == [{"size": [112, 96], "batch": 1, **dict.fromkeys(gpu.GPU_BACKENDS, gpu.NO_GPU)}]
    assert {case["images_per_second"] for case in results["training"]} == {gpu.NO_GPU}
    tables = capsys.readouterr().out
    assert "| sphere64 | bfloat16 | 128 | not measured: no GPU |" in tables
    assert "| xla | 0 | " in tables


@pytest.mark.parametrize(("shift", "agrees"), [(0.0, True), (0.1, False)])
def test_other_values_are_found_to_disagree(shift, agrees):
    covered, values, slopes = np.ones((1, 4, 4), bool), np.ones((1, 4, 4, 3)), np.ones((1, 5, 3))
    assert gpu.compare((covered, values + shift, slopes), (covered, values, slopes), "cuda")["agrees"] == agrees
    assert gpu.compare((covered, values, slopes + shift), (covered, values, slopes), "cuda")["agrees"] == agrees


def test_another_outline_is_found_to_disagree():
    values, slopes = np.ones((1, 4, 4, 3)), np.ones((1, 5, 3))
    covered, other = np.ones((1, 4, 4), bool), np.eye(4, dtype=bool)[None]
    assert not gpu.compare((other, values, slopes), (covered, values, slopes), "nvdiffrast")["agrees"]


def test_what_a_gpu_measures_is_measured(monkeypatch):
    monkeypatch.setattr(gpu, "has_gpu", lambda: True)
    monkeypatch.setattr(gpu, "GPU_BACKENDS", ("xla",))
    figures = gpu.row(gpu.bumpy_dome(8), (16, 16), 2, runs=1)
    assert figures["xla"]["forward"] > 0
    assert figures["xla"]["with gradient"] > 0
    assert "| 16x16 | 2 | " in gpu.report({"agreement": {}, "rasterizer": [figures], "training": []})
