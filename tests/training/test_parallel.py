"""Batches are split evenly; replicated values are on every device; a step sees its share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.training.parallel import DEVICES, parallel_step, replicate, split_batch


def test_batches_are_split_in_order():
    split = split_batch({"x": np.arange(6)}, 3)
    np.testing.assert_array_equal(split["x"], [[0, 1], [2, 3], [4, 5]])


def test_uneven_batches_are_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"a batch of 5 cannot be split evenly over 2 devices; set data.batch_size"):
        split_batch({"x": np.arange(5)}, 2)


@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_a_step_sums_over_all_devices(num_devices):
    devices = jax.devices()[:num_devices]

    def step(state, batch, frozen):
        return state + jax.lax.psum(frozen * batch.sum(), DEVICES), {}

    state = replicate(jnp.zeros(()), devices)
    batch = split_batch(np.arange(8.0, dtype=np.float32), num_devices)
    new_state, _ = parallel_step(step, devices)(state, batch, replicate(jnp.asarray(2.0), devices))
    assert float(new_state) == 56.0


def test_replicated_arrays_lie_on_every_device():
    devices = jax.devices()[:2]
    assert replicate(jnp.ones(3), devices).devices() == set(devices)
