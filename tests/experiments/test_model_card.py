"""The model card's figures: by pose and skin, with intervals, and the page that is written from them."""

import json

import cv2
import numpy as np
import pytest

from experiments.common.markers import between_markers, markers
from experiments.common.outcome import RESULTS
from experiments.model_card import card, command, measures, skin
from experiments.model_card.measures import FEWEST, Read
from sirjax.data.images import encode_image
from sirjax.data.sample import Sample
from sirjax.data.writing import RecordWriter
from sirjax.training import weights
from tests.noise_records import random_run

BEGIN, END = markers()


def test_typology_angles_are_those_of_the_definition():
    # CIELAB (D65) of sRGB (0.8, 0.6, 0.5): L* 67.40, b* 20.83, so atan2(17.40, 20.83) = 39.87 degrees.
    assert skin.typology_angle(np.array([[0.8, 0.6, 0.5]]))[0] == pytest.approx(39.87, abs=0.1)
    light, brown = skin.typology_angle(np.array([[0.95, 0.85, 0.78], [0.35, 0.22, 0.16]]))
    assert light > 41
    assert brown < -30


def test_every_angle_has_one_bin():
    angles = np.linspace(-180, 180, 721)
    counts = sum((angles >= low) & (angles < high) for _, low, high in skin.BINS)
    np.testing.assert_array_equal(counts, 1)


def test_the_brighter_cheek_is_looked_at():
    points = np.zeros((68, 2))
    points[list(skin.CHEEKS[0])], points[list(skin.CHEEKS[1])] = (20, 60), (70, 60)
    crop = np.zeros((112, 96, 3), np.uint8)
    crop[:, :48], crop[:, 48:] = (40, 30, 20), (200, 150, 120)
    np.testing.assert_allclose(skin.cheek_color(crop, points) * 255, [200, 150, 120])
    np.testing.assert_allclose(skin.cheek_color(crop, points - [60, 0]) * 255, [40, 30, 20])  # the other one is outside
    np.testing.assert_allclose(skin.cheek_color(crop, points + 900) * 255, crop.reshape(-1, 3).mean(axis=0))


def read_of(yaw_degrees, tone, error, **more):
    count = len(error)
    return Read(np.asarray(error, float), np.radians(yaw_degrees), np.asarray(tone, float), np.arange(count), **more)


def test_parts_need_enough_photos():
    yaw = np.repeat([0.0, -45.0, 80.0], [FEWEST, FEWEST, FEWEST - 1])
    read = read_of(yaw, np.full(len(yaw), 50.0), np.zeros(len(yaw)))
    assert [(name, int(own.sum())) for name, own in measures.parts(read)] == [
        ("all", 3 * FEWEST - 1),
        ("|yaw| <= 30°", FEWEST),
        ("30° < |yaw| <= 60°", FEWEST),
        ("skin light (ITA above 41°)", 3 * FEWEST - 1),
    ]


def test_tables_give_means_of_each_part():
    yaw, tone = np.repeat([0.0, 45.0], FEWEST), np.repeat([50.0, 0.0], FEWEST)
    error = np.repeat([0.02, 0.1], FEWEST)
    (table,) = measures.landmark_tables({"web": read_of(yaw, tone, error)})
    figures = {row[0]: (row[1], row[2].value, row[3].value) for row in table.rows}
    assert figures["web: all"] == (2 * FEWEST, pytest.approx(0.06), 0.5)
    assert figures["web: |yaw| <= 30°"] == (FEWEST, pytest.approx(0.02), 0.0)
    assert figures["web: skin brown, dark (below 10°)"] == (FEWEST, pytest.approx(0.1), 1.0)
    read = read_of(yaw, tone, error, shape_error=np.repeat([1.0, 3.0], FEWEST), baseline=np.full(2 * FEWEST, 2.5))
    (table,) = measures.benchmark_tables(read)
    rows = {row[0]: (row[3].value, row[4].value) for row in table.rows}
    assert rows["30° < |yaw| <= 60°"] == (pytest.approx(3.0), pytest.approx(0.5))


@pytest.fixture
def photos(tmp_path):
    """60 photos of 20 people: a set with landmarks that is also one of people."""
    rng = np.random.default_rng(0)
    with RecordWriter(tmp_path / "people") as writer:
        for i in range(60):
            image = encode_image(rng.integers(256, size=(112, 96, 3), dtype=np.uint8))
            points = rng.uniform(20, 80, (68, 2)).astype(np.float32)
            turned = cv2.getRotationMatrix2D((0, 0), 20, 0.5)
            writer.add(Sample(f"{i // 3}/{i}", image, turned, landmarks=points, identity=str(i // 3)))
    return tmp_path / "people"


def test_the_page_is_written_from_what_was_measured(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(command, "load_run", lambda name: random_run())
    about = {"run": "sir, step 7", "preset": "debug", "face_model": "dome"}
    monkeypatch.setattr(card, "about_weights", lambda name, run: about)
    page = tmp_path / "card.md"
    page.write_text(f"by hand\n{BEGIN}\nold\n{END}\n")
    where = ["--results", str(tmp_path), "--page", str(page)]
    shown = ["--people", str(photos), "--picture", str(tmp_path / "people.jpg")]
    assert command.main(["--landmarks", f"web={photos}", "--pairs", f"people={photos}", *shown, *where]) == 0
    assert cv2.imread(str(tmp_path / "people.jpg")).shape[0] > 500
    first = page.read_text()
    tables = ("| web: all | 60 |", "### Do shapes tell people apart?", "| people | ")
    for part in ("by hand", "sir, step 7", *tables):
        assert part in first
    assert str(tmp_path) not in first + (tmp_path / RESULTS).read_text()
    page.write_text(f"by hand\n{BEGIN}\nold\n{END}\n")
    assert command.main(["--from-results", *where]) == 0
    assert page.read_text() == first


def test_sets_need_names(capsys):
    with pytest.raises(SystemExit):
        command.main(["--pairs", "records/lfw"])
    assert "'records/lfw' must be NAME=RECORDS" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main([])
    assert "name what to measure on" in capsys.readouterr().err


RESEARCH = card.FOLDER.parent / "photos_and_renders"


@pytest.mark.parametrize(("folder", "page"), [(card.FOLDER, card.PAGE), (RESEARCH, RESEARCH / "README.md")])
def test_the_page_agrees_with_the_shipped_results(folder, page):
    document = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    text = page.read_text(encoding="utf-8")
    expected = between_markers(text, card.section(document), page)
    assert text == expected, f"{page} is out of date: python -m experiments.model_card --from-results"


def test_weights_for_research_are_those_that_were_measured_and_say_their_terms():
    about = weights.read_about(RESEARCH / "photos_and_renders.safetensors")
    measured = json.loads((RESEARCH / RESULTS).read_text(encoding="utf-8"))["weights"]
    assert measured["fingerprint"] == about.fingerprint
    assert "research only" in about.licence
    of_photos = [terms for name, terms in about.licences["data"].items() if name in ("faces", "people", "small")]
    assert len(of_photos) == 3
    assert all("research" in terms for terms in of_photos)


def test_stages_of_the_training_are_listed():
    settings = {"seed": 3, "schedule": {"steps": 9}, "data": {"batch_size": 8}}
    stage = {"settings": settings, "sets": {"a": {"samples": 5}}}
    about = {"run": "r", "preset": "tiny", "face_model": "m", "training": [stage], "notes": ["Note."]}
    assert card.weights_lines(about).endswith("- Note.\n- Stage 1: 9 steps of 8 photos, seed 3; sets: a (5 photos)")
