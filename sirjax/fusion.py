"""One shape out of several images of one person: the mean of their codes, weighted by Eq. 19's confidence.

N images, S shape modes, V vertices. The confidence (`FaceReconstruction.confidence`) is the one that moves identity
centers in training: faces that look away from the camera or pull a face tell less about the person's neutral shape.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from sirjax.morphable.model import FaceModel, neutral_vertices

_NOTHING = 1e-9  # a sum of weights below this decides nothing


@dataclass(frozen=True)
class FusedShape:
    """The shape of one person, and how far the single images lie from it. float32 arrays."""

    shape: np.ndarray  # [S] whitened
    vertices: np.ndarray  # [V, 3] without expression, model frame, mm
    weights: np.ndarray  # [N] share of each image, sums to 1
    distances_mm: np.ndarray  # [N] root mean square distance of each image's neutral vertices to the fused ones
    vertex_spread_mm: np.ndarray  # [V] weighted root mean square distance over the images

    @property
    def spread_mm(self) -> float:
        """Weighted root mean square of `distances_mm`: how far the images disagree. 0 for a single one."""
        return float(np.sqrt(np.sum(self.weights * np.square(self.distances_mm))))


def fuse_shapes(
    face_model: FaceModel, shapes: Float[np.ndarray, "N S"], confidences: Float[np.ndarray, " N"]
) -> FusedShape:
    """The weighted mean of shape codes, sum(f s) / sum(f), and the spread around it.

    Args:
      face_model: of the codes.
      shapes: whitened codes of one person.
      confidences: f of each, not negative; if all are zero, every image counts the same.

    Raises:
      ValueError: if there is no image, or a confidence is negative or not finite.
    """
    confidences = np.asarray(confidences, np.float64)
    if len(shapes) == 0:
        raise ValueError("there is no shape to fuse: at least one image of the person has to show a face")
    if not np.isfinite(confidences).all() or confidences.min() < 0:
        raise ValueError(f"confidences must be finite and not negative, got {confidences.min()}")
    total = confidences.sum()
    weights = confidences / total if total > _NOTHING else np.full(len(shapes), 1 / len(shapes))
    shape = (weights @ np.asarray(shapes, np.float64)).astype(np.float32)
    vertices = _neutral(face_model, shape)
    squared = np.zeros(len(vertices))
    distances = []
    for weight, own in zip(weights, shapes, strict=True):  # one mesh at a time: a person may have many photos
        offset = np.sum(np.square(_neutral(face_model, own) - vertices, dtype=np.float64), axis=1)
        squared += weight * offset
        distances.append(np.sqrt(offset.mean()))
    return FusedShape(
        shape=shape,
        vertices=vertices,
        weights=weights.astype(np.float32),
        distances_mm=np.array(distances, np.float32),
        vertex_spread_mm=np.sqrt(squared).astype(np.float32),
    )


@dataclass
class RunningMean:
    """The weighted mean of what came so far, in constant memory."""

    total: np.ndarray | None = None  # float64
    weight: float = 0.0
    count: int = field(default=0)

    def add(self, value: np.ndarray, weight: float) -> None:
        """Takes one more value of the same size; a weight of zero leaves the mean alone."""
        own = np.asarray(value, np.float64) * weight
        self.total = own if self.total is None else self.total + own
        self.weight += float(weight)
        self.count += 1

    @property
    def mean(self) -> np.ndarray:
        """Float32.

        Raises:
          ValueError: if nothing with a positive weight has come yet.
        """
        if self.total is None or self.weight <= _NOTHING:
            raise ValueError("a mean needs at least one value of positive weight")
        return (self.total / self.weight).astype(np.float32)


def _neutral(face_model: FaceModel, shape: Float[np.ndarray, " S"]) -> Float[np.ndarray, "V 3"]:
    return np.asarray(_neutral_vertices(face_model, jnp.asarray(shape, jnp.float32)[None])[0])


_neutral_vertices = jax.jit(neutral_vertices)
