import argparse
import os

import pytest

from sirjax.cli import prepare_synthetic
from sirjax.data.records import open_records
from sirjax.morphable.storage import save_face_model
from tests.face_models import dome_face_model


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "dome.npz"
    save_face_model(dome_face_model(), path)
    return path


def run(out, model_path, *options):
    parser = argparse.ArgumentParser()
    prepare_synthetic.add_arguments(parser)
    small = ["--identities=2", "--images-per-identity=2", "--landmark-images=3", "--benchmark-identities=1", "--quiet"]
    return prepare_synthetic.run(parser.parse_args([f"--out={out}", f"--face-model={model_path}", *small, *options]))


def test_the_three_sets_are_made_and_kept(tmp_path, model_path, capsys):
    assert run(tmp_path, model_path) == 0
    made = capsys.readouterr().out.splitlines()
    assert made == [
        f"made {tmp_path / 'identity'}: 4 photos of 2 people",
        f"made {tmp_path / 'landmark'}: 3 photos",
        f"made {tmp_path / 'benchmark'}: 2 photos of 1 people",
    ]
    before = {path: os.stat(path).st_mtime_ns for path in tmp_path.rglob("*")}
    assert run(tmp_path, model_path) == 0
    assert all(line.startswith("kept ") for line in capsys.readouterr().out.splitlines())
    assert before == {path: os.stat(path).st_mtime_ns for path in tmp_path.rglob("*")}


def test_other_settings_need_another_folder_or_overwrite(tmp_path, model_path):
    run(tmp_path, model_path, "--landmark-images=0", "--benchmark-identities=0")
    with pytest.raises(FileExistsError, match="identity was made with other settings: choose another --out, or give"):
        run(tmp_path, model_path, "--seed=1")
    run(tmp_path, model_path, "--seed=1", "--overwrite", "--landmark-images=0", "--benchmark-identities=0")
    assert open_records(tmp_path / "identity").manifest["parameters"]["seed"] == 1


def test_sets_of_zero_are_left_out(tmp_path, model_path):
    run(tmp_path, model_path, "--identities=0", "--benchmark-identities=0")
    assert [path.name for path in tmp_path.iterdir()] == ["landmark"]


def test_a_negative_count_is_refused(tmp_path, model_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, model_path, "--identities=-1")
    assert "must be 0 or more, got -1" in capsys.readouterr().err
