import argparse
import json

import cv2
import numpy as np
import pytest

from sirjax.cli import face_model
from sirjax.cli.main import main
from sirjax.morphable.storage import load_face_model, save_face_model
from tests.data_prep.face_models import published
from tests.face_models import dome_face_model


def run(*words):
    parser = argparse.ArgumentParser()
    face_model.add_arguments(parser)
    return face_model.run(parser.parse_args([str(word) for word in words]))


def test_a_published_model_is_converted_and_described(tmp_path, capsys):
    out = tmp_path / "model.npz"
    published.write_3ddfa(tmp_path)
    options = ("--modes", 4, 2, "--orthonormalize", "--uv-size", 32, "--name", "mine", "--licence", "own")
    assert run("import", "3ddfa", tmp_path, "--out", out, *options) == 0
    model = load_face_model(out)
    assert (model.num_shape, model.num_expression, model.uv_size) == (4, 2, 32)
    assert (model.name, model.licence) == ("mine", "own")
    assert "Model_Shape.mat SHA-256" in model.provenance
    printed = capsys.readouterr().out
    assert "shape          4 modes" in printed
    assert "note: UV layout computed" in printed
    assert printed.endswith(f"wrote {out}\n")
    assert run("info", out) == 0
    described = capsys.readouterr().out
    assert "licence        own" in described
    assert "provenance     made by `sirjax face-model import` from Model_Shape.mat" in described


def test_an_own_landmark_list_replaces_the_file_s(tmp_path):
    published.write_bfm2017(tmp_path / "model2019_bfm.h5")
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"{k + 1} = {vertex}" for k, vertex in enumerate(published.LANDMARKS)))
    out = tmp_path / "model.npz"
    run("import", "bfm2017", tmp_path / "model2019_bfm.h5", "--out", out, "--landmarks", listed, "--uv-size", 32)
    np.testing.assert_array_equal(load_face_model(out).landmark_vertices[:, 0], published.LANDMARKS)
    listed.write_text("1 = 100000")
    with pytest.raises(ValueError, match="list.txt names vertex 100000, the model has 289"):
        run("import", "bfm2017", tmp_path / "model2019_bfm.h5", "--out", out, "--landmarks", listed)


def test_a_model_is_drawn(tmp_path, capsys):
    save_face_model(dome_face_model(grid=9), tmp_path / "dome.npz")
    assert run("render", tmp_path / "dome.npz", "--out", tmp_path / "dome.png", "--size", 64) == 0
    assert min(cv2.imread(str(tmp_path / "dome.png")).shape[:2]) > 300
    assert capsys.readouterr().out == f"wrote {tmp_path / 'dome.png'}\n"


def test_the_built_in_model_is_described(capsys):
    assert main(["face-model", "info", "builtin"]) == 0
    assert "name           sirjax-builtin" in capsys.readouterr().out


def test_machines_read_json(tmp_path, capsys):
    save_face_model(dome_face_model(grid=9), tmp_path / "dome.npz")
    assert run("info", tmp_path / "dome.npz", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["name"], facts["vertices"], facts["shape_modes"], facts["unit_mm"]) == ("dome", 81, 6, 1.0)
    assert np.shape(facts["landmarks"]) == (68, 3)
    assert len(facts["fingerprint"]) == 64


def test_errors_are_one_line_with_the_remedy(tmp_path, capsys):
    assert main(["face-model", "import", "flame", str(tmp_path), "--out", str(tmp_path / "model.npz")]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"sirjax face-model: error: {tmp_path / 'flame2023.pkl'} is missing")
    assert "https://flame.is.tue.mpg.de" in error
    assert "sirjax face-model import flame PATH --out model.npz" in error
    assert not (tmp_path / "model.npz").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--out", "model.obj"), "--out must end in .npz, got model.obj"),
        (("--out", "absent/model.npz"), "the folder of --out does not exist"),
        (("--out", "model.npz", "--uv-size", "3"), "--uv-size must be at least 16, got 3"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(options, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run("import", "surrey", "nowhere", *options)


def test_a_picture_needs_a_png_and_some_size(tmp_path):
    with pytest.raises(ValueError, match="--out must end in .png, got x.jpg"):
        run("render", "builtin", "--out", "x.jpg")
    with pytest.raises(ValueError, match="--size must be at least 64, got 8"):
        run("render", "builtin", "--out", "x.png", "--size", 8)


def test_an_unknown_format_is_a_usage_error(capsys):
    with pytest.raises(SystemExit):
        run("import", "bfm", "x", "--out", "y.npz")
    assert "invalid choice: 'bfm'" in capsys.readouterr().err
