"""The viewer's page holds what it was given, loads nothing, and refuses what does not fit."""

import base64
import dataclasses
import json
import re

import numpy as np
import pytest

from sirjax.report.viewer import FaceDistances, InPhoto, ViewedFace, Viewer
from tests.report.pages import parse, words

TRIANGLES = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]])
MEAN = np.array([[-80.0, -90, 10], [80, -90, 0], [0, 120, 30], [0, 0, 90]])
HOSTILE = "</script><img src=http://a.b/c onerror=alert(1)>\"'&\0\udc80<!--$data"


def make_face(rng, name="anna", in_photo=None, **changes):
    fields = {
        "name": name,
        "neutral": MEAN + rng.normal(size=(4, 3)),
        "albedo": rng.uniform(size=(4, 3)),
        "norm": 5.25,
        "facts": {"Norm": 5.25, "Notes": "grey"},
        "thumbnail": np.full((4, 3, 3), 80, np.uint8),
        "in_photo": in_photo or make_in_photo(rng),
    }
    return ViewedFace(**(fields | changes))


def make_in_photo(rng, **changes):
    fields = {
        "image": np.full((6, 8, 3), 90, np.uint8),
        "posed": MEAN + rng.normal(size=(4, 3)),
        "rotation": np.arange(9.0).reshape(3, 3),
        "scale": 2.5,
        "translation": np.array([3.0, 4.5]),
        "lit": rng.uniform(size=(4, 3)),
    }
    return InPhoto(**(fields | changes))


def make_viewer(faces, title="Holiday", largest=None, **changes):
    count = len(faces)
    table = np.arange(count * count, dtype=float).reshape(count, count) + 0.123456
    largest = table if largest is None else largest
    return Viewer(title, faces, MEAN, TRIANGLES, 199, FaceDistances(table, largest, table, table), **changes)


def data_of(viewer):
    root = parse(viewer.html())
    script = next(element for element in root.iter("script") if element.get("id") == "viewer-data")
    return root, json.loads(script.text, parse_constant=pytest.fail)


def positions(encoded, low, size):
    shares = np.frombuffer(base64.b64decode(encoded), "<u2").reshape(-1, 3)
    return np.array(low) + np.array(size) * shares / 65535


def test_meshes_and_cameras_come_back(rng):
    faces = [make_face(rng, "anna"), make_face(rng, "bert")]
    _, data = data_of(make_viewer(faces))
    np.testing.assert_allclose(positions(data["mean"], data["low"], data["size"]), MEAN, atol=0.003)
    for face, stored in zip(faces, data["faces"], strict=True):
        np.testing.assert_allclose(positions(stored["neutral"], data["low"], data["size"]), face.neutral, atol=0.003)
        photo, shown = stored["photo"], face.in_photo
        np.testing.assert_allclose(positions(photo["posed"], photo["low"], photo["size"]), shown.posed, atol=0.003)
        assert (photo["rotation"], photo["scale"], photo["translation"]) == ([*range(9)], 2.5, [3.0, 4.5])
        for encoded, colors in ((photo["lit"], shown.lit), (stored["albedo"], face.albedo)):
            restored = np.frombuffer(base64.b64decode(encoded), "u1").reshape(-1, 3) / 255
            np.testing.assert_allclose(restored, colors, atol=0.5 / 255 + 1e-9)
        assert (photo["width"], photo["height"]) == (8, 6)


def test_faces_without_a_photo_are_shown_by_their_shape_alone(rng):
    fused = dataclasses.replace(make_face(rng, "anna, all photos"), thumbnail=None, in_photo=None)
    root, data = data_of(make_viewer([fused, make_face(rng)]))
    assert data["faces"][0]["photo"] is None
    labels = [label for label in root.iter("label") if label.get("class") == "face"]
    assert [len([*label.iter("img")]) for label in labels] == [1, 2]


def test_programs_read_names_norms_facts_and_distances(rng):
    _, data = data_of(make_viewer([make_face(rng, "anna"), make_face(rng, "bert")]))
    assert [(face["name"], face["norm"], face["facts"]) for face in data["faces"]] == [
        ("anna", 5.25, {"Norm": "5.25", "Notes": "grey"}),
        ("bert", 5.25, {"Norm": "5.25", "Notes": "grey"}),
    ]
    assert data["distances"]["rmse"] == [[0.1235, 1.123], [2.123, 3.123]]
    assert data["modes"] == 199


def test_every_face_is_a_radio_button_with_its_name_and_an_option_in_both_lists(rng):
    root, _ = data_of(make_viewer([make_face(rng, "anna"), make_face(rng, "bert, face 1")]))
    labels = [label for label in root.iter("label") if label.get("class") == "face"]
    assert [words(label) for label in labels] == ["anna", "bert, face 1"]
    assert [label.find("input").get("value") for label in labels] == ["0", "1"]
    assert ["checked" in label.find("input").attrib for label in labels] == [True, False]
    lists = [s for s in root.iter("select") if s.get("id") in ("first", "second")]
    assert [[words(option) for option in s] for s in lists] == [["anna", "bert, face 1"]] * 2
    assert words(root.find(".//legend[1]")) == "Show"


def test_every_control_has_a_name(rng):
    root, _ = data_of(make_viewer([make_face(rng)]))
    labelled = {id(control) for label in root.iter("label") for control in label.iter() if words(label).strip()}
    controls = [e for e in root.iter() if e.tag in ("input", "select")]
    assert controls
    assert all(id(control) in labelled for control in controls)
    turnable = [c for c in root.iter("canvas") if c.get("tabindex")]
    assert [bool(canvas.get("aria-label")) for canvas in turnable] == [True] * 4
    assert all(words(button).strip() for button in root.iter("button"))


def test_hostile_names_stay_words(rng):
    faces = [make_face(rng, HOSTILE, facts={HOSTILE: HOSTILE})] * 2
    root, data = data_of(make_viewer(faces, HOSTILE, origin={HOSTILE: HOSTILE}))
    shown = HOSTILE.replace("\0", "\ufffd").replace("\udc80", "\ufffd")
    assert words(root.find(".//h1")) == shown
    assert data["faces"][0]["name"] == HOSTILE
    assert [s.get("id") for s in root.iter("script")] == ["viewer-data", None, None]
    assert [words(cell) for cell in root.find(".//footer").iter("td")] == [shown]
    make_viewer(faces, HOSTILE).html().encode()


def test_nothing_is_loaded_from_anywhere(rng):
    root, _ = data_of(make_viewer([make_face(rng)]))
    policy = next(meta.get("content") for meta in root.iter("meta") if meta.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    for element in root.iter():
        assert element.tag not in ("link", "iframe", "object", "embed", "base", "a", "form")
        for key, value in element.attrib.items():
            assert str(key) not in ("src", "href", "srcset") or value.startswith("data:")
    for code in [*root.iter("style"), *(s for s in root.iter("script") if not s.get("type"))]:
        assert not re.search(r"https?:|//\w+\.\w|@import|fetch\(|XMLHttpRequest|import\(|url\(", words(code))


def test_scripts_find_every_element_they_ask_for(rng):
    root, _ = data_of(make_viewer([make_face(rng)]))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(set(ids)) == len(ids)
    code = words([*root.iter("script")][-1])
    asked = set(re.findall(r'(?:element|scene|getElementById|showScale)\("([\w-]+)"', code))
    assert asked >= {"mesh", "photo", "pair", "difference-scale", "viewer-data"}
    assert asked <= set(ids)


@pytest.mark.parametrize(("farthest", "limit"), [(0.0, 0.5), (0.9, 1.0), (4.2, 5.0), (900.0, 50.0)])
def test_the_color_scale_of_differences_ends_at_a_round_number(rng, farthest, limit):
    _, data = data_of(make_viewer([make_face(rng)] * 2, largest=np.full((2, 2), farthest)))
    assert data["limit"] == {"difference": limit, "error": None}


def test_errors_come_back_and_have_a_scale_of_their_own(rng):
    error = np.array([0.5, np.nan, 1.5, 1.8])
    _, data = data_of(make_viewer([make_face(rng, error=error), make_face(rng)]))
    packed = np.frombuffer(base64.b64decode(data["faces"][0]["error"]["values"]), "<u2").astype(float)
    low, high = data["faces"][0]["error"]["range"]
    restored = np.where(packed == 65535, np.nan, low + (high - low) * packed / 65534)
    np.testing.assert_allclose(restored, error, atol=1e-4)
    assert data["limit"]["error"] == 2.0
    assert data["faces"][1]["error"] is None


def test_one_face_has_nobody_to_be_compared_with(rng):
    root, data = data_of(make_viewer([make_face(rng)]))
    assert data["limit"]["difference"] == 0.5
    assert "1 face" in [words(legend) for legend in root.iter("legend")]


def test_a_written_page_is_the_page(rng, tmp_path):
    viewer = make_viewer([make_face(rng, "größe")])
    viewer.write(tmp_path / "view.html")
    assert (tmp_path / "view.html").read_text(encoding="utf-8") == viewer.html()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"neutral": MEAN * np.nan}, "face 'anna' needs finite neutral"),
        ({"albedo": np.zeros((4, 4))}, r"face 'anna' needs finite albedo \[4, 3\], got \[4, 4\]"),
        ({"error": np.zeros(3)}, "face 'anna' needs an error for each of 4 vertices"),
        ({"thumbnail": np.zeros((4, 4))}, r"picture 'anna' must be uint8 \[H, W, 3\]"),
    ],
)
def test_faces_that_cannot_be_shown_are_refused(rng, change, message):
    with pytest.raises(ValueError, match=message):
        make_face(rng, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"posed": MEAN[:3]}, r"face 'anna' needs finite posed \[4, 3\], got \[3, 3\]"),
        ({"lit": MEAN * np.nan}, "face 'anna' needs finite lit"),
        ({"image": np.zeros((4, 4))}, r"picture 'anna' must be uint8 \[H, W, 3\]"),
    ],
)
def test_photos_that_cannot_be_shown_are_refused(rng, change, message):
    in_photo = make_in_photo(rng, **change)
    with pytest.raises(ValueError, match=message):
        make_face(rng, in_photo=in_photo)


def test_sets_that_do_not_fit_are_refused(rng):
    viewer = make_viewer([make_face(rng)])
    with pytest.raises(ValueError, match="a viewer needs at least one face"):
        dataclasses.replace(viewer, faces=[])
    with pytest.raises(ValueError, match="face 'anna' has 4 vertices, the mean face 3: show faces of one face model"):
        dataclasses.replace(viewer, mean=MEAN[:3])
    with pytest.raises(ValueError, match=r"rmse must be \[2, 2\], got \[1, 1\]"):
        dataclasses.replace(viewer, faces=[make_face(rng)] * 2)
