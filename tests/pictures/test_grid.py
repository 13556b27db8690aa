import numpy as np
import pytest

from sirjax.colors import palette
from sirjax.pictures.draw import PAPER, to_uint8
from sirjax.pictures.grid import GAP, compose, enlarge, training_grid


def tile(value, height, width):
    return np.full((height, width, 3), value, np.uint8)


def test_tiles_lie_side_by_side():
    grid = compose([[tile(10, 20, 30), tile(20, 20, 30)], [tile(30, 20, 30), tile(40, 20, 30)]])
    assert grid.shape == (2 * 20 + 3 * GAP, 2 * 30 + 3 * GAP, 3)
    for row, column, value in ((0, 0, 10), (0, 1, 20), (1, 0, 30), (1, 1, 40)):
        top, left = GAP + row * (20 + GAP), GAP + column * (30 + GAP)
        assert (grid[top : top + 20, left : left + 30] == value).all()
    assert (grid[:GAP] == PAPER).all()


def test_smaller_tiles_are_centered_in_their_cell():
    grid = compose([[tile(10, 20, 30)], [tile(20, 10, 10)]])
    assert (grid[2 * GAP + 20 : 2 * GAP + 30, GAP + 10 : GAP + 20] == 20).all()


def test_rows_may_be_shorter():
    assert compose([[tile(1, 9, 9), tile(2, 9, 9)], [tile(3, 9, 9)]]).shape == (2 * 9 + 3 * GAP, 2 * 9 + 3 * GAP, 3)


def test_labels_and_title_take_strips_of_their_own():
    bare, labelled = compose([[tile(1, 50, 50)]]), compose([[tile(1, 50, 50)]], labels=[["face"]], title="who")
    assert labelled.shape[0] == bare.shape[0] + 26 + 34
    np.testing.assert_array_equal(labelled[-bare.shape[0] + GAP :], bare[GAP:])


def test_bad_grids_are_refused():
    with pytest.raises(ValueError, match="at least one tile in each row, got rows of \\[1, 0\\] tiles"):
        compose([[tile(1, 9, 9)], []])
    with pytest.raises(ValueError, match="row 0 has 2 tiles but 1 labels: give one each"):
        compose([[tile(1, 9, 9), tile(2, 9, 9)]], labels=[["one"]])


def test_the_training_grid_shows_input_overlay_render_albedo_and_sigma(rng):
    images, renders, albedos = rng.uniform(size=(3, 2, 112, 96, 3))
    masks, sigmas = np.zeros((2, 112, 96)), np.ones((2, 112, 96))
    masks[:, 40:, :], sigmas[0, 0, 0] = 1, 0.0
    grid = training_grid(images, renders, masks, albedos, sigmas, zoom=1)
    strip = grid[GAP + 26 : GAP + 26 + 112]  # the first sample, under the labels
    tiles = [strip[:, GAP + i * (96 + GAP) :][:, :96] for i in range(5)]
    np.testing.assert_array_equal(tiles[0], to_uint8(images[0]))
    np.testing.assert_array_equal(tiles[1][:40], to_uint8(images[0, :40]))
    np.testing.assert_array_equal(tiles[1][40:], to_uint8(renders[0, 40:]))
    np.testing.assert_array_equal(tiles[2], to_uint8(renders[0]))
    np.testing.assert_array_equal(tiles[3], to_uint8(albedos[0]))
    assert tiles[4][0, 0].sum() < tiles[4][5, 5].sum()
    assert grid.shape == (26 + 2 * 112 + 3 * GAP, 5 * 96 + 6 * GAP, 3)


def test_a_grid_of_zero_sigmas_is_dark():
    zeros = np.zeros((1, 112, 96, 3))
    grid = training_grid(zeros, zeros, zeros[..., 0], zeros, zeros[..., 0], zoom=1)
    assert grid[GAP + 60, -GAP - 10].tolist() == palette(0, 1)[0].tolist()


def test_enlarging_repeats_pixels():
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert enlarge(image, 2)[..., 0].tolist() == [[0, 0, 3, 3], [0, 0, 3, 3], [6, 6, 9, 9], [6, 6, 9, 9]]
