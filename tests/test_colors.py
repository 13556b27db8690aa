"""Color scales: viridis for magnitudes, gray at zero for signed values."""

import numpy as np
from skimage.color import rgb2lab

from sirjax.colors import colored, gradient_stops, palette
from tests.report.pages import parse_part


def test_magnitudes_get_viridis():
    # First and last color of the published table: #440154 and #fde725.
    np.testing.assert_array_equal(palette(0, 4)[[0, -1]], [[0x44, 0x01, 0x54], [0xFD, 0xE7, 0x25]])


def test_zero_is_gray_and_signs_differ():
    colors = palette(-1, 3).astype(int)
    zero = colors[64]  # 1/4 of the way from -1 to 3
    assert np.ptp(zero) <= 8
    assert zero.min() > 220
    assert colors[0, 2] > colors[0, 0] + 20  # blue
    assert colors[-1, 0] > colors[-1, 2] + 80  # red
    # As far from zero, as far from gray: -1 and +1.
    np.testing.assert_allclose(rgb2lab(colors[0] / 255)[0], rgb2lab(colors[127] / 255)[0], atol=4)


def test_scales_change_lightness_evenly():
    for low, high in ((0, 1), (-1, 0.001)):
        steps = np.diff(rgb2lab(palette(low, high)[:, None] / 255)[:, 0, 0])
        assert (steps > -0.6).all()
        assert steps.max() < 1.2


def test_values_get_the_palettes_colors_and_the_ends_beyond_it():
    colors = colored(np.array([[0.0, 2.0, 9.0, -1.0]]), 0.0, 2.0)
    np.testing.assert_array_equal(colors, palette(0, 2)[[[0, 255, 255, 0]]])
    np.testing.assert_array_equal(colored(np.array([-3.0, 1.0]), -3.0, 3.0), palette(-3, 3)[[0, 170]])


def test_gradients_run_through_the_colors():
    stops = parse_part(f"<svg><linearGradient>{gradient_stops(palette(0, 1))}</linearGradient></svg>")
    found = [element.get("stop-color") for element in stops.iter() if element.tag.endswith("stop")]
    assert (len(found), found[0], found[-1]) == (17, "rgb(68,1,84)", "rgb(253,231,37)")
