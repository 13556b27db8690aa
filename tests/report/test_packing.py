"""Packed arrays come back as a browser unpacks them."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sirjax.report import packing


def array(encoded, dtype):
    return np.frombuffer(base64.b64decode(encoded), dtype)


def test_the_box_holds_all_shapes():
    low, size = packing.box([np.array([[0.0, 5, -1]]), np.array([[2.0, 1, 0], [-3, 1, 0]])])
    np.testing.assert_array_equal(low, [-3, 1, -1])
    np.testing.assert_array_equal(size, [5, 4, 1])


def test_a_face_keeps_its_place_to_two_micrometers(rng):
    vertices = rng.uniform(-100, 100, (500, 3))
    low, size = packing.box([vertices])
    shares = array(packing.positions(vertices, low, size), "<u2").reshape(-1, 3)
    assert np.abs(low + size * shares / 65535 - vertices).max() < 0.002


def test_a_flat_shape_stays_flat():
    vertices = np.array([[1.0, 2, 3], [4, 2, 3]])
    assert array(packing.positions(vertices, *packing.box([vertices])), "<u2").tolist() == [0, 0, 0, 65535, 0, 0]


@pytest.mark.parametrize(("last", "width"), [(65535, 2), (65536, 4)])
def test_corners_take_the_bytes_they_need(last, width):
    stored = packing.triangles(np.array([[0, 1, last]]))
    assert stored["bytes"] == width
    assert array(stored["data"], f"<u{width}").tolist() == [0, 1, last]


@settings(max_examples=30)
@given(hnp.arrays(np.float64, 6, elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
def test_values_come_back_within_half_a_step_and_missing_ones_stay_missing(of_vertices):
    stored = packing.values(of_vertices)
    low, high = stored["range"]
    packed = array(stored["values"], "<u2").astype(float)
    restored = np.where(packed == packing.NO_VALUE, np.nan, low + (high - low) * packed / 65534)
    np.testing.assert_allclose(restored, of_vertices, atol=0.51 * (high - low) / 65534 + 1e-9)


def test_colors_are_rounded_and_clipped():
    assert array(packing.colors(np.array([[0.5, -1, 2.0]])), "u1").tolist() == [128, 0, 255]
