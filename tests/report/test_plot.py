"""Plots: every point where its axes say, gaps where there is no value."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.report import Curve, Plot
from tests.report.pages import parse_part, words

SVG = "{http://www.w3.org/2000/svg}"


def drawing(plot):
    root = parse_part(plot.html("s"))
    svg = next(element for element in root.iter(f"{SVG}svg") if element.get("data-axes"))
    groups = [g for g in svg.iter(f"{SVG}g") if (g.get("class") or "").startswith("curve")]
    return root, json.loads(svg.get("data-axes")), groups


def to_data(points, axes):
    """What a reader of the drawing sees at "x,y x,y ..."."""
    left, top, right, bottom = axes["box"]
    x, y = np.array([point.split(",") for point in points.split()], float).T
    share, (low, high) = (x - left) / (right - left), axes["x"]
    x = low * (high / low) ** share if axes["log"] else low + share * (high - low)
    return x, axes["y"][0] + (bottom - y) / (bottom - top) * (axes["y"][1] - axes["y"][0])


@pytest.mark.parametrize("log", [False, True])
def test_points_are_drawn_where_the_axes_say(log):
    x, y = np.array([0.002, 0.01, 0.5]), np.array([0.2, 0.7, 0.9])
    _, axes, [group] = drawing(Plot("t", [Curve("a", x, y)], "x", "y", x_log=log))
    drawn_x, drawn_y = to_data(group.find(f"{SVG}polyline").get("points"), axes)
    np.testing.assert_allclose(drawn_x, x, rtol=1e-3, atol=0 if log else 2e-5)
    np.testing.assert_allclose(drawn_y, y, atol=1e-4)
    assert len(group.findall(f"{SVG}circle")) == 3


def test_an_interval_is_an_area_between_its_ends():
    x, y = np.arange(3.0), np.array([1.0, 2.0, 3.0])
    _, axes, [group] = drawing(Plot("t", [Curve("a", x, y, low=y - 0.5, high=y + np.nan)], "x", "y"))
    drawn_x, drawn_y = to_data(group.find(f"{SVG}polygon").get("points"), axes)
    np.testing.assert_allclose(drawn_x, [0, 1, 2, 2, 1, 0], atol=1e-3)
    np.testing.assert_allclose(drawn_y, [1, 2, 3, 2.5, 1.5, 0.5], atol=1e-3)  # an unknown end is the value itself


def test_values_that_are_missing_leave_a_gap():
    y = np.array([1.0, 2, np.nan, 4, np.inf, 6])
    _, axes, [group] = drawing(Plot("t", [Curve("a", np.arange(6.0), y)], "x", "y"))
    pieces = [to_data(line.get("points"), axes) for line in group.findall(f"{SVG}polyline")]
    assert [np.round(piece[1], 2).tolist() for piece in pieces] == [[1, 2], [4], [6]]
    assert axes["y"] == [1, 6]


def test_a_logarithmic_axis_leaves_out_what_is_not_above_zero():
    _, axes, [group] = drawing(Plot("t", [Curve("a", np.array([0, 1e-3, 1]), np.ones(3))], "x", "y", x_log=True))
    np.testing.assert_allclose(to_data(group.find(f"{SVG}polyline").get("points"), axes)[0], [1e-3, 1], rtol=1e-3)


def test_long_curves_are_thinned_without_a_visible_change():
    x = np.linspace(0, 1, 50_000)
    y = np.sin(5 * x) ** 2
    plot = Plot("t", [Curve("a", x, y)], "x", "y")
    _, axes, [group] = drawing(plot)
    drawn_x, drawn_y = to_data(group.find(f"{SVG}polyline").get("points"), axes)
    assert len(drawn_x) < 4000
    np.testing.assert_allclose(np.interp(x, drawn_x, drawn_y), y, atol=2e-3)
    [points] = plot.figures()["curves"]
    np.testing.assert_allclose(np.interp(x, points["x"], points["y"]), y, atol=2e-3)


def test_curves_without_any_value_still_have_axes():
    for curves in ([], [Curve("a", np.array([np.nan]), np.array([1.0]))]):
        for log in (False, True):
            root, axes, _ = drawing(Plot("t", curves, "x", "y", x_log=log))
            assert axes["y"] == [0, 1]
            assert "1.0" in words(root)


def test_a_given_range_of_y_is_shown_whole():
    _, axes, _ = drawing(Plot("t", [Curve("a", np.arange(2), np.array([0.4, 0.6]))], "x", "y", y_range=(0.0, 1.0)))
    assert axes["y"] == [0, 1]


@settings(max_examples=30)
@given(st.lists(st.tuples(*[st.floats(allow_subnormal=False, width=32)] * 2), min_size=1, max_size=20), st.booleans())
def test_any_values_give_a_drawing_inside_its_frame(points, log):
    x, y = np.array(points).T
    _, axes, groups = drawing(Plot("t", [Curve("a", x, y)], "x", "y", x_log=log))
    left, top, right, bottom = axes["box"]
    for line in groups[0].findall(f"{SVG}polyline"):
        place = np.array([point.split(",") for point in line.get("points").split()], float)
        assert (place >= np.array([left, top]) - 0.01).all()
        assert (place <= np.array([right, bottom]) + 0.01).all()


def test_each_curve_has_a_switch_in_the_legend_and_a_style_of_its_own():
    curves = [Curve(f"<{i}>", np.arange(2), np.arange(2)) for i in range(12)]
    root, _, groups = drawing(Plot("t", curves, "x", "y"))
    switches = [button for button in root.iter("button") if button.get("aria-pressed") == "true"]
    assert [words(button) for button in switches] == [f"<{i}>" for i in range(12)]
    assert len({(g.get("class"), g.get("stroke-dasharray")) for g in groups}) == 12


def test_curves_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"curve 'a' needs arrays \[N\] of one length, got \[\(2,\), \(3,\)\]"):
        Curve("a", np.zeros(2), np.zeros(3))
    with pytest.raises(ValueError, match="curve 'a' has one end of its interval: give both low and high, or neither"):
        Curve("a", np.zeros(2), np.zeros(2), low=np.zeros(2))
