"""The train state: everything a step reads and changes, in one pytree. C identities, S shape coefficients."""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jax import Array
from jaxtyping import Float, Int

from sirjax.constants import IMAGE_SIZE
from sirjax.training.identity_table import CLASS_WEIGHTS, ShardedTables, place, shardings
from sirjax.training.parallel import split_over


@struct.dataclass
class TrainState:
    """What one training step maps to the next. Centers are state, not parameters: no gradient, no weight decay."""

    step: Array  # int32, steps taken
    params: dict  # {"networks": ..., "class_weights": [C, S] if there are identities}; sharded tables: [D, R, S]
    opt_state: optax.OptState
    centers: Array | None  # [C, S] millimeters; Eq. 20. None without identities; sharded: [D, R, S]
    skipped: Array  # int32, steps left out because a loss or gradient was not finite
    averaged: dict | None = None  # moving average of the networks' parameters, or None: `optimizer.ema_decay` is 0

    @property
    def networks(self) -> dict:
        """The networks' parameters to evaluate and export: the moving average where there is one."""
        return self.params["networks"] if self.averaged is None else self.averaged


def initial_class_weights(key: Array, identity: Int[Array, "*C"], num_shape: int) -> Float[Array, "*C S"]:
    """Rows drawn uniformly from (-1, 1) and normalized, as the authors start. Each depends on its identity alone."""

    def row(identity):
        numbers = jax.random.uniform(jax.random.fold_in(key, identity), (num_shape,), minval=-1.0, maxval=1.0)
        return numbers / jnp.linalg.norm(numbers)

    return jax.vmap(row)(identity.reshape(-1)).reshape(*identity.shape, num_shape)


def initial_state(
    networks: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    num_identities: int,
    num_shape: int,
    seed: int,
    image_size: tuple[int, int] = IMAGE_SIZE,
    tables: ShardedTables | None = None,
    devices: Sequence = (),
    averages: bool = False,
) -> TrainState:
    """A fresh state: networks that draw the frontal mean face, random class weights, centers at the mean face.

    Args:
      networks: whose parameters are drawn.
      optimizer: whose state is made.
      num_identities: C; 0: no tables.
      num_shape: S.
      seed: decides every parameter, however the tables are kept.
      image_size: height and width.
      tables: how the tables are sharded over all hosts' devices, or None. No device ever holds more than its share.
      devices: of this host, for sharded tables; the state then lies on them.
      averages: whether to keep a moving average of the networks' parameters.
    """
    # XLA's own generator: threefry's unrolled rounds take half a minute to compile for a network's many shapes.
    network_key, class_key = jax.random.split(jax.random.key(seed, impl="rbg"))
    variables = jax.jit(networks.init)(network_key, jnp.zeros((1, *image_size, 3)))
    params = {"networks": variables["params"]}
    centers = None
    if num_identities:
        # Rows need a generator that numbers them, which XLA's own is not.
        key = jax.random.wrap_key_data(jax.random.key_data(class_key)[:2], impl="threefry2x32")
        shape = (len(devices), tables.rows) if tables else (num_identities,)
        where = split_over(devices) if tables else None
        first = jax.process_index() * math.prod(shape) if tables else 0

        def make_tables():
            identity = first + jnp.arange(math.prod(shape)).reshape(shape)
            rows = initial_class_weights(key, identity, num_shape)
            return jnp.where((identity < num_identities)[..., None], rows, 0.0), jnp.zeros_like(rows)

        params[CLASS_WEIGHTS], centers = jax.jit(make_tables, out_shardings=where)()
    where = None
    if tables:
        params = place(params, devices)
        where = shardings(jax.eval_shape(optimizer.init, params), devices)
    state = TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        opt_state=jax.jit(optimizer.init, out_shardings=where)(params),
        centers=centers,
        skipped=jnp.zeros((), jnp.int32),
        # A copy: a step gives its state's buffers away, each once.
        averaged=jax.tree.map(jnp.copy, params["networks"]) if averages else None,
    )
    return place(state, devices) if tables else state
