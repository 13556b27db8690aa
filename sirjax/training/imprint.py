"""Class weights and centers that start where a warmed-up network already sees each person.

The paper starts class weights at random and centers at the mean face (or at random). Both then pull a warmed-up network
away from the geometry it has learned: every person toward a direction drawn by lot, and toward the mean face. Imprinted
(Qi et al. 2018), both start at the person's mean shape code, each photo weighted by how neutral and frontal it is.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jaxtyping import Array, Float, Int, UInt8

from sirjax import decode as decoding
from sirjax.data.images import decode_image
from sirjax.data.sample import Sample
from sirjax.losses import sir
from sirjax.morphable import coefficients as units
from sirjax.networks.batches import in_batches
from sirjax.training.identity_table import first_identity
from sirjax.training.state import TrainState
from sirjax.training.terms import Frozen, Method
from sirjax.types import NetworkOutput

STARTS = ("paper", "imprinted")
_BATCH_SIZE = 64


def is_imprinted(start: str) -> bool:
    """Whether `config.sir.start` asks for imprinted tables.

    Raises:
      ValueError: if it is none of `STARTS`.
    """
    if start not in STARTS:
        raise ValueError(f"unknown sir.start {start!r}; known: {', '.join(STARTS)}")
    return start == "imprinted"


def imprint(
    state: TrainState, networks: nn.Module, frozen: Frozen, method: Method, records: Sequence[Sample]
) -> TrainState:
    """The state with centers, and directions of class weights, from one pass over the identity set.

    Args:
      state: holds the networks that read the photos.
      networks: their definition.
      frozen: the face model and the camera template.
      method: how trust in a photo is computed (Eq. 19) and which embedding the class weights live in.
      records: the identity set; every sample has a class.
    """
    read = _reader(networks, frozen, method)
    codes, trust = in_batches(lambda crops: read(state.params["networks"], crops), _crops(records), _BATCH_SIZE)
    identity = np.array([records[index].identity_class for index in range(len(records))])
    weight = trust if method.center == "weighted" else np.ones_like(trust)
    # Sharded tables [D, R, S] are rows in the same order, with some for nobody at the end; a host has its devices'.
    before = state.params["class_weights"]
    own, num_rows = identity - first_identity(before), before.size // before.shape[-1]
    here = (own >= 0) & (own < num_rows)
    centers = mean_codes(codes[here], weight[here], own[here], num_identities=num_rows)
    directions = centers if method.embedding == "raw" else centers / np.asarray(frozen.face_model.shape_std)
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)

    def like_table(rows: Float[np.ndarray, "C _"]) -> Array:
        return jax.device_put(rows.astype(np.float32).reshape(*before.shape[:-1], -1), before.sharding)

    # A network that has learned nothing yet sees the mean face in everybody: such rows keep their random directions.
    seen = like_table(lengths) > 0
    class_weights = jnp.where(seen, like_table(directions / np.maximum(lengths, 1e-12)), before)
    return state.replace(params={**state.params, "class_weights": class_weights}, centers=like_table(centers))


def mean_codes(
    codes: Float[np.ndarray, "N S"],
    weight: Float[np.ndarray, " N"],
    identity: Int[np.ndarray, " N"],
    *,
    num_identities: int,
) -> Float[np.ndarray, "C S"]:
    """The weighted mean code of each person; 0, the mean face, for people without a photo."""
    total = np.zeros((num_identities, codes.shape[1]))
    np.add.at(total, identity, weight[:, None].astype(np.float64) * codes)
    mass = np.bincount(identity, weights=weight, minlength=num_identities)[:, None]
    return np.where(mass > 0, total / np.maximum(mass, 1e-12), 0.0)


def _reader(networks: nn.Module, frozen: Frozen, method: Method) -> Callable:
    @jax.jit
    def read(params: dict, image: UInt8[Array, "B H W 3"]):
        output = cast(NetworkOutput, networks.apply({"params": params}, image.astype(jnp.float32) / 255))
        size = (image.shape[1], image.shape[2])
        camera = decoding.decode_camera(output, frozen.camera_template, image_size=size, gains=method.camera_gains)
        trust = sir.neutral_frontal_confidence(
            camera.rotation, output.expression, form=method.pose_weight, decay=method.expression_decay
        )
        return units.to_millimeters(output.shape, frozen.face_model.shape_std), trust

    return read


def _crops(records: Sequence[Sample]) -> Iterator[UInt8[np.ndarray, "_ H W 3"]]:
    for start in range(0, len(records), _BATCH_SIZE):
        stop = min(start + _BATCH_SIZE, len(records))
        yield np.stack([decode_image(records[index].image) for index in range(start, stop)])
