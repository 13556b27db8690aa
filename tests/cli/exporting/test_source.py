"""What every export of trained networks asks first."""

import dataclasses

import pytest

from sirjax.cli.exporting import source
from sirjax.cli.main import main
from sirjax.training.licences import Licences
from tests.noise_records import random_run

RUN = random_run()


@pytest.fixture
def restricted(monkeypatch):
    """A run whose photos are for research only."""
    monkeypatch.setattr(source, "load_run", lambda path: dataclasses.replace(RUN, settings=SETTINGS))
    licences = Licences("dome", "CC0-1.0", {"300w": "for research"})
    monkeypatch.setattr(source, "licences_of", lambda path, model: licences)


SETTINGS = {
    "networks": {
        "preset": "debug",
        "uv_size": 16,
        "shared_stages": 2,
        "albedo_maps": 1,
        "block_bias": True,
        "remat": False,
        "dtype": "float32",
    },
    "camera": {"quaternion_gain": 1.0, "scale_gain": 0.1, "translation_gain": 0.1},
    "face_model": {"path": "models/dome.npz", "orthonormalize": False},
    "sir": {"weight": 1.0, "pose_weight": "relu_cos", "expression_decay": 0.5},
}


@pytest.mark.parametrize("kind", ["weights", "program", "onnx"])
def test_restricted_terms_stop_the_export(restricted, kind, tmp_path, capsys):
    assert main(["export", kind, "runs/sir", "--out", str(tmp_path / "x.safetensors")]) == 1
    error = capsys.readouterr().err
    assert error == (
        "sirjax export: error: made with records '300w' (licence: for research): whoever gets the file must be allowed "
        "to have it; read the terms, then add --i-may-share\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["weights", "program", "onnx"])
def test_a_folder_that_is_not_there_is_named_before_the_work(restricted, kind, tmp_path, capsys):
    assert main(["export", kind, "runs/sir", "--out", str(tmp_path / "no" / "x.safetensors"), "--i-may-share"]) == 1
    assert "the folder of --out does not exist: " in capsys.readouterr().err
