import csv
from pathlib import Path

import pytest

from sirjax.cli.reconstructing.video_job import VideoSettings
from sirjax.cli.reconstructing.videos import is_video, reconstruct_videos
from tests.cli.reconstructing.videos import DARK, ONE, make_predictor, make_session, make_video


@pytest.mark.parametrize(
    ("name", "video"), [("a.mp4", True), ("A.MOV", True), ("a.jpg", False), ("folder", False), ("a.gif", False)]
)
def test_videos_are_known_by_their_suffix(name, video):
    assert is_video(Path(name)) is video


def test_every_video_gets_its_rows(tmp_path, capsys):
    videos = [
        make_video(tmp_path / "talk.mp4", [ONE] * 3),
        make_video(tmp_path / "empty.mp4", [DARK] * 2),
        tmp_path / "gone.mp4",
        tmp_path / "broken.mp4",
    ]
    videos[3].write_text("hello")
    session = make_session(make_predictor(), tmp_path / "out", formats=("npz",), pictures=False)
    counts, frames = reconstruct_videos(videos, session, VideoSettings())
    assert counts == {"ok": 1, "no_face": 1, "missing": 1, "unreadable": 1}
    assert frames == 5
    with (tmp_path / "out/status.csv").open(newline="") as file:
        rows = [(Path(row["photo"]).name, row["status"], row["folder"]) for row in csv.DictReader(file)]
    assert rows == [
        ("talk.mp4", "ok", "talk"), ("empty.mp4", "no_face", ""), ("gone.mp4", "missing", ""),
        ("broken.mp4", "unreadable", ""),
    ]  # fmt: skip
    assert not (tmp_path / "out/gone").exists()
    assert "unreadable: " in capsys.readouterr().err
