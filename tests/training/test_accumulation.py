"""Micro-batches one after the other give the step of the whole batch."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.constants import NO_IDENTITY
from sirjax.training import accumulation
from sirjax.training.identity_table import ShardedTables
from tests.training.stand_ins import batch_of
from tests.training.test_identity_table import BATCHES, METHOD, C, assert_states_agree, train

N = NO_IDENTITY
# A part of a device's batch without any identity, and one without any landmarks.
UNEVEN = [batch_of([N, N, N, N, 3, 3, 0, 10, N, 3, 7, N, N, 1, 10, N], seed=1), *BATCHES[1:]]


@pytest.mark.parametrize(
    ("accumulate", "num_devices", "tables"),
    [(4, 1, None), (2, 2, None), (2, 2, ShardedTables(C, 2)), (2, 2, ShardedTables(C, 2, sampled=0.3))],
    ids=["one device", "two devices", "sharded tables", "sampled negatives"],
)
def test_parts_take_the_steps_of_the_whole_batch(accumulate, num_devices, tables):
    whole = None if tables is None else dataclasses.replace(tables, num_devices=1)
    metrics, state = train("adam", UNEVEN, num_devices, tables, accumulate=accumulate)
    expected_metrics, expected = train("adam", UNEVEN, 1, whole)
    for name, value in expected_metrics.items():
        np.testing.assert_allclose(metrics[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    assert_states_agree(state, expected)


def test_kl_over_all_samples_is_accumulated_too():
    method = dataclasses.replace(METHOD, kl_scope="all", softmax="none", center="none")
    metrics, state = train("adam", UNEVEN[:1], 1, None, method=method, accumulate=2)
    expected_metrics, expected = train("adam", UNEVEN[:1], 1, None, method=method)
    assert metrics["kl"] > 0
    np.testing.assert_allclose(metrics["kl"], expected_metrics["kl"], rtol=1e-5)
    assert_states_agree(state, expected)


def test_parts_keep_the_order_of_the_samples():
    parts = accumulation.into_parts({"x": jnp.arange(6)}, 3)
    np.testing.assert_array_equal(parts["x"], [[0, 1], [2, 3], [4, 5]])


def test_batches_that_cannot_be_parted_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"batch of 6 cannot be split evenly into 4 parts; set data.batch_size"):
        accumulation.into_parts({"x": jnp.arange(6)}, 4)


def test_what_adds_up_is_summed_and_what_belongs_to_samples_is_joined():
    def of_part(index, part):
        return {"sum": part.sum()}, part + 10 * index

    for num_parts in (1, 3):
        parts = accumulation.into_parts(jnp.arange(6), num_parts)
        sums, joined = jax.jit(lambda parts, num=num_parts: accumulation.add_up(of_part, parts, num))(parts)
        assert int(sums["sum"]) == 15
        offsets = 10 * np.repeat(np.arange(num_parts), 6 // num_parts)
        np.testing.assert_array_equal(joined, np.arange(6) + offsets)
