import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sirjax.cli.reconstructing.people import FirstLook, People, group_photos
from sirjax.cli.reconstructing.profile import Profile
from sirjax.cli.reconstructing.stream import Item
from sirjax.cli.reconstructing.writing import FaceWriter, Outputs
from sirjax.predictor import Predictor, align_center
from tests.oracles import MODEL, Oracle, answers
from tests.reconstructions import known_face, similarity

METADATA = {"step": 7, "face_model": "f00d", "face_model_licence": "CC0-1.0"}
FACES = [known_face(similarity(0.5, 10.0, (3.0, -4.0)), MODEL, angles=(0, 25.0 * i, 0), seed=i) for i in range(3)]


@pytest.fixture
def writer():
    predictor = Predictor(Oracle(), answers(np.random.default_rng(0)), MODEL, METADATA)
    return FaceWriter(predictor, "runs/sir", Outputs(formats=("npz",), eye_distance_mm=61.0), Profile())


def item(path, *faces):
    aligned = [align_center(np.zeros((120, 120, 3), np.uint8)) for _ in faces]
    return Item(Path(path), None, "ok" if faces else "no_face", "" if faces else "none", aligned, list(faces))


def test_photos_are_grouped_by_their_folder_or_all_together():
    photos = [Path("anna/1.jpg"), Path("x/anna/2.jpg"), Path("anna/3.jpg"), Path("Bob B/4.jpg")]
    assert group_photos(photos, "folder") == dict(zip(photos, ("anna", "anna-2", "anna", "Bob_B"), strict=True))
    assert set(group_photos(photos, "same-person").values()) == {"person"}


def test_a_person_is_written_with_weights_and_spread_as_soon_as_all_photos_are_seen(tmp_path, writer):
    names = [Path(f"anna/{i}.jpg") for i in range(4)] + [Path("bob/0.jpg")]
    people = People(group_photos(names, "folder"), tmp_path, writer)
    for path, faces in zip(names[:4], ([FACES[0], FACES[2]], [FACES[1]], [], [FACES[2]]), strict=True):
        assert not (tmp_path / "people/anna").exists()
        people.add(item(path, *faces))
    with np.load(tmp_path / "people/anna/person.npz") as data:
        trust = np.array([face.confidence for face in FACES])
        np.testing.assert_allclose(data["weights"], trust / trust.sum(), rtol=1e-5)
        expected = (trust / trust.sum()) @ np.stack([face.shape for face in FACES])
        np.testing.assert_allclose(data["shape_whitened"], expected, rtol=1e-4, atol=1e-5)
        assert [path.split("/")[-1] for path in data["photos"]] == ["0.jpg", "1.jpg", "3.jpg"]
        spread = float(data["spread_mm"])
        assert data["metric_scale"] > 0
    people.add(item(names[4]))
    lines = people.close()
    assert lines == [f"anna: 3 photos, which differ by {round(spread, 4)} mm", "bob: no face found"]
    with (tmp_path / "people.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["person"] for row in table] == ["anna", "anna", "anna", "bob"]
    np.testing.assert_allclose(sum(float(row["weight"]) for row in table[:3]), 1.0, atol=1e-4)
    assert [json.loads(line)["person"] for line in (tmp_path / "people.jsonl").read_text().splitlines()] == [
        row["person"] for row in table
    ]


def test_a_first_look_keeps_places_and_reasons_but_no_pixels():
    names = [Path("a.jpg"), Path("b.jpg"), Path("c.jpg")]
    look = FirstLook(group_photos(names, "same-person"))
    for path, faces in zip(names, ([FACES[0]], [], [FACES[1]]), strict=True):
        look.add(item(path, *faces))
    assert look.failures == {Path("b.jpg"): ("no_face", "none")}
    assert all(face.crop.size == 0 for faces in look.known.values() for face in faces)
    shapes = look.shapes(MODEL)
    assert set(shapes) == {Path("a.jpg"), Path("c.jpg")}
    np.testing.assert_array_equal(shapes[Path("a.jpg")], shapes[Path("c.jpg")])


def test_a_fused_face_still_counts_with_what_its_photo_says(tmp_path, writer):
    people = People(group_photos([Path("a.jpg")], "same-person"), tmp_path, writer)
    own = item("a.jpg", FACES[0])
    own.own_shape = FACES[1].shape
    people.add(own)
    with np.load(tmp_path / "people/person/person.npz") as data:
        np.testing.assert_allclose(data["shape_whitened"], FACES[1].shape, atol=1e-6)
