"""Cuts the pyramid of a photo into pieces and packs them into square tiles of one size.

P-Net slides over the photo at many scales. Compiled per image size it would be compiled anew for nearly every photo and
level; on tiles it is compiled once. A large level is cut into pieces that overlap by one window less a stride, small
levels share a tile. Windows that straddle two pieces are never looked at, so no gap is left between pieces.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from sirjax.networks.mtcnn_nets import P_NET_STRIDE, P_NET_WINDOW

TILE = 192  # pixels; even


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
    tile, x, y, shelf = 0, 0, 0, 0
    for piece in sorted(pieces, key=lambda piece: (piece.height, piece.width), reverse=True):
        width, height = _even(piece.width), _even(piece.height)
        if x + width > TILE:
            x, y, shelf = 0, y + shelf, 0
        if y + height > TILE:
            tile, x, y, shelf = tile + 1, 0, 0, 0
        placed.append(Piece(piece.level, piece.left, piece.top, piece.width, piece.height, tile, x, y))
        x, shelf = x + width, max(shelf, height)
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
