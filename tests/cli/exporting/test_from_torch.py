"""`sirjax export from-torch`: a checkpoint of PyTorch becomes a file that works as a run does."""

import numpy as np
import pytest

from sirjax.cli.main import main
from sirjax.networks.safetensors_file import encode_safetensors
from sirjax.training.setup import load_run
from sirjax.training.weights import read_about
from tests.networks import torch_families as families
from tests.networks import weight_writers


def export(source, out, *words):
    return main(["export", "from-torch", str(source), "--out", str(out), *words])


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torch")
    state = {name: array for name, array in families.random_state("cosface20").items() if not name.startswith("fc")}
    weight_writers.write_torch_zip(folder / "cosface.pth", state)
    out = folder / "start.safetensors"
    options = ("--uv-size", "32", "--preprocessing", "imagenet", "--licence", "MIT")
    assert export(folder / "cosface.pth", out, *options) == 0
    return state, out


@pytest.mark.slow
def test_the_result_works_as_a_run_does(imported):
    state, out = imported
    run = load_run(out)
    assert run.networks.blocks == (1, 2, 4, 1)
    kernel = run.params["albedo_branch"]["Stage_1"]["ResidualBlock_0"]["Conv_1"]["kernel"]
    np.testing.assert_array_equal(kernel, state["layer4.2.conv2.weight"].transpose(2, 3, 1, 0))
    assert not np.asarray(run.params["shape_head"]["Dense_0"]["kernel"]).any()  # starts at the mean face


@pytest.mark.slow
def test_the_result_says_where_it_comes_from(imported):
    about = read_about(imported[1])
    assert about.networks["block_bias"] is False
    assert (about.licence, about.run) == ("MIT", "imported from cosface.pth")
    assert about.licences["data"] == {"cosface.pth": "MIT"}
    assert about.notes[0] == "all branches start from the same upper stages"
    assert "start fresh: albedo_decoder/Conv_0, " in about.notes[-1]


def test_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "x.safetensors").write_bytes(encode_safetensors({"a": np.zeros(1)}, {}))
    (tmp_path / "x.pth").write_bytes(b"cposix\nsystem\n")
    for name, message in (("x.safetensors", "x.safetensors cannot be imported: no known network"),
                          ("x.pth", "x.pth is refused as a weight file"),
                          ("y.pth", "y.pth: name a state dict of PyTorch")):  # fmt: skip
        assert export(tmp_path / name, tmp_path / "out.safetensors") == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out.safetensors").exists()
