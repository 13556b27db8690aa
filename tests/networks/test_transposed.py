"""The transposed convolution against flax's, which dilates its input."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.networks.transposed import TransposedConv

PADDING = {3: ((1, 2), (1, 2)), 4: ((2, 2), (2, 2))}


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kernel_size", [3, 4])
def test_value_and_gradients_are_those_of_the_dilated_convolution(rng, kernel_size, use_bias):
    x = jnp.asarray(rng.normal(size=(2, 3, 4, 5)), jnp.float32)
    ours = TransposedConv(6, kernel_size, use_bias)
    size = (kernel_size, kernel_size)
    flaxs = nn.ConvTranspose(6, size, (2, 2), padding=PADDING[kernel_size], use_bias=use_bias)
    params = jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(size=leaf.shape), jnp.float32), ours.init(jax.random.key(0), x)
    )
    weight = jnp.asarray(rng.normal(size=(2, 6, 8, 6)), jnp.float32)
    (value, gradients), (expected, expected_gradients) = (
        jax.value_and_grad(lambda params, x, net=net: jnp.sum(weight * net.apply(params, x)), argnums=(0, 1))(params, x)
        for net in (ours, flaxs)
    )
    np.testing.assert_allclose(ours.apply(params, x), flaxs.apply(params, x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), gradients, expected_gradients)


def test_other_kernel_sizes_are_refused():
    with pytest.raises(ValueError, match="kernel_size must be 3 or 4, got 5"):
        TransposedConv(1, 5).init(jax.random.key(0), jnp.zeros((1, 2, 2, 1)))
