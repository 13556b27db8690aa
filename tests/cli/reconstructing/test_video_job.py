import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import trimesh

from sirjax.cli.reconstructing import video_job
from sirjax.cli.reconstructing.video_job import VideoJob, VideoSettings
from sirjax.video.frames import Frame, VideoError, VideoFile
from tests.cli.reconstructing.videos import DARK, ONE, TWO, make_predictor, make_session, make_video
from tests.oracles import MODEL


@pytest.fixture(scope="module")
def predictor():
    return make_predictor()


@pytest.fixture
def reconstruct(predictor, tmp_path):
    """Reads a video of frames with nobody, one or two people; returns the rows of the table."""

    def run(greys, outputs=None, **settings):
        path = make_video(tmp_path / "a.mp4", greys)
        session = make_session(predictor, tmp_path / "out", **(outputs or {"formats": ("npz",), "pictures": False}))
        folder = tmp_path / "out/a"
        folder.mkdir(exist_ok=True)
        return VideoJob(path, folder, session, VideoSettings(**settings)).run()

    return run


def lines(tmp_path):
    return [json.loads(line) for line in (tmp_path / "out/a/frames.jsonl").read_text().splitlines()]


def test_each_frame_has_its_line_and_the_film_its_picture(reconstruct, tmp_path):
    (row,) = reconstruct([ONE, ONE, DARK, ONE, ONE], {"formats": ("ply", "npz")})
    assert (row["status"], row["face"], row["folder"], row["width"], row["height"]) == ("ok", 0, "a", 192, 128)
    assert row["message"] == "in 4 of 5 frames read, whose shapes differ by 0.00 mm"
    found = [(line["frame"], line["seconds"], line["status"], line.get("track")) for line in lines(tmp_path)]
    assert found == [
        (0, 0.0, "ok", 0), (1, 0.1, "ok", 0), (2, 0.2, "no_face", None), (3, 0.3, "ok", 0), (4, 0.4, "ok", 0)
    ]  # fmt: skip
    assert len(lines(tmp_path)[0]["landmarks"]) == 68
    assert len(lines(tmp_path)[0]["expression"]) == MODEL.num_expression
    film = list(VideoFile(tmp_path / "out/a/overlay.mp4").frames())
    assert len(film) == 5
    assert film[2].image.std() < 3 < film[1].image.std()  # the face is drawn where there is one
    mesh = trimesh.load(tmp_path / "out/a/track0_neutral.ply", process=False)
    with np.load(tmp_path / "out/a/track0.npz") as data:
        np.testing.assert_allclose(mesh.vertices, data["vertices"], atol=1e-4)
        assert (int(data["first_frame"]), int(data["last_frame"]), int(data["num_frames"])) == (0, 4, 4)
        assert str(data["photo"]).endswith("a.mp4")
    assert {path.name for path in (tmp_path / "out/a").iterdir()} == {
        "frames.jsonl", "overlay.mp4", "track0_neutral.ply", "track0.npz"
    }  # fmt: skip


def test_the_largest_face_is_followed_or_all_of_them(reconstruct, tmp_path):
    (row,) = reconstruct([TWO] * 4)
    assert {line["track"] for line in lines(tmp_path)} == {0} == {row["face"]}
    rows = reconstruct([TWO] * 4, all_faces=True)
    assert [line["track"] for line in lines(tmp_path)] == [0, 1] * 4
    assert [row["face"] for row in rows] == [0, 1]


def test_frames_can_be_left_out_and_keep_their_time(reconstruct, tmp_path):
    reconstruct([ONE] * 10, every=3, max_frames=3)
    assert [(line["frame"], line["seconds"]) for line in lines(tmp_path)] == [(0, 0.0), (3, 0.3), (6, 0.6)]


def test_a_sequence_has_a_mesh_for_each_frame(reconstruct, tmp_path):
    reconstruct([ONE, DARK, ONE, ONE], {"formats": ("ply",), "pictures": False}, sequence=True, smooth=0.0)
    names = sorted(path.name for path in (tmp_path / "out/a").glob("frame0*"))
    assert names == [f"frame{i:06d}_track0_posed.ply" for i in (0, 2, 3)]
    first = lines(tmp_path)[0]
    posed = trimesh.load(tmp_path / "out/a" / names[0], process=False).vertices
    corners = posed[np.asarray(MODEL.landmark_vertices)]
    landmarks = (corners * np.asarray(MODEL.landmark_weights)[..., None]).sum(axis=1)
    pixels = landmarks[:, :2] * [1, -1] * first["scale"] + first["translation"]
    np.testing.assert_allclose(pixels, first["landmarks"], atol=0.02)


def test_a_video_without_faces_says_so(reconstruct):
    assert reconstruct([DARK] * 3) == [
        {"status": "no_face", "message": "no face in 3 frames", "width": 192, "height": 128}
    ]


def test_a_face_seen_only_for_a_moment_is_no_face(reconstruct):
    (row,) = reconstruct([DARK, ONE, ONE, DARK])
    assert row["status"] == "no_face"


def test_a_failed_run_leaves_no_half_written_film(reconstruct, tmp_path, monkeypatch):
    def full_disk(*rest):
        raise OSError("no space left")

    monkeypatch.setattr(VideoJob, "_write_track", full_disk)
    with pytest.raises(OSError, match="no space left"):
        reconstruct([ONE] * 4, {"formats": ("npz",)})
    assert not (tmp_path / "out/a/overlay.mp4").exists()
    assert not (tmp_path / "out/a/frames.jsonl").exists()


def test_a_broken_video_is_refused(predictor, tmp_path):
    (tmp_path / "a.mp4").write_text("hello")
    job = VideoJob(tmp_path / "a.mp4", tmp_path, make_session(predictor, tmp_path / "out"), VideoSettings())
    with pytest.raises(VideoError, match="not a video that OpenCV reads"):
        job.run()


def resident_mebibytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_a_video(predictor, tmp_path, monkeypatch):
    # Two thousand frames of 128 x 192 pixels would take 150 MB if they were kept, their faces several times that.
    used = []

    class Endless:
        rate, num_frames = 25.0, 2000

        def __init__(self, path):
            pass

        def frames(self, *, every, max_frames):
            for i in range(self.num_frames):
                if i in (400, 1999):
                    used.append(resident_mebibytes())
                yield Frame(i, i / self.rate, np.full((128, 192, 3), ONE, np.uint8))

    monkeypatch.setattr(video_job, "VideoFile", Endless)
    session = make_session(predictor, tmp_path / "out", formats=("npz",))
    (row,) = VideoJob(Path("a.mp4"), tmp_path / "out", session, VideoSettings()).run()
    assert row["message"].startswith("in 2000 of 2000 frames")
    assert used[1] - used[0] < 30


def test_the_lines_of_a_frame_name_their_reason():
    item = SimpleNamespace(status="error", message="fell over")
    assert list(video_job.frame_lines(3, 0.12345678, item, [], [])) == [
        {"frame": 3, "seconds": 0.1235, "status": "error", "message": "fell over"}
    ]
