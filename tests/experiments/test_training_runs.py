"""The record of trainings: what is kept of a run, and the page and pictures made of it."""

import json

import numpy as np
import pytest

from configs import demo
from experiments.training_runs import command, picture, record
from sirjax.export.files import encode_image


def rows(count, **changes):
    found = []
    for i in range(count):
        row = {"step": 5 * (i + 1), "landmark_error_px": 9.0 - 0.01 * i, "kl": float(i), "images_per_second": 64.0}
        found.append(row | {name: values[i] for name, values in changes.items()})
    return found


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs" / "sir"
    folder.mkdir(parents=True)
    config = demo.get_config("sir").to_dict()
    config["data"]["landmark"] = str(tmp_path / "records" / "faces")
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(200)))
    return folder


def test_a_stage_keeps_settings_speed_and_curves_but_no_folder(run, tmp_path):
    (stage,) = record.record([run])
    assert stage["steps"] == 1000
    assert stage["images_per_second"] == 64.0
    assert stage["hours"] == pytest.approx(1000 * 64 / 64 / 3600)
    assert stage["settings"]["data"]["landmark"] == "faces"
    assert set(stage["curves"]) == {"step", "landmark_error_px", "kl"}
    assert str(tmp_path) not in json.dumps(stage)


def test_hours_are_those_of_the_steps_at_the_noted_speeds():
    slow = rows(3, images_per_second=[None, 10.0, 40.0])  # the first steps are compiled in
    found = record.speed(slow, batch_size=20)
    assert found["images_per_second"] == 25.0
    assert found["hours"] == pytest.approx((5 * 20 / 25 + 5 * 20 / 10 + 5 * 20 / 40) / 3600)


def test_a_curve_is_thinned_to_means():
    found = record.curves(rows(120))
    assert found["step"] == [10 * (i + 1) for i in range(60)]
    np.testing.assert_allclose(found["kl"], [2 * i + 0.5 for i in range(60)])
    assert len(record.curves(rows(7))["kl"]) == 7


def test_a_folder_without_metrics_is_refused(tmp_path, run):
    with pytest.raises(FileNotFoundError, match=r"metrics.jsonl is missing: name the --workdir of a training run"):
        record.stage(tmp_path)
    (run / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match=r"is empty: train for at least run.log_every steps"):
        record.stage(run)


def test_a_panel_shows_the_curve_between_its_extremes():
    image = picture.panel("falling", [1, 2, 3], [2.0, 1.0, 0.0])
    blue = np.argwhere(image[..., 2].astype(int) - image[..., 0] > 60)
    left, right = blue[blue[:, 1].argmin()], blue[blue[:, 1].argmax()]
    assert left[0] < 40 < 110 < right[0]


@pytest.mark.parametrize("values", [None, [0.0, 0.0]])
def test_a_panel_without_a_curve_is_empty(values):
    image = picture.panel("nothing", [1, 2], values)
    assert (image == image[0, 0]).all()


def test_what_is_kept_becomes_the_page_and_a_picture(run, tmp_path):
    folder = tmp_path / "kept"
    folder.mkdir()
    assert command.main(["--keep", "mine", str(run), "--note", "One core.", "--folder", str(folder)]) == 0
    page = (folder / "README.md").read_text()
    assert "One core." in page
    assert "| 1 | tiny | 1000 | 64 | 0 | faces: gone | 64 | 0.28 |" in page
    assert (folder / "mine.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("words", [["--keep", "name"], ["runs/sir"]])
def test_a_name_and_stages_go_together(words, capsys):
    with pytest.raises(SystemExit):
        command.main(words)
    assert "--keep NAME needs the stages to keep, and stages a NAME" in capsys.readouterr().err


def test_the_published_page_and_pictures_are_those_of_what_is_kept():
    kept = {path.stem: json.loads(path.read_text()) for path in sorted(command.FOLDER.glob("*.json"))}
    assert "renders" in kept
    assert (command.FOLDER / command.PAGE).read_text() == command.page(kept)
    for name, document in kept.items():
        assert (command.FOLDER / f"{name}.png").read_bytes() == encode_image(picture.draw(document["stages"]))
