import jax.numpy as jnp
import numpy as np

from sirjax.morphable.coefficients import to_millimeters, to_whitened


def test_millimeters_are_deviations_times_std():
    std = jnp.array([10.0, 2.0])
    np.testing.assert_allclose(to_millimeters(jnp.array([[1.0, -3.0], [0.5, 0.0]]), std), [[10, -6], [5, 0]])
    np.testing.assert_allclose(to_millimeters(jnp.array([1.0, -3.0]), std), [10, -6])


def test_whitening_undoes_millimeters(rng):
    whitened, std = jnp.asarray(rng.normal(size=(3, 4, 5))), jnp.asarray(rng.uniform(0.1, 9, size=5))
    np.testing.assert_allclose(to_whitened(to_millimeters(whitened, std), std), whitened, rtol=1e-5)
