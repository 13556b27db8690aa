"""Networks that compile in a second, batches for them, and tests that want more devices than this process has."""

import os
import subprocess
import sys
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks.collectives import operations
from sirjax import decode as decoding
from sirjax.constants import NO_IDENTITY
from sirjax.training.optimizer import make_optimizer
from sirjax.training.terms import Frozen, Method
from sirjax.types import Batch, NetworkOutput
from tests import compiling
from tests.face_models import dome_face_model

FACE_MODEL = dome_face_model()
DEVICE_COUNTS = [count for count in (1, 2, 4, 8) if count <= jax.device_count()]
EIGHT = "8-devices"  # id of the parameter: pytest -k selects it
SIZE = (8, 8)  # of the images
ROOT = Path(__file__).parents[2]
METHOD = Method(renders=False, compares_features=False)  # whole but for the drawing


def counts(*wanted: int):
    """Device counts as parameters with readable ids: those of `wanted` that this process has, or else all it has."""
    import pytest

    here = [count for count in DEVICE_COUNTS if count in wanted] or DEVICE_COUNTS
    return [pytest.param(count, id=f"{count}-devices") for count in here]


class FewPixels(nn.Module):
    """A convolution and a dense layer for each output the losses without drawing read."""

    @nn.compact
    def __call__(self, image, drawn=None):
        x = nn.relu(nn.Conv(4, (3, 3), strides=2)(image)).reshape(len(image), -1)

        def head(size, scale):
            return nn.Dense(size, kernel_init=nn.initializers.normal(scale))(x)

        nothing = jnp.zeros((len(image[:drawn]), 1))
        return NetworkOutput(
            shape=head(FACE_MODEL.num_shape, 0.5),
            expression=head(FACE_MODEL.num_expression, 0.1),
            camera=head(7, 0.01),
            light=jnp.zeros((len(image), 9, 3)),
            albedo_code=nothing,
            albedo_residual=nothing,
            pixel_confidence=nothing,
            feature_confidence=nothing,
        )


def frozen() -> Frozen:
    return Frozen(FACE_MODEL, decoding.camera_template(FACE_MODEL), None)


def optimizer(kind="adam", tables=None, **settings):
    from sirjax.training.identity_table import gradient_norm

    return make_optimizer(lambda step: 0.01, kind=kind, norm=gradient_norm(tables), **settings)


def batch_of(identity, seed=0) -> Batch:
    """Samples with these identities; those without have landmarks."""
    rng = np.random.default_rng(seed)
    identity = np.asarray(identity, np.int32)
    return Batch(
        image=rng.uniform(size=(len(identity), *SIZE, 3)).astype(np.float32),
        landmarks=rng.uniform(1, 7, size=(len(identity), 68, 2)).astype(np.float32),
        has_landmarks=identity == NO_IDENTITY,
        identity=identity,
    )


def run_on_eight(test_file: str) -> str:
    """Runs the 8-device parameters of a test file in a process with eight virtual devices; returns its output."""
    environment = os.environ | {"XLA_FLAGS": compiling.flags(8)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test_file, "-k", EIGHT]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def collectives(text):
    """[(operation, [shape of each array])] of a compiled program."""
    return [
        (kind, [tuple(int(n) for n in dims.split(",") if n) for _, dims in arrays])
        for kind, _, arrays in operations(text)
    ]
