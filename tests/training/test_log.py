"""Logs survive a kill; what is not finite stops the run with everything needed to look into it."""

import json
import logging
import re
import resource
import struct

import numpy as np
import pytest
from tensorboardX.proto.event_pb2 import Event

from sirjax.constants import NO_IDENTITY
from sirjax.training import log
from sirjax.types import Batch
from tests.training.full_disk import full_disk


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


def test_what_was_logged_is_read_again(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.0}\n')
    assert log.read_metrics(tmp_path) == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0}]


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


def test_a_full_disk_costs_rows_and_pictures_not_the_run(tmp_path, caplog):
    picture = np.zeros((4, 5, 3), np.uint8)
    with caplog.at_level(logging.WARNING, logger="sirjax"), log.MetricLog(tmp_path) as metrics:
        metrics.write(1, {"total": 1.0})
        with full_disk():
            for step in (2, 3):
                metrics.write(step, {"total": 1.0})
                metrics.write_image(step, "faces", picture)
        metrics.write(4, {"total": 1.0})
        metrics.write_image(4, "faces", picture)
    told = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in told] == ["metrics.jsonl", "tensorboard/", "images/"]
    assert re.fullmatch(
        r"metrics.jsonl cannot be written: File too large; .* has \d+\.\d MiB free: make room; "
        r"training goes on without",
        told[0],
    )
    assert [row["step"] for row in rows(tmp_path)] == [1, 4]
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["faces_0000004.png"]
    assert [step for step, _ in events(tmp_path)] == [1, 4, 4]


def test_half_a_row_is_taken_back(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with log.MetricLog(tmp_path) as metrics:
        metrics.write(1, {"total": 1.0})
        size = (tmp_path / "metrics.jsonl").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
        try:
            metrics.write(2, {"total": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "metrics.jsonl").stat().st_size == size
        metrics.write(3, {"total": 1.0})
    assert [row["step"] for row in rows(tmp_path)] == [1, 3]


def test_tensorboard_gets_what_was_written(tmp_path):
    with log.MetricLog(tmp_path, start_step=5) as metrics:
        metrics.write(7, {"total": 0.25, "pixel": 2.0})
    assert events(tmp_path) == [(7, {"train/total": 0.25}), (7, {"train/pixel": 2.0})]


def events(tmp_path):
    """(step, {tag: value}) of the summaries in the event file, by the format's description."""
    (path,) = (tmp_path / "tensorboard").iterdir()
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        event = Event.FromString(content[12 : 12 + length])
        assert struct.unpack("<II", content[8:12] + content[12 + length : 16 + length]) == (
            masked_crc(content[:8]),
            masked_crc(content[12 : 12 + length]),
        )
        content = content[16 + length :]
        if event.summary.value:
            found.append((event.step, {value.tag: value.simple_value for value in event.summary.value}))
    return found


def masked_crc(data):
    """CRC-32C, bit by bit, rotated and offset as TFRecord wants it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_batch_that_cannot_be_kept_does_not_hide_why_the_run_stopped(tmp_path, batch, caplog):
    with full_disk(), pytest.raises(log.TrainingDivergedError, match="step 3: pixel = nan"):
        log.require_finite({"pixel": float("nan")}, step=3, batch=batch, workdir=tmp_path)
    assert "bad_batch_0000003.npz cannot be written: File too large" in caplog.text


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
