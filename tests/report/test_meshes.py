"""Meshes come back from the page as they went in, and what cannot be shown is refused."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sirjax.report import Meshes, MeshView
from tests.report.pages import parse_part

VERTICES = np.array([[-80.0, -90, 10], [80, -90, 0], [0, 120, 30], [0, 0, 90]])
TRIANGLES = np.array([[0, 1, 3], [1, 2, 3], [2, 0, 3]])


def array(encoded, dtype):
    return np.frombuffer(base64.b64decode(encoded), dtype)


def data_of(section):
    root = parse_part(section.html("s"))
    script = next(element for element in root.iter("script") if element.get("class") == "mesh-data")
    return root, json.loads(script.text)


def positions_of(data, view):
    shares = array(data["views"][view]["positions"], "<u2").reshape(-1, 3)
    return np.array(data["low"]) + np.array(data["size"]) * shares / 65535


def values_of(data, view):
    packed = array(data["views"][view]["values"], "<u2").astype(float)
    low, high = data["views"][view]["range"]
    return np.where(packed == 65535, np.nan, low + (high - low) * packed / 65534)


@settings(max_examples=30)
@given(hnp.arrays(np.float32, (5, 3), elements=st.floats(-1e4, 1e4, width=32)))
def test_positions_come_back_within_half_a_step(vertices):
    _, data = data_of(Meshes("t", [MeshView("a", vertices, TRIANGLES), MeshView("b", vertices + 1, TRIANGLES)]))
    step = np.array(data["size"]) / 65535
    assert (abs(positions_of(data, 0) - vertices) <= 0.51 * step + 1e-9).all()
    assert (abs(positions_of(data, 1) - (vertices + 1)) <= 0.51 * step + 1e-9).all()


def test_equal_triangles_are_stored_once_and_come_back():
    views = [MeshView("a", VERTICES, TRIANGLES), MeshView("b", VERTICES, TRIANGLES.astype(np.int32))]
    _, data = data_of(Meshes("t", [*views, MeshView("c", VERTICES, TRIANGLES[:1])]))
    assert [view["triangles"] for view in data["views"]] == [0, 0, 1]
    assert data["triangles"][0]["bytes"] == 2
    np.testing.assert_array_equal(array(data["triangles"][0]["data"], "<u2").reshape(-1, 3), TRIANGLES)


def test_large_meshes_number_their_vertices_in_four_bytes():
    vertices = np.zeros((70_000, 3))
    vertices[:, 0] = np.arange(70_000)
    _, data = data_of(Meshes("t", [MeshView("a", vertices, np.array([[0, 1, 69_999]]))]))
    assert data["triangles"][0]["bytes"] == 4
    assert array(data["triangles"][0]["data"], "<u4").tolist() == [0, 1, 69_999]


def test_values_and_colors_come_back_and_what_is_missing_stays_missing():
    values, colors = np.array([0.5, np.nan, 3.0, np.inf]), np.array([[0, 0.5, 1]] * 3 + [[2.0, -1, 0.2]])
    views = [MeshView("a", VERTICES, TRIANGLES, values=values), MeshView("b", VERTICES, TRIANGLES, colors=colors)]
    _, data = data_of(Meshes("t", views))
    np.testing.assert_allclose(values_of(data, 0), [0.5, np.nan, 3.0, np.nan], atol=1e-4)
    shown = array(data["views"][1]["colors"], "u1").reshape(-1, 3)
    np.testing.assert_array_equal(shown, [[0, 128, 255]] * 3 + [[255, 0, 51]])


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([0.0, 1, 2, 2], (0, 2)),
        ([-1.0, 0, 3, 3], (-3, 3)),
        ([np.nan, np.nan, np.nan, np.nan], (0, 1)),
        ([0.0, 0, 0, 0], (0, 1)),
    ],
)
def test_color_scales_start_at_zero_or_are_even_on_both_sides(values, limits):
    view = MeshView("a", VERTICES, TRIANGLES, values=np.array(values))
    root, data = data_of(Meshes("t", [view]))
    assert tuple(data["limits"]) == pytest.approx(limits)
    assert [e.get("class") for e in root.iter() if e.get("class") == "bar"] == ["bar"]
    assert Meshes("t", [view], value_range=(1, 2)).limits() == (1, 2)


def test_without_values_there_is_no_color_bar():
    root, data = data_of(Meshes("t", [MeshView("a", VERTICES, TRIANGLES)]))
    assert data["limits"] is None
    assert not [e for e in root.iter() if e.get("class") == "bar"]


def test_every_view_has_a_still_picture_and_a_canvas_for_the_keyboard():
    own = np.full((4, 5, 3), 200, np.uint8)
    views = [MeshView('a "b"', VERTICES, TRIANGLES, picture=own), MeshView("c", VERTICES, TRIANGLES)]
    root, _ = data_of(Meshes("t", views))
    assert [image.get("alt") for image in root.iter("img")] == ['a "b"', "c"]
    canvases = [(c.get("tabindex"), c.get("aria-label"), c.get("hidden")) for c in root.iter("canvas")]
    assert canvases == [("0", 'a "b"', ""), ("0", "c", "")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertices": VERTICES * np.nan}, r"mesh 'a' needs finite vertices \[V, 3\], got \[4, 3\]"),
        ({"vertices": VERTICES[:0]}, r"mesh 'a' needs finite vertices \[V, 3\], got \[0, 3\]"),
        ({"triangles": TRIANGLES * 1.0}, r"mesh 'a' needs triangles int \[T, 3\], got float64 \[3, 3\]"),
        ({"triangles": TRIANGLES + 1}, "mesh 'a' names the vertices 1 to 4, but has 4; number vertices from 0"),
        ({"values": np.zeros(3)}, r"mesh 'a' needs a value for each of 4 vertices, got \(3,\)"),
        ({"colors": np.zeros((4, 4))}, r"mesh 'a' needs colors \[4, 3\], got \[4, 4\]"),
        ({"values": np.zeros(4), "colors": np.zeros((4, 3))}, "mesh 'a' has both values and colors: give one of them"),
        ({"picture": np.zeros((4, 4))}, r"picture 'a' must be uint8 \[H, W, 3\]"),
    ],
)
def test_meshes_that_cannot_be_shown_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        MeshView(**({"name": "a", "vertices": VERTICES, "triangles": TRIANGLES} | change))


def test_sections_that_show_nothing_are_refused():
    with pytest.raises(ValueError, match="meshes 't' need at least one view"):
        Meshes("t", [])
    with pytest.raises(ValueError, match=r"value_range must be \(low, high\) with low < high, got \(1, 1\)"):
        Meshes("t", [MeshView("a", VERTICES, TRIANGLES)], value_range=(1, 1))
