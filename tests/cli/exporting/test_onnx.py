"""`sirjax export onnx`: from a run to a file that ONNX Runtime runs."""

import dataclasses

import onnx
import pytest

from sirjax.cli.exporting import source
from sirjax.cli.main import main
from sirjax.training.licences import Licences
from tests.cli.exporting.test_source import RUN, SETTINGS


@pytest.mark.parametrize("until", ["codes", "mesh"])
def test_the_file_is_checked_and_written(monkeypatch, tmp_path, capsys, until):
    monkeypatch.setattr(source, "load_run", lambda path: dataclasses.replace(RUN, settings=SETTINGS))
    monkeypatch.setattr(source, "licences_of", lambda path, model: Licences("dome", "CC0-1.0", {"web": "CC0-1.0"}))
    out = tmp_path / "sir.onnx"
    assert main(["export", "onnx", "runs/sir", "--out", str(out), "--until", until, "--licence", "CC-BY-4.0"]) == 0
    texts = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert (texts["licence"], texts["run"]) == ("CC-BY-4.0", "sir, step 7")
    assert '"web": "CC0-1.0"' in texts["licences"]
    assert "MB; ONNX Runtime differs from JAX by " in capsys.readouterr().out
