import argparse
import os

import cv2
import numpy as np
import pytest

from sirjax.cli import prepare_synthetic
from sirjax.data.records import open_records
from sirjax.morphable.storage import save_face_model
from sirjax.training.licences import Licences, data_licences
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


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two pictures of nobody and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    noise = np.random.default_rng(0).integers(0, 255, (2, 12, 16, 3), np.uint8)
    for name, cells in zip(("a.jpg", "b.png"), noise, strict=True):
        cv2.imwrite(str(folder / name), cv2.resize(cells, (160, 120), interpolation=cv2.INTER_CUBIC))
    (folder / "c.jpg").write_bytes(b"no image")
    return folder


def test_backgrounds_come_from_photos_whose_terms_the_sets_then_carry(tmp_path, model_path, photos, capsys):
    options = [f"--backgrounds={photos}", "--background-share=0.8", "--landmark-images=0"]
    run(tmp_path / "lent", model_path, *options, "--backgrounds-licence=for research")
    assert capsys.readouterr().out.splitlines() == [
        f"{photos}: backgrounds from 2 photos, 1 left out",
        "        1  not an image format that sirjax reads (starts with b'no image')",
        f"made {tmp_path / 'lent' / 'identity'}: 4 photos of 2 people",
        f"made {tmp_path / 'lent' / 'benchmark'}: 2 photos of 1 people",
    ]
    run(tmp_path / "lent", model_path, *options, "--backgrounds-licence=for research")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["kept", "kept"]
    with pytest.raises(FileExistsError, match="identity was made with other settings"):
        run(tmp_path / "lent", model_path, "--landmark-images=0")
    manifest = open_records(tmp_path / "lent" / "identity").manifest
    assert manifest["parameters"]["photo_backgrounds"]["share"] == 0.8
    assert list(manifest["rejected"]) == ["backgrounds/c.jpg"]


def test_without_a_word_on_them_the_terms_are_unknown_and_nothing_may_be_passed_on(tmp_path, model_path, photos):
    run(tmp_path, model_path, f"--backgrounds={photos}", "--landmark-images=0", "--benchmark-identities=0")
    found = data_licences({"data": {"identity": str(tmp_path / "identity")}})
    with pytest.raises(PermissionError, match="records 'identity' .*unknown: the backgrounds are parts of photos"):
        Licences("", "CC0-1.0", found).require_shareable()


def test_a_share_of_zero_shows_nothing_of_the_photos(tmp_path, model_path, photos):
    small = ["--landmark-images=0", "--benchmark-identities=0"]
    run(tmp_path / "none", model_path, *small)
    run(tmp_path / "zero", model_path, *small, f"--backgrounds={photos}", "--background-share=0")
    none, zero = (open_records(tmp_path / name / "identity").manifest for name in ("none", "zero"))
    assert zero == none


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--background-share=0.5"], "--background-share needs --backgrounds: name the folder of photos to cut backgr"),
        (["--backgrounds-licence=mine"], "--backgrounds-licence needs --backgrounds: name the folder of photos to cut"),
    ],
)
def test_options_of_backgrounds_need_the_folder(tmp_path, model_path, options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        run(tmp_path, model_path, *options)


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan"])
def test_a_share_outside_the_unit_interval_is_refused(tmp_path, model_path, capsys, share):
    with pytest.raises(SystemExit):
        run(tmp_path, model_path, f"--background-share={share}")
    assert f"must be from 0 to 1, got {share}" in capsys.readouterr().err


def test_a_missing_folder_of_photos_leaves_nothing_behind(tmp_path, model_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder: name the one that holds the photos"):
        run(tmp_path / "out", model_path, f"--backgrounds={tmp_path / 'nowhere'}")
    assert list(tmp_path.iterdir()) == []


def test_a_negative_count_is_refused(tmp_path, model_path, capsys):
    with pytest.raises(SystemExit):
        run(tmp_path, model_path, "--identities=-1")
    assert "must be 0 or more, got -1" in capsys.readouterr().err
