"""`sirjax export program`: from a run to a file that JAX runs."""

import dataclasses
import json

import jax
import pytest

from sirjax.cli.exporting import source
from sirjax.cli.main import main
from sirjax.training.licences import Licences
from tests.cli.exporting.test_source import RUN, SETTINGS


@pytest.fixture
def export(monkeypatch, tmp_path):
    monkeypatch.setattr(source, "load_run", lambda path: dataclasses.replace(RUN, settings=SETTINGS))
    monkeypatch.setattr(source, "licences_of", lambda path, model: Licences("dome", "CC0-1.0", {"web": "CC0-1.0"}))
    return lambda *words: main(["export", "program", "runs/sir", "--out", str(tmp_path / "sir.stablehlo"), *words])


def test_one_file_for_three_platforms_and_its_manifest(export, tmp_path, capsys):
    assert export("--until", "codes", "--licence", "CC-BY-4.0") == 0
    program = jax.export.deserialize(bytearray((tmp_path / "sir.stablehlo").read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    manifest = json.loads((tmp_path / "sir.json").read_text())
    assert (manifest["until"], manifest["run"], manifest["licence"]) == ("codes", "sir, step 7", "CC-BY-4.0")
    assert manifest["licences"] == {
        "face_model": {"name": "dome", "licence": "CC0-1.0"},
        "data": {"web": "CC0-1.0"},
    }
    assert "sir.stablehlo, " in capsys.readouterr().out


def test_unknown_platforms_are_refused(export, tmp_path, capsys):
    assert export("--platforms", "cpu,gpu") == 1
    assert "platforms must be some of cpu, cuda, rocm and tpu, got ['cpu', 'gpu']" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
