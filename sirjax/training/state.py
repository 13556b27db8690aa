"""The train state: everything a step reads and changes, in one pytree. C identities, S shape coefficients."""

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jax import Array

from sirjax.types import IMAGE_SIZE


@struct.dataclass
class TrainState:
    """What one training step maps to the next. Centers are state, not parameters: no gradient, no weight decay."""

    step: Array  # int32, steps taken
    params: dict  # {"networks": ..., "class_weights": [C, S] if there are identities}
    opt_state: optax.OptState
    centers: Array | None  # [C, S] millimeters; Eq. 20. None without identities
    skipped: Array  # int32, steps left out because a loss or gradient was not finite


def initial_class_weights(key: Array, num_identities: int, num_shape: int) -> Array:
    """[C, S] rows drawn uniformly from (-1, 1) and normalized, as the authors start."""
    rows = jax.random.uniform(key, (num_identities, num_shape), minval=-1.0, maxval=1.0)
    return rows / jnp.linalg.norm(rows, axis=-1, keepdims=True)


def initial_state(
    networks: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    num_identities: int,
    num_shape: int,
    seed: int,
    image_size: tuple[int, int] = IMAGE_SIZE,
) -> TrainState:
    """A fresh state: networks that draw the frontal mean face, random class weights, centers at the mean face."""
    # XLA's own generator: threefry's unrolled rounds take half a minute to compile for a network's many shapes.
    network_key, class_key = jax.random.split(jax.random.key(seed, impl="rbg"))
    variables = jax.jit(networks.init)(network_key, jnp.zeros((1, *image_size, 3)))
    params = {"networks": variables["params"]}
    if num_identities:
        params["class_weights"] = initial_class_weights(class_key, num_identities, num_shape)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=jax.jit(optimizer.init)(params),
        centers=jnp.zeros((num_identities, num_shape)) if num_identities else None,
        skipped=jnp.zeros((), jnp.int32),
    )
