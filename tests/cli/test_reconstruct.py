import csv
import json
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import trimesh

from sirjax import decode
from sirjax.cli import main as command
from sirjax.cli import reconstruct
from sirjax.cli.reconstructing import writing
from sirjax.data.alignment import DETECTOR_BOX
from sirjax.losses.sir import neutral_frontal_confidence
from sirjax.networks.mtcnn import Detections
from sirjax.video.frames import VideoWriter
from tests.export.gltf_rules import violations
from tests.oracles import MODEL, TEMPLATE, Oracle, answers


def placed(face):
    """The five points of the first, second, ... face of a photo."""
    return TEMPLATE + np.array([60 * face, 10])


class MarkedFaces:
    """Finds as many faces as the photo's first pixel says (its red value), each 60 pixels right of the last."""

    def __init__(self, min_face_size, *, max_side):
        self.settings = min_face_size, max_side

    def detect(self, image):
        count = int(image[0, 0, 0])
        if count == 99:
            raise RuntimeError("the detector fell over")
        points = np.array([placed(i) for i in range(count)]).reshape(-1, 5, 2)
        boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        return Detections(boxes, np.full(count, 0.9), points)


@pytest.fixture
def sirjax(monkeypatch, tmp_path):
    """Runs the command in an empty folder with networks whose answers are known."""
    metadata = {"step": 7, "face_model": "f00d", "face_model_licence": "CC0-1.0", "face_model_name": "dome"}
    trained = SimpleNamespace(
        networks=Oracle(),
        params=answers(np.random.default_rng(0)),
        face_model=MODEL,
        gains=decode.CameraGains(),
        metadata=metadata,
        confidence=neutral_frontal_confidence,
    )
    monkeypatch.setattr(reconstruct, "load_run", lambda workdir: trained)
    monkeypatch.setattr(reconstruct, "MTCNN", MarkedFaces)
    monkeypatch.chdir(tmp_path)

    def run(*words):
        return command.main(["reconstruct", *words, "--checkpoint", "runs/sir", "--out", "out"])

    return run


def make_photo(path, faces, size=(160, 240)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.full((*size, 3), 90, np.uint8)
    image[0, 0] = faces
    cv2.imwrite(str(path), image)


def rows(folder):
    with (folder / "out" / "status.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_photo_gives_meshes_pictures_and_parameters(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "anna.png", 1)
    assert sirjax("anna.png") == 0
    names = {path.name for path in (tmp_path / "out" / "anna").iterdir()}
    meshes = {f"face0_{pose}.{kind}" for pose in ("neutral", "posed") for kind in ("obj", "mtl", "png", "ply", "glb")}
    assert names == meshes | {"face0.npz", "face0_sheet.png", "overlay.jpg"}
    assert cv2.imread(str(tmp_path / "out/anna/overlay.jpg")).shape == (160, 240, 3)
    with np.load(tmp_path / "out/anna/face0.npz") as data:
        assert str(data["photo"]) == str(tmp_path / "anna.png")
        assert str(data["run"]) == "runs/sir, step 7"
        assert str(data["licence"]) == "CC0-1.0"
        assert str(data["face_model_fingerprint"]) == "f00d"
        np.testing.assert_allclose(data["detector_points"], placed(0), atol=1e-4)
    assert "1 photos, 1 faces reconstructed; " in capsys.readouterr().out


def test_every_photo_of_a_folder_gets_its_row(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "in/two.png", 2)
    make_photo(tmp_path / "in/none.png", 0)
    make_photo(tmp_path / "in/fails.png", 99)
    make_photo(tmp_path / "in/large.png", 1, size=(400, 300))
    (tmp_path / "in/broken.jpg").write_bytes(b"\xff\xd8\xff")
    assert sirjax("in", "gone.jpg", "--no-pictures", "--formats", "npz", "--max-megapixels", "0.1") == 2
    found = [(row["photo"].removeprefix(f"{tmp_path}/"), row["status"], row["face"]) for row in rows(tmp_path)]
    assert sorted(found) == [
        ("gone.jpg", "missing", ""),
        ("in/broken.jpg", "unreadable", ""),
        ("in/fails.png", "error", ""),
        ("in/large.png", "too_large", ""),
        ("in/none.png", "no_face", ""),
        ("in/two.png", "ok", "0"),
        ("in/two.png", "ok", "1"),
    ]
    messages = {row["status"]: row["message"] for row in rows(tmp_path)}
    assert messages["error"] == "RuntimeError: the detector fell over"
    assert messages["no_face"].startswith("no face of at least 20 pixels found; change --min-face-size")
    assert messages["too_large"].startswith("300 x 400 pixels are 0.1 megapixels, the limit is 0.1")
    output = capsys.readouterr()
    assert "6 photos, 2 faces reconstructed; 1 error, 1 missing, 1 no_face, 1 too_large, 1 unreadable; " in output.out
    assert "photos/s" in output.out
    assert "in/broken.jpg: the file is cut off inside its header" in output.err


def test_failures_can_be_allowed(sirjax, tmp_path):
    make_photo(tmp_path / "none.png", 0)
    assert sirjax("none.png") == 2
    assert sirjax("none.png", "--allow-failures") == 0


@pytest.mark.parametrize("batch", ["1", "3", "8"])
def test_faces_go_to_their_own_photo_whatever_the_batch(sirjax, tmp_path, batch):
    for i, count in enumerate((2, 0, 1, 3)):
        make_photo(tmp_path / f"in/{i}.png", count, size=(160 + i, 240))
    sirjax("in", "--batch", batch, "--no-pictures", "--formats", "npz")
    for i, count in enumerate((2, 0, 1, 3)):
        files = sorted((tmp_path / f"out/{i}").glob("*.npz")) if count else []
        assert len(files) == count
        for face, path in enumerate(files):
            with np.load(path) as data:
                np.testing.assert_allclose(data["detector_points"], placed(face), atol=1e-4)
                assert str(data["photo"]).endswith(f"in/{i}.png")


def test_only_the_largest_face_on_request(sirjax, tmp_path):
    make_photo(tmp_path / "two.png", 2)
    sirjax("two.png", "--faces", "largest", "--no-pictures", "--formats", "npz")
    assert [row["face"] for row in rows(tmp_path)] == ["0"]


def test_a_repeated_run_leaves_no_faces_of_the_old_one(sirjax, tmp_path):
    make_photo(tmp_path / "a.png", 3)
    sirjax("a.png", "--no-pictures", "--formats", "npz")
    make_photo(tmp_path / "a.png", 1)
    sirjax("a.png", "--no-pictures", "--formats", "npz")
    assert [path.name for path in (tmp_path / "out/a").iterdir()] == ["face0.npz"]


def test_photos_of_the_same_name_do_not_overwrite_each_other(sirjax, tmp_path):
    make_photo(tmp_path / "x/a.png", 1)
    make_photo(tmp_path / "y/a.png", 1)
    sirjax("x", "--no-pictures", "--formats", "npz")
    sirjax("y", "--no-pictures", "--formats", "npz")
    for folder, photo in (("a", "x/a.png"), ("a-2", "y/a.png")):
        with np.load(tmp_path / "out" / folder / "face0.npz") as data:
            assert str(data["photo"]) == str(tmp_path / photo)


def test_given_faces_replace_the_detector(sirjax, tmp_path):
    for name in ("points", "landmarks", "box", "unknown"):
        make_photo(tmp_path / f"in/{name}.png", 99)  # the detector would fail
    landmarks = np.random.default_rng(0).uniform(40, 90, (68, 2))
    landmarks[36:42], landmarks[42:48], landmarks[[30, 48, 54]] = TEMPLATE[0], TEMPLATE[1], TEMPLATE[2:]
    faces = {
        "points.png": [{"points": TEMPLATE.tolist()}, {"points": (TEMPLATE + 5).tolist()}],
        "landmarks.png": [{"landmarks": landmarks.tolist()}],
        "in/box.png": [{"box": DETECTOR_BOX}],
    }
    (tmp_path / "given.json").write_text(json.dumps(faces))
    assert sirjax("in", "--given", "given.json", "--no-pictures", "--formats", "npz") == 2
    names = [row["photo"].split("/")[-1] for row in rows(tmp_path) if row["status"] == "ok"]
    assert sorted(names) == ["box.png", "landmarks.png", "points.png", "points.png"]
    for name in ("points", "landmarks", "box"):
        with np.load(tmp_path / f"out/{name}/face0.npz") as data:
            np.testing.assert_allclose(data["crop_from_photo"], [[1, 0, 0], [0, 1, 0]], atol=1e-3)


@pytest.mark.parametrize(
    "text", ["no json", '{"a.png": [{"points": [[1, 2]]}]}', '{"a.png": [{"nose": [1, 2]}]}', '{"a.png": [5]}', "[1]"]
)
def test_a_wrong_file_of_given_faces_is_refused(sirjax, tmp_path, capsys, text):
    make_photo(tmp_path / "a.png", 1)
    (tmp_path / "given.json").write_text(text)
    assert sirjax("a.png", "--given", "given.json") == 1
    error = capsys.readouterr().err
    assert "given.json: " in error
    assert '--given wants JSON {photo: [face, ...]} with faces of {"points": 5 x 2}, {"landmarks": 68 x 2}' in error


def test_the_center_is_taken_only_on_request(sirjax, tmp_path):
    make_photo(tmp_path / "a.png", 0)
    assert sirjax("a.png", "--center-if-none", "--no-pictures", "--formats", "npz") == 0
    (row,) = rows(tmp_path)
    assert row["message"] == "no face was found: the middle of the photo was taken for one"
    assert row["left"] == row["score"] == ""


def test_an_eye_distance_makes_the_meshes_metric(sirjax, tmp_path):
    make_photo(tmp_path / "a.png", 1)
    sirjax("a.png", "--eye-distance-mm", "61", "--no-pictures", "--formats", "ply,npz")
    vertices = trimesh.load(tmp_path / "out/a/face0_neutral.ply", process=False).vertices
    corners = vertices[np.asarray(MODEL.landmark_vertices)]
    landmarks = (corners * np.asarray(MODEL.landmark_weights)[..., None]).sum(axis=1)
    distance = np.linalg.norm(landmarks[36:42].mean(axis=0) - landmarks[42:48].mean(axis=0))
    np.testing.assert_allclose(distance, 61, rtol=1e-4)
    with np.load(tmp_path / "out/a/face0.npz") as data:
        assert data["metric"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing-here"], None),
        (["empty"], "no photos in empty: name files or folders with photos"),
        (["a.png", "--formats", "obj,fbx"], "--formats 'obj,fbx': give some of obj,ply,glb,npz"),
        (["a.png", "--formats", ","], "--formats ',': give some of"),
        (["a.png", "--batch", "0"], "batch_size must be at least 1, got 0"),
    ],
)
def test_wrong_usage_is_explained(sirjax, tmp_path, capsys, words, message):
    make_photo(tmp_path / "a.png", 1)
    (tmp_path / "empty").mkdir()
    code = sirjax(*words)
    if message is None:  # a path that is not there is a photo that is missing
        assert code == 2
        assert rows(tmp_path)[0]["status"] == "missing"
    else:
        assert code == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_an_impossible_eye_distance_stops_before_any_work(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "a.png", 1)
    assert sirjax("a.png", "--eye-distance-mm", "0.06") == 1
    assert "must be between 20 and 120 millimeters" in capsys.readouterr().err


def test_notes_about_the_photo_reach_the_table(sirjax, tmp_path):
    grey = np.full((160, 240), 90, np.uint8)
    grey[0, 0] = 1
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert sirjax("grey.png", "--no-pictures", "--formats", "npz") == 0
    assert rows(tmp_path)[0]["message"] == "grey"


def test_a_failed_write_becomes_a_row_and_the_others_go_on(sirjax, tmp_path, monkeypatch):
    make_photo(tmp_path / "in/a.png", 1)
    make_photo(tmp_path / "in/b.png", 1)
    write_face = writing.write_face

    def full_disk(folder, *rest, **options):
        if folder.name == "a":
            raise OSError("no space left")
        return write_face(folder, *rest, **options)

    monkeypatch.setattr(writing, "write_face", full_disk)
    assert sirjax("in", "--no-pictures", "--formats", "npz") == 2
    found = {row["photo"].split("/")[-1]: (row["status"], row["message"]) for row in rows(tmp_path)}
    assert found == {"a.png": ("error", "OSError: no space left"), "b.png": ("ok", "")}


def test_a_large_photo_is_searched_at_a_reduced_size_and_says_so(sirjax, tmp_path):
    make_photo(tmp_path / "a.png", 0, size=(1000, 400))
    sirjax("a.png", "--search-side", "500")
    assert rows(tmp_path)[0]["message"].startswith("no face of at least 40 pixels found; change --search-side")


def test_tables_of_coefficients_and_the_profile_come_on_request(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "in/a.png", 2)
    make_photo(tmp_path / "in/b.png", 0)
    assert sirjax("in/*.png", "--csv", "--jsonl", "--profile", "--no-pictures", "--formats", "npz") == 2
    with (tmp_path / "out/faces.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert sorted((row["photo"].split("/")[-1], row["status"], row["face"]) for row in table) == [
        ("a.png", "ok", "0"), ("a.png", "ok", "1"), ("b.png", "no_face", "")
    ]  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "out/faces.jsonl").read_text().splitlines()]
    with np.load(tmp_path / "out/a/face1.npz") as data:
        (second,) = (line for line in lines if line["face"] == 1)
        np.testing.assert_allclose(second["shape"], data["shape_whitened"], rtol=1e-6)
        np.testing.assert_allclose(second["landmarks"], data["landmarks_photo"], atol=0.0051)
        np.testing.assert_allclose(second["yaw"], data["euler_degrees_photo"][1], atol=1e-3)
    output = capsys.readouterr().out
    items = {line.split()[0]: line.split()[2] for line in output.splitlines() if line.startswith(("detect", "predict"))}
    assert items == {"detect": "2", "predict": "2"}
    assert "photos/s" in output


def test_a_photo_that_upsets_the_detector_does_not_take_its_neighbours_along(sirjax, tmp_path):
    for name, count in (("a", 1), ("b", 99), ("c", 2)):  # searched together
        make_photo(tmp_path / f"in/{name}.png", count)
    assert sirjax("in", "--no-pictures", "--formats", "npz") == 2
    statuses = sorted((row["photo"].split("/")[-1], row["status"]) for row in rows(tmp_path))
    assert statuses == [("a.png", "ok"), ("b.png", "error"), ("c.png", "ok"), ("c.png", "ok")]


def test_photos_of_one_person_are_fused(sirjax, tmp_path, capsys):
    for i in range(3):
        make_photo(tmp_path / f"in/{i}.png", 2)
    assert sirjax("in", "--same-person", "--use-fused", "--no-pictures", "--formats", "npz") == 0
    assert [row["face"] for row in rows(tmp_path)] == ["0", "0", "0"]  # the largest face of each photo
    with np.load(tmp_path / "out/people/person/person.npz") as data:
        np.testing.assert_allclose(data["weights"], np.full(3, 1 / 3), rtol=1e-5)
    assert "person: 3 photos, which differ by 0.0 mm" in capsys.readouterr().out


def test_use_fused_alone_is_refused(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "a.png", 1)
    assert sirjax("a.png", "--use-fused") == 1
    assert "--use-fused needs --same-person or --person-from folder" in capsys.readouterr().err


def test_a_camera_needs_a_display(sirjax, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert command.main(["reconstruct", "--camera", "0", "--checkpoint", "runs/sir"]) == 1
    assert "there is no display" in capsys.readouterr().err


def test_photos_and_videos_go_together(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "a.png", 1)
    with VideoWriter(tmp_path / "b.mp4", 10) as film:
        for _ in range(2):
            film.add(np.zeros((160, 240, 3), np.uint8))  # nobody
    assert sirjax("a.png", "b.mp4", "--formats", "npz", "--no-pictures") == 2
    assert [(row["photo"].split("/")[-1], row["status"]) for row in rows(tmp_path)] == [
        ("a.png", "ok"), ("b.mp4", "no_face")
    ]  # fmt: skip
    assert "2 frames, 0 faces reconstructed; 1 no_face; " in capsys.readouterr().out


def test_a_photo_alone_is_enough(sirjax, tmp_path, monkeypatch, capsys):
    asked = []
    trained = reconstruct.load_run("runs/sir")
    monkeypatch.setattr(reconstruct, "load_run", lambda run: asked.append(str(run)) or trained)
    make_photo(tmp_path / "a.png", 1)
    assert command.main(["reconstruct", "a.png"]) == 0
    assert asked == ["builtin"]
    assert (tmp_path / "faces/a/face0_neutral.glb").is_file()
    shown = capsys.readouterr().out
    assert shown.startswith("weights: builtin (")
    assert "licence: CC0-1.0" in shown.splitlines()[0]


def test_own_weights_need_no_introduction(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "a.png", 1)
    assert sirjax("a.png", "--formats", "npz", "--no-pictures") == 0
    assert "weights:" not in capsys.readouterr().out


def test_textures_and_maps_come_on_request(sirjax, tmp_path, capsys):
    make_photo(tmp_path / "a.png", 1)
    assert sirjax("a.png", "--texture", "photo", "--maps", "depth", "--formats", "glb", "--no-pictures") == 0
    assert {path.name for path in (tmp_path / "out/a").iterdir()} == {
        "face0_neutral.glb", "face0_posed.glb", "face0_texture_shares.png",
        "face0_depth_crop.png", "face0_depth_photo.png",
    }  # fmt: skip
    assert [violations(tmp_path / f"out/a/face0_{pose}.glb") for pose in ("neutral", "posed")] == [[], []]
    assert sirjax("a.png", "--maps", "depth,color") == 1
    assert "--maps 'depth,color': give some of depth,normals" in capsys.readouterr().err
