"""Records of noise and networks of random weights: quick to make, and every image has a code of its own."""

import jax
import jax.numpy as jnp
import numpy as np

from sirjax.data.images import encode_image
from sirjax.data.sample import Sample
from sirjax.data.writing import RecordWriter
from sirjax.decode import CameraGains
from sirjax.morphable.storage import fingerprint
from sirjax.networks.model import make_networks
from sirjax.training.setup import TrainedRun
from tests.face_models import dome_face_model


def write_noise_records(path, names, *, seed=0, rejected=None):
    """Records of the names, each of the person that the name's folder says."""
    rng = np.random.default_rng(seed)
    with RecordWriter(path) as writer:
        for name in names:
            image = encode_image(rng.integers(256, size=(112, 96, 3), dtype=np.uint8))
            writer.add(Sample(name, image, np.eye(2, 3), identity=name.split("/")[0]))
        for name, reason in (rejected or {}).items():
            writer.reject(name, reason)
    return path


def random_run():
    """A run that has learned nothing but gives every image its own code."""
    model = dome_face_model()
    networks = make_networks("debug", num_shape=model.num_shape, num_expression=model.num_expression, uv_size=16)
    params = jax.jit(networks.init)(jax.random.key(0, impl="rbg"), jnp.zeros((1, 112, 96, 3)))["params"]
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: leaf + 0.05 * rng.normal(size=leaf.shape).astype(np.float32), params)
    return TrainedRun(networks, params, model, CameraGains(), {"face_model": fingerprint(model), "step": 7})
