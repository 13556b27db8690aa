"""Cuts the pyramid of a photo into pieces and packs them into square tiles of one size.

P-Net slides over the photo at many scales. Compiled per image size it would be compiled anew for nearly every photo and
level; on tiles it is compiled once. A large level is cut into pieces that overlap by one window less a stride, small
levels share a tile. Windows that straddle two pieces are never looked at, so no gap is left between pieces.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import UInt8

from sirjax.networks.mtcnn_nets import P_NET_STRIDE, P_NET_WINDOW

TILE = 128  # pixels; even


@dataclass(frozen=True)
class Piece:
    """A rectangle of a pyramid level and its place in a tile; pixels, positions in a tile are even."""

    level: int
    left: int  # in the level
    top: int
    width: int
    height: int
    tile: int = 0
    x: int = 0  # in the tile
    y: int = 0

    @property
    def windows(self) -> tuple[slice, slice]:
        """Rows and columns of the tile's P-Net output that look at nothing but this piece."""

        def part(start: int, size: int) -> slice:
            first = start // P_NET_STRIDE
            return slice(first, first + (size - P_NET_WINDOW) // P_NET_STRIDE + 1)

        return part(self.y, self.height), part(self.x, self.width)


def cut(level: int, width: int, height: int) -> list[Piece]:
    """Covers every window of a level of that size with pieces no larger than a tile; none if it is below 12 pixels."""
    return [
        Piece(level, left, top, piece_width, piece_height)
        for top, piece_height in _spans(height)
        for left, piece_width in _spans(width)
    ]


def pack(pieces: list[Piece]) -> list[Piece]:
    """Places the pieces on shelves, the highest first; returns them with tile, x and y set, tiles numbered from 0."""
    placed: list[Piece] = []
    shelves: list[list[int]] = []  # tile, y, height and used width of each
    used: list[int] = []  # height of each tile that is taken by shelves
    for piece in sorted(pieces, key=lambda piece: (piece.height, piece.width), reverse=True):
        width, height = _even(piece.width), _even(piece.height)
        shelf = next((shelf for shelf in shelves if height <= shelf[2] and shelf[3] + width <= TILE), None)
        if shelf is None:
            tile = next((tile for tile, taken in enumerate(used) if taken + height <= TILE), len(used))
            if tile == len(used):
                used.append(0)
            shelf = [tile, used[tile], height, 0]
            shelves.append(shelf)
            used[tile] += height
        placed.append(replace(piece, tile=shelf[0], x=shelf[3], y=shelf[1]))
        shelf[3] += width
    return placed


def fill(levels: list[UInt8[np.ndarray, "h w 3"]], pieces: list[Piece]) -> UInt8[np.ndarray, "N T T 3"]:
    """Copies the pieces of the pyramid into their tiles; gray where there is none."""
    tiles = np.full((max(piece.tile for piece in pieces) + 1, TILE, TILE, 3), 128, np.uint8)
    for piece in pieces:
        source = levels[piece.level][piece.top : piece.top + piece.height, piece.left : piece.left + piece.width]
        tiles[piece.tile, piece.y : piece.y + piece.height, piece.x : piece.x + piece.width] = source
    return tiles


def _spans(size: int) -> list[tuple[int, int]]:
    """(start, length) of the parts of one side; each next one starts at the first window the last one misses."""
    step = TILE - P_NET_WINDOW + P_NET_STRIDE
    return [(start, min(TILE, size - start)) for start in range(0, size - P_NET_WINDOW + 1, step)]


def _even(size: int) -> int:
    return size + size % 2
