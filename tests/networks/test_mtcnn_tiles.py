import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sirjax.networks import mtcnn_tiles
from sirjax.networks.mtcnn_tiles import TILE

levels = st.lists(st.tuples(st.integers(1, 3 * TILE), st.integers(1, 3 * TILE)), min_size=1, max_size=6)


def placed(sizes):
    return mtcnn_tiles.pack([p for i, (width, height) in enumerate(sizes) for p in mtcnn_tiles.cut(i, width, height)])


@given(levels)
def test_every_window_of_every_level_is_seen_exactly_once(sizes):
    seen = [np.zeros((max(0, (h - 12) // 2 + 1), max(0, (w - 12) // 2 + 1)), int) for w, h in sizes]
    for piece in placed(sizes):
        rows, columns = piece.windows
        top, left = piece.top // 2, piece.left // 2
        seen[piece.level][top : top + rows.stop - rows.start, left : left + columns.stop - columns.start] += 1
    for (width, height), count in zip(sizes, seen, strict=True):
        if min(width, height) >= 12:
            assert np.all(count == 1)


@given(levels)
def test_pieces_neither_overlap_nor_leave_their_tile(sizes):
    pieces = placed(sizes)
    used = np.zeros((max((piece.tile for piece in pieces), default=-1) + 1, TILE, TILE), int)
    for piece in pieces:
        assert piece.x % 2 == piece.y % 2 == 0
        assert max(piece.x + piece.width, piece.y + piece.height) <= TILE
        used[piece.tile, piece.y : piece.y + piece.height, piece.x : piece.x + piece.width] += 1
    assert np.all(used <= 1)


def test_tiles_hold_the_pixels_of_the_levels(rng):
    sizes = [(200, 150), (60, 40)]
    images = [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in sizes]
    pieces = placed(sizes)
    tiles = mtcnn_tiles.fill(images, pieces)
    for piece in pieces:
        rows, columns = piece.windows
        for row, column in ((rows.start, columns.start), (rows.stop - 1, columns.stop - 1)):
            window = tiles[piece.tile, 2 * row : 2 * row + 12, 2 * column : 2 * column + 12]
            top, left = piece.top + 2 * row - piece.y, piece.left + 2 * column - piece.x
            np.testing.assert_array_equal(window, images[piece.level][top : top + 12, left : left + 12])


def test_levels_below_a_window_have_no_pieces():
    assert mtcnn_tiles.cut(0, 11, 50) == []
    assert len(mtcnn_tiles.cut(0, 12, 12)) == 1
