"""A fresh state: normalized class weights, centers at the mean face, no tables without identities."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from sirjax.training.state import initial_class_weights, initial_state
from tests.training.test_checkpoint import Small


def test_class_weights_are_unit_rows_drawn_from_a_cube():
    rows = np.asarray(initial_class_weights(jax.random.key(0), jnp.arange(2000), 3))
    np.testing.assert_allclose(np.linalg.norm(rows, axis=-1), 1.0, rtol=1e-5)
    # Uniform in the cube, not on the sphere: directions toward corners are likelier than along axes.
    assert (np.abs(rows).max(axis=-1) > 0.97).mean() < 0.1


def test_centers_start_at_the_mean_face():
    state = initial_state(Small(), optax.adam(0.1), num_identities=5, num_shape=3, seed=0, image_size=(4, 4))
    np.testing.assert_array_equal(state.centers, jnp.zeros((5, 3)))
    assert state.params["class_weights"].shape == (5, 3)


def test_without_identities_there_are_no_class_weights():
    state = initial_state(Small(), optax.adam(0.1), num_identities=0, num_shape=3, seed=0, image_size=(4, 4))
    assert set(state.params) == {"networks"}
    assert state.centers is None


def test_the_seed_decides_the_parameters():
    def kernel(seed):
        state = initial_state(Small(), optax.adam(0.1), num_identities=1, num_shape=3, seed=seed, image_size=(4, 4))
        return np.asarray(state.params["networks"]["Dense_0"]["kernel"])

    np.testing.assert_array_equal(kernel(3), kernel(3))
    assert np.abs(kernel(3) - kernel(4)).max() > 0.01
