"""Tiles beside each other: labelled grids, and the pictures of training."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from sirjax.colors import colored
from sirjax.pictures.draw import PAPER, Color, blank, caption, to_uint8

GAP = 6  # pixels between tiles


def compose(
    rows: Sequence[Sequence[UInt8[np.ndarray, "_ _ 3"]]],
    *,
    labels: Sequence[Sequence[str]] = (),
    title: str = "",
    background: Color = PAPER,
) -> UInt8[np.ndarray, "H W 3"]:
    """Puts tiles into a grid; each column is as wide and each row as high as its largest tile.

    Args:
      rows: tiles of any size, row by row; rows may be of unequal length.
      labels: a line of text over each tile; a missing row or an empty text leaves no strip.
      title: a line over everything.
      background: between the tiles.

    Raises:
      ValueError: if there is no tile, or a row of labels has another length than its row of tiles.
    """
    if not rows or not all(rows):
        raise ValueError(f"a grid needs at least one tile in each row, got rows of {[len(row) for row in rows]} tiles")
    widths = [max(row[i].shape[1] for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    total = sum(widths) + GAP * (len(widths) + 1)
    strips = [caption(title, total, height=34, size=0.6, background=background)] if title else []
    for i, row in enumerate(rows):
        texts = labels[i] if i < len(labels) else [""] * len(row)
        if len(texts) != len(row):
            raise ValueError(f"row {i} has {len(row)} tiles but {len(texts)} labels: give one each, '' for none")
        if any(texts):
            words = [caption(text, width, background=background) for text, width in zip(texts, widths, strict=False)]
            strips.append(_row(words, widths, total, background))
        strips += [_row(row, widths, total, background), blank(GAP, total, background)]
    return np.concatenate([blank(GAP, total, background), *strips])


def training_grid(
    images: Float[np.ndarray, "B H W 3"],
    renders: Float[np.ndarray, "B H W 3"],
    masks: Float[np.ndarray, "B H W"],
    albedos: Float[np.ndarray, "B H W 3"],
    sigmas: Float[np.ndarray, "B H W"],
    *,
    zoom: int = 2,
) -> UInt8[np.ndarray, "H2 W2 3"]:
    """A row per sample: the input, the face drawn over it, the face alone, its albedo, and ConfNet's sigma.

    Args:
      images: what the networks saw, in [0, 1].
      renders: shaded faces, not clipped.
      masks: 1 where the face is.
      albedos: unshaded faces.
      sigmas: expected error of each pixel; bright where ConfNet trusts the image least.
      zoom: pixels of the grid per image pixel.
    """
    inside = np.asarray(masks)[..., None]
    reach = float(np.quantile(sigmas, 0.99)) or 1.0
    columns = {
        "input": images,
        "overlay": inside * renders + (1 - inside) * images,
        "render": renders,
        "albedo": albedos,
    }
    tiles = [to_uint8(np.asarray(column)) for column in columns.values()] + [colored(np.asarray(sigmas), 0.0, reach)]
    rows = [[enlarge(column[i], zoom) for column in tiles] for i in range(len(images))]
    return compose(rows, labels=[[*columns, f"sigma, 0 to {reach:.2g}"]])


def enlarge(image: UInt8[np.ndarray, "H W 3"], zoom: int) -> UInt8[np.ndarray, "H2 W2 3"]:
    """Each pixel repeated zoom x zoom times."""
    return np.repeat(np.repeat(image, zoom, axis=0), zoom, axis=1)


def _row(
    tiles: Sequence[UInt8[np.ndarray, "_ _ 3"]], widths: Sequence[int], total: int, background: Color
) -> UInt8[np.ndarray, "H total 3"]:
    strip = blank(max(tile.shape[0] for tile in tiles), total, background)
    left = GAP
    for tile, width in zip(tiles, widths, strict=False):
        start = left + (width - tile.shape[1]) // 2
        strip[(strip.shape[0] - tile.shape[0]) // 2 :, start : start + tile.shape[1]][: tile.shape[0]] = tile
        left += width + GAP
    return strip
