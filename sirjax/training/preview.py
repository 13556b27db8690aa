"""Pictures of training: input, render, albedo and confidence of a few samples."""

from typing import cast

import jax
import numpy as np
from flax import linen as nn

from sirjax import decode as decoding
from sirjax.pictures.grid import training_grid
from sirjax.training.terms import Frozen, Method
from sirjax.types import Batch, NetworkOutput

MAX_FACES = 8


class Preview:
    """Draws what the networks make of the first samples of a batch."""

    def __init__(self, networks: nn.Module, method: Method, frozen: Frozen):
        def read(params, image):
            output = cast(NetworkOutput, networks.apply({"params": params}, image))
            face = decoding.decode(
                frozen.face_model,
                output,
                frozen.camera_template,
                image_size=image.shape[1:3],
                gains=method.camera_gains,
                backend=method.backend,
            )
            return face.rendering, output.pixel_confidence[..., 0]

        self._read = jax.jit(read)

    def draw(self, network_params: dict, batch: Batch) -> np.ndarray:
        """u8 [H, W, 3]: a row per sample; landmark and identity samples both show if the batch holds both."""
        chosen = self._choose(np.asarray(batch.has_landmarks))
        images = np.asarray(batch.image)[chosen]
        rendering, confidence = jax.device_get(self._read(network_params, images))
        return training_grid(images, rendering.image, rendering.mask, rendering.albedo, confidence)

    @staticmethod
    def _choose(has_landmarks: np.ndarray) -> np.ndarray:
        with_points, without = np.flatnonzero(has_landmarks), np.flatnonzero(~has_landmarks)
        half = MAX_FACES // 2
        chosen = np.concatenate([with_points[:half], without[:half]])
        return chosen if len(chosen) == MAX_FACES else np.arange(min(MAX_FACES, len(has_landmarks)))
