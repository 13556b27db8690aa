"""Stand-ins for trained networks and the detector, whose answers are known."""

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from sirjax.constants import IMAGE_SIZE, TEMPLATE_POINTS
from sirjax.networks.mtcnn import Detections
from sirjax.types import NetworkOutput
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)
UV = MODEL.uv_size
TEMPLATE = np.array(TEMPLATE_POINTS)


class Oracle(nn.Module):
    """Networks that give the same known answer for every image, and the image's mean color as albedo code."""

    @nn.compact
    def __call__(self, image):
        def known(name, size):
            value = self.param(name, lambda key: jnp.zeros(size))
            return jnp.broadcast_to(value[None], (len(image), *size))

        return NetworkOutput(
            shape=known("shape", (MODEL.num_shape,)),
            expression=known("expression", (MODEL.num_expression,)),
            camera=known("camera", (7,)),
            light=known("light", (9, 3)),
            albedo_code=image.mean(axis=(1, 2)),
            albedo_residual=known("albedo_residual", (UV, UV, 3)),
            pixel_confidence=jnp.ones((len(image), *IMAGE_SIZE, 2)),
            feature_confidence=jnp.ones((len(image), 28, 24, 2)),
        )


class GivenFaces:
    """A detector that finds what it was told."""

    def __init__(self, points):
        self.points = np.asarray(points, float).reshape(-1, 5, 2)

    def detect(self, image):
        low, high = self.points.min(axis=1), self.points.max(axis=1)
        return Detections(np.concatenate([low, high], axis=1), np.full(len(self.points), 0.9), self.points)


def answers(rng):
    light = np.zeros((9, 3), np.float32)
    light[0], light[1] = 0.9, 0.3
    return {
        "shape": rng.normal(size=MODEL.num_shape).astype(np.float32),
        "expression": rng.normal(size=MODEL.num_expression).astype(np.float32),
        "camera": np.array([0.06, -0.1, 0.03, 0.0, 0.3, -0.2, 0.15], np.float32),
        "light": light,
        "albedo_residual": np.full((UV, UV, 3), 0.05, np.float32),
    }
