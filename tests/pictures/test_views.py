import numpy as np
import pytest

from sirjax.pictures.draw import PAPER
from sirjax.pictures.views import (
    FRONT,
    SIDE,
    clay_and_textured_view,
    clay_view,
    error_view,
    place_in_view,
    textured_view,
)
from tests.face_models import dome_face_model
from tests.reconstructions import rotation

MODEL = dome_face_model(grid=17)
MEAN = np.asarray(MODEL.mean)
SIZE = 96


def covered(view):
    return np.argwhere((view != np.array(PAPER)).any(axis=-1))


def test_the_front_view_is_centered_and_fills_four_fifths():
    place = covered(clay_view(MODEL, MEAN, FRONT, size=SIZE))
    np.testing.assert_allclose(place.max(axis=0) - place.min(axis=0) + 1, 0.8 * SIZE, atol=2)
    np.testing.assert_allclose(place.mean(axis=0), (SIZE - 1) / 2, atol=1)


def test_in_the_side_view_the_nose_points_right():
    place = covered(clay_view(MODEL, MEAN, SIDE, size=SIZE))
    rightmost = place[place[:, 1] == place[:, 1].max()]
    # The tip of the dome's nose lies 6 mm below the middle of a face 150 mm high.
    np.testing.assert_allclose(rightmost[:, 0].mean(), (SIZE - 1) / 2 + 0.8 * SIZE * 6 / 150, atol=2)
    depth = np.ptp(MEAN[:, 2]) / 150 * 0.8 * SIZE
    np.testing.assert_allclose(np.ptp(place[:, 1]) + 1, depth, atol=2)


def test_a_smaller_head_looks_smaller():
    whole, half = (covered(clay_view(MODEL, MEAN * size, size=SIZE)) for size in (1.0, 0.5))
    np.testing.assert_allclose(np.ptp(half[:, 1]), np.ptp(whole[:, 1]) / 2, atol=1.5)


def test_clay_is_brighter_toward_the_upper_left_light():
    view = clay_view(MODEL, MEAN, FRONT, size=SIZE).astype(float).mean(axis=-1)
    assert view[24, 24] > view[72, 72] + 20


def test_the_textured_view_shows_the_albedo():
    albedo = np.zeros((8, 8, 3), np.float32)
    albedo[:4], albedo[4:] = (0.2, 0.6, 1.0), (0.9, 0.1, 0.0)
    view = textured_view(MODEL, MEAN, albedo, size=SIZE)
    np.testing.assert_allclose(view[24, 48], [51, 153, 255], atol=1)
    np.testing.assert_allclose(view[72, 48], [230, 26, 0], atol=1)
    assert view[0, 0].tolist() == list(PAPER)


def test_two_views_of_one_mesh_are_those_drawn_alone(rng):
    albedo = rng.uniform(size=(8, 8, 3)).astype(np.float32)
    clay, textured = clay_and_textured_view(MODEL, MEAN, albedo, size=SIZE)
    np.testing.assert_array_equal(clay, clay_view(MODEL, MEAN, size=SIZE))
    np.testing.assert_array_equal(textured, textured_view(MODEL, MEAN, albedo, size=SIZE))


def test_outlines_are_smooth():
    white, black = np.ones((8, 8, 3), np.float32), (0, 0, 0)
    tilted = MEAN @ rotation(0.0, 0.0, 20.0)  # the dome's own border is straight and upright
    view, large = (textured_view(MODEL, tilted, white, size=n, background=black) for n in (SIZE, 8 * SIZE))
    covered_share = large.reshape(SIZE, 8, SIZE, 8, 3).mean(axis=(1, 3))
    assert {0, 85, 255} <= set(np.unique(view)) <= {0, 85, 170, 255}  # of three samples none, one, two or all
    outline = (covered_share > 0) & (covered_share < 255)
    error = np.abs(view - covered_share)[outline].mean()
    one_sample = np.abs(255 * (covered_share > 127) - covered_share)[outline].mean()
    assert error < 0.7 * one_sample


def test_the_background_can_be_chosen():
    assert clay_view(MODEL, MEAN, size=SIZE, background=(1, 2, 3))[0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(("error", "color"), [(0.0, (68, 1, 84)), (2.0, (253, 231, 37)), (50.0, (253, 231, 37))])
def test_errors_are_tinted(error, color):
    view = error_view(MODEL, MEAN, np.full(len(MEAN), error), 2.0, size=SIZE)
    pixel = view[30, 30].astype(float)  # shading dims it but leaves the hue
    np.testing.assert_allclose(pixel / pixel.sum(), np.array(color) / sum(color), atol=0.03)
    assert view[0, 0].tolist() == list(PAPER)


@pytest.mark.parametrize(("error", "color"), [(-5.0, "blue"), (0.0, "gray"), (5.0, "red")])
def test_signed_errors_are_blue_and_red(error, color):
    view = error_view(MODEL, MEAN, np.full(len(MEAN), error), 2.0, size=SIZE, signed=True)
    red, _, blue = view[30, 30].astype(float)
    assert {"blue": blue > 1.5 * red, "gray": abs(red - blue) < 0.05 * red, "red": red > 1.5 * blue}[color]


def test_points_are_placed_where_the_views_show_them():
    tip = MEAN[MEAN[:, 2].argmax()]
    front, side = (place_in_view(MODEL, tip[None], yaw, SIZE)[0] for yaw in (FRONT, SIDE))
    assert front[0] == pytest.approx((SIZE - 1) / 2, abs=0.5)
    rightmost = covered(clay_view(MODEL, MEAN, SIDE, size=SIZE))
    rightmost = rightmost[rightmost[:, 1] == rightmost[:, 1].max()].mean(axis=0)
    np.testing.assert_allclose(side[[1, 0]], rightmost, atol=3)
