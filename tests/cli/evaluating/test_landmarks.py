"""The command end to end on arrays and files: table, results.json, report."""

import json

import numpy as np
import pytest

from sirjax.cli.evaluating.landmark_inputs import Faces
from sirjax.cli.evaluating.landmarks import draw
from sirjax.cli.main import main
from sirjax.evaluation.landmark_error import nme


@pytest.fixture
def arrays(tmp_path, rng):
    target = rng.uniform(0, 100, size=(5, 68, 2))
    predicted = target + rng.normal(size=target.shape) * np.arange(1, 6)[:, None, None]
    np.save(tmp_path / "truth.npy", target)
    np.savez(tmp_path / "mine.npz", landmarks=predicted[:4], names=np.array(["0", "1", "2", "3"]))
    (tmp_path / "poses.tsv").write_text("name\tyaw\n0\t0\n1\t-45\n2\t80\n3\t10\n")
    return predicted[:4], target[:4]


def test_figures_are_printed_and_written(tmp_path, arrays, capsys):
    words = [str(tmp_path / "mine.npz"), "--truth", str(tmp_path / "truth.npy"), "--poses", str(tmp_path / "poses.tsv")]
    assert main(["evaluate", "landmarks", *words, "--out", str(tmp_path / "out")]) == 0
    errors = nme(*arrays)
    shown = capsys.readouterr().out
    assert f"all                                     4  {100 * errors.mean():.2f} % [" in shown
    bins = (errors[[0, 3]].mean() + errors[1] + errors[2]) / 3
    assert f"mean of the bins                           {100 * bins:.2f} % [" in shown
    assert "1 photos have labels but no prediction, such as 4: not counted" in shown
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["protocol"].startswith("landmarks-v1: 4 faces, 68 points, NME / box, AUC and failures at 8%")
    assert found["figures"]["nme"] == pytest.approx(100 * errors.mean())
    assert found["nme_of"]["2"] == pytest.approx(100 * errors[2], abs=1e-4)
    assert found["missing"] == ["4"]
    assert "sirjax" in found["provenance"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Cumulative errors" in page
    assert f"{100 * errors.mean():.2f} %" in page


def test_a_limit_that_is_none_is_refused(tmp_path, arrays, capsys):
    words = [str(tmp_path / "mine.npz"), "--truth", str(tmp_path / "truth.npy"), "--limit", "0"]
    assert main(["evaluate", "landmarks", *words, "--out", str(tmp_path / "out")]) == 1
    assert "--limit must be a positive number of percent, got 0" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("side", [112, 800])
def test_points_are_drawn_where_they_are_in_crops_and_in_photos(side):
    """Red predictions left of green labels, which fill a square around the middle of the picture."""
    image = np.zeros((side, side, 3), np.uint8)
    angle = np.linspace(0, 2 * np.pi, 68)
    target = side / 2 + side / 8 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    faces = Faces(
        ["a"], target[None] - [side / 16, 0], target[None], None, None, [], lambda i: (image, np.eye(2, 3)), {}
    )
    picture = draw(faces, 0).astype(int)
    assert picture.shape[0] == 336
    red, green = picture[..., 0] - picture[..., 1] > 60, picture[..., 1] - picture[..., 0] > 60
    assert red.sum() > 200
    assert green.sum() > 200
    assert np.nonzero(red)[1].min() < np.nonzero(green)[1].min()
    assert abs(np.nonzero(red)[0].mean() - 168) < 12


def test_faces_without_a_photo_are_drawn_on_paper():
    target = np.random.default_rng(0).uniform(5, 60, size=(1, 68, 2))
    faces = Faces(["a"], target, target, None, None, [], lambda i: None, {})
    assert draw(faces, 0).shape == (336, 336, 3)
