"""A run directory as `sirjax train` leaves it, with networks that learned nothing."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import skimage.data

from configs import default
from sirjax.morphable.storage import fingerprint, save_face_model
from sirjax.training import checkpoint
from sirjax.training.setup import make_networks_for
from sirjax.training.state import TrainState
from tests.face_models import dome_face_model

STEP = 7


def write_run(folder: Path, sir: Mapping = MappingProxyType({})) -> Path:
    """Writes `folder` and the dome face model beside it; returns the run directory. Every image has its own codes.

    `sir` are settings of `config.sir`.
    """
    model, model_path = dome_face_model(), folder.parent / "dome.npz"
    folder.mkdir(parents=True)
    save_face_model(model, model_path)
    config = default.get_config()
    config.networks.preset, config.networks.uv_size = "debug", 16
    config.face_model.path, config.face_model.orthonormalize = str(model_path), False
    config.sir.update(sir)
    networks, key = make_networks_for(config.networks, model), jax.random.key(0, impl="rbg")
    params = jax.jit(networks.init)(key, jnp.zeros((1, 112, 96, 3)))["params"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + 0.05 * rng.normal(size=leaf.shape).astype(np.float32), params)
    state = TrainState(
        step=jnp.asarray(STEP), params={"networks": params}, opt_state=(), centers=None, skipped=jnp.asarray(0)
    )
    checkpoint.save_config(folder, config.to_dict())
    with checkpoint.CheckpointStore(folder, fingerprint=fingerprint(model)) as store:
        store.save(STEP, state)
    return folder


def write_portrait(path: Path) -> Path:
    """A photo with one face, of NASA (public domain)."""
    cv2.imwrite(str(path), np.ascontiguousarray(skimage.data.astronaut()[:240, 80:360, ::-1]))
    return path
