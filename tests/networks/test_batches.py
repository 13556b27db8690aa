"""Batches of one size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.networks.batches import in_batches, split


@given(count=st.integers(1, 23), batch_size=st.integers(1, 9))
def test_every_row_comes_back_in_its_place_and_the_function_sees_one_size_only(count, batch_size):
    rows = np.arange(2 * count).reshape(count, 2)
    sizes = set()

    def function(batch):
        sizes.add(len(batch))
        return {"double": 2 * batch, "sum": batch.sum(axis=1)}

    result = in_batches(function, split(rows, batch_size), batch_size)
    np.testing.assert_array_equal(result["double"], 2 * rows)
    np.testing.assert_array_equal(result["sum"], rows.sum(axis=1))
    assert sizes == {batch_size}


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="there is no image to read: give at least one"):
        in_batches(lambda batch: batch, split(np.zeros((0, 3)), 4), 4)
