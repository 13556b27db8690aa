"""Logs survive a kill; what is not finite stops the run with everything needed to look into it."""

import json
import logging

import numpy as np
import pytest

from sirjax.training import log
from sirjax.types import NO_IDENTITY, Batch


@pytest.fixture
def batch(rng):
    return Batch(
        image=rng.uniform(size=(2, 112, 96, 3)).astype(np.float32),
        landmarks=np.zeros((2, 68, 2), np.float32),
        has_landmarks=np.array([True, False]),
        identity=np.array([NO_IDENTITY, 3], np.int32),
    )


def rows(tmp_path):
    return [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]


def test_rows_after_the_checkpoint_are_dropped_on_restart(tmp_path):
    with log.MetricLog(tmp_path) as metrics:
        for step in (10, 20, 30):
            metrics.write(step, {"total": 1.0 / step})
    with log.MetricLog(tmp_path, start_step=20) as metrics:
        metrics.write(25, {"total": 7.0})
    assert [row["step"] for row in rows(tmp_path)] == [10, 20, 25]


def test_a_half_written_row_is_dropped_on_restart(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "total": 2.0}\n{"step": 2, "to')
    with log.MetricLog(tmp_path, start_step=5):
        pass
    assert rows(tmp_path) == [{"step": 1, "total": 2.0}]


def test_pictures_are_saved_in_the_colors_given(tmp_path):
    import cv2

    picture = np.zeros((4, 5, 3), np.uint8)
    picture[..., 0] = 200  # red
    with log.MetricLog(tmp_path) as metrics:
        path = metrics.write_image(7, "faces", picture)
    assert path.name == "faces_0000007.png"
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], picture)


def test_finite_metrics_pass(tmp_path, batch):
    log.require_finite({"total": 1.0}, step=3, batch=batch, workdir=tmp_path)
    assert not list(tmp_path.iterdir())


def test_non_finite_metrics_stop_with_step_term_and_batch(tmp_path, batch):
    with pytest.raises(log.TrainingDivergedError, match=r"step 3: pixel = nan; .*bad_batch_0000003\.npz") as error:
        log.require_finite({"total": 1.0, "pixel": float("nan")}, step=3, batch=batch, workdir=tmp_path)
    assert "run.non_finite=skip" in str(error.value)
    with np.load(tmp_path / "bad_batch_0000003.npz", allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["image"], batch.image)
        np.testing.assert_array_equal(saved["identity"], batch.identity)


def test_collapse_to_the_mean_face_is_warned_about(caplog):
    with caplog.at_level(logging.WARNING, logger="sirjax"):
        assert log.warn_of_collapse(4.0, 199, step=50)  # 0.3 sqrt(199) = 4.23
        assert not log.warn_of_collapse(4.3, 199, step=50)
    assert "step 50: mean |alpha/sigma| = 4.00 is below 4.23" in caplog.text
    assert len(caplog.records) == 1
