"""Stills show what the turned view shows: near triangles over far ones, the right way round."""

import numpy as np

from sirjax.report import still

SQUARE = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
TRIANGLES = np.array([[0, 1, 2], [0, 2, 3]])


def test_near_triangles_hide_far_ones_in_any_order():
    vertices = np.concatenate([SQUARE * 0.5 + [0, 0, 1], SQUARE * 0.5])
    triangles = np.concatenate([TRIANGLES, TRIANGLES + 4])
    colors = np.repeat([[1.0, 0, 0], [0, 0, 1.0]], 4, axis=0)
    for order in (triangles, triangles[::-1]):
        x, y = (still.turn(*still.START) @ [0, 0, 1])[:2] / 2 * 0.94 * [1, -1] + 0.5
        picture = still.draw(vertices, order, colors, np.zeros(3), 1.0)
        red, _, blue = picture[int(y * still.SIZE), int(x * still.SIZE)].astype(int)
        assert red > 100 > blue


def test_what_faces_away_is_not_drawn():
    picture = still.draw(SQUARE, TRIANGLES[:, ::-1], np.zeros((4, 3)), np.zeros(3), 2.0)
    assert (picture == picture[0, 0]).all()


def test_turning_is_a_rotation_toward_the_right_and_down():
    turn = still.turn(0.35, 0.1)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert (turn @ [0, 0, 1])[0] > 0
    assert (still.turn(0, 0.1) @ [0, 0, 1])[1] < 0


def test_light_from_everywhere_brightens():
    dark = still.draw(SQUARE, TRIANGLES, np.full((4, 3), 0.5), np.zeros(3), 2.0)
    even = still.draw(SQUARE, TRIANGLES, np.full((4, 3), 0.5), np.zeros(3), 2.0, ambient=1.0)
    middle = still.SIZE // 2
    np.testing.assert_allclose(even[middle, middle].astype(int), 127, atol=1)
    assert dark[middle, middle, 0] != even[middle, middle, 0]


def test_a_box_fits_however_it_is_turned():
    assert still.reach(np.array([6.0, 2.0, 8.0])) == 4.5
    assert still.reach(np.zeros(3)) == 1.0
