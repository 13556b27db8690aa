"""`sirjax export weights`: a run becomes a file that works in its place."""

import dataclasses
import json

import numpy as np
import pytest
import safetensors

from sirjax.cli.exporting import source
from sirjax.cli.exporting import weights as exporter
from sirjax.cli.main import main
from sirjax.morphable.storage import save_face_model
from sirjax.predictor import Predictor
from sirjax.training.licences import Licences, licences_of
from sirjax.training.setup import load_run
from tests.cli.exporting.test_source import RUN, SETTINGS


@pytest.fixture
def export(monkeypatch, tmp_path):
    monkeypatch.setattr(source, "load_run", lambda path: dataclasses.replace(RUN, settings=SETTINGS))
    monkeypatch.setattr(exporter, "training_history", lambda path: [{"settings": {"seed": 5}, "sets": {}}])
    licences = Licences("dome", "CC0-1.0", {"300w": "for research"})
    monkeypatch.setattr(source, "licences_of", lambda path, model: licences)
    out = tmp_path / "sir.safetensors"

    def run(*words):
        assert main(["export", "weights", "runs/sir", "--out", str(out), "--i-may-share", *words]) == 0
        return out

    return run


def test_the_file_predicts_as_the_run_does(export, rng):
    out = export()
    save_face_model(RUN.face_model, out.parent / "dome.npz")
    crops = rng.integers(0, 256, (2, 112, 96, 3), dtype=np.uint8)
    got, want = (Predictor.of_run(run, batch_size=2).encode(crops) for run in (load_run(out), RUN))
    np.testing.assert_array_equal(got.shape, want.shape)
    np.testing.assert_array_equal(got.camera, want.camera)
    assert load_run(out).confidence.keywords == {"form": "relu_cos", "decay": 0.5}
    assert licences_of(out, RUN.face_model).restrictions() == ["records '300w' (licence: for research)"]


def test_the_file_says_what_it_is(export, capsys):
    with safetensors.safe_open(
        export("--licence", "CC-BY-NC-4.0", "--dtype", "bfloat16", "--note", "One.", "--note", "Two."), framework="np"
    ) as file:
        texts = file.metadata()
    about = json.loads(texts["about"])
    assert texts["licence"] == about["licence"] == "CC-BY-NC-4.0"
    assert about["networks"] == {name: value for name, value in SETTINGS["networks"].items() if name != "remat"}
    assert about["camera"] == SETTINGS["camera"]
    assert about["sir"] == {"pose_weight": "relu_cos", "expression_decay": 0.5}
    assert about["face_model"]["file"] == "dome.npz"
    assert about["face_model"]["fingerprint"] == RUN.metadata["face_model"]
    assert (about["step"], about["run"]) == (7, "sir, step 7")
    assert about["notes"] == ["One.", "Two."]
    assert about["training"] == [{"settings": {"seed": 5}, "sets": {}}]
    assert about["licences"]["data"] == {"300w": "for research"}
    assert capsys.readouterr().out.endswith(
        "sir.safetensors, 0.3 MB, bfloat16; licences: face model: CC0-1.0; records 300w: for research\n"
    )
