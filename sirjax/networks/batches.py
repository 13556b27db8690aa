"""Any number of images through a function compiled for batches of one size."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Shaped


def in_batches(function: Callable, batches: Iterable[Shaped[np.ndarray, "_ ..."]], batch_size: int) -> Any:
    """Applies a compiled function to batches of one size and joins what it returns.

    Args:
      function: takes `batch_size` rows, returns arrays (or a tree of them) of as many rows.
      batches: up to `batch_size` rows each; shorter ones are filled with copies of their last row, which are cut off
        the result again, so that nothing is compiled twice.
      batch_size: rows that the function takes at once.

    Returns:
      The function's result as NumPy arrays with a row for each row given.

    Raises:
      ValueError: if there are no rows at all.
    """
    parts = []
    for batch in batches:
        filled = np.concatenate([batch, np.repeat(batch[-1:], batch_size - len(batch), axis=0)])
        rows = len(batch)
        parts.append(jax.tree.map(lambda leaf, rows=rows: leaf[:rows], jax.device_get(function(filled))))
    if not parts:
        raise ValueError("there is no image to read: give at least one")
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


def split(rows: Shaped[np.ndarray, "N ..."], batch_size: int) -> Iterator[Shaped[np.ndarray, "_ ..."]]:
    """The rows in runs of `batch_size`, the last one shorter."""
    for start in range(0, len(rows), batch_size):
        yield rows[start : start + batch_size]
