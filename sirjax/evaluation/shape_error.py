"""Distance between a predicted and the true neutral face, vertex by vertex, in millimeters.

Both faces must be of one mesh. For scans see the scan error of the MICC and NoW protocols, which this is not: a figure
from here is comparable only with figures from here.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from sirjax.geometry.similarity import apply_similarity, fit_similarity

FACE_RADIUS = 95.0  # mm around the nose tip: what the Florence MICC protocol compares


def face_region(mean: Float[np.ndarray, "V 3"]) -> Bool[np.ndarray, " V"]:
    """The face proper, without ears, neck and the sides of the head: within 95 mm of the mean face's nose tip.

    The nose tip is the foremost vertex (largest z), as in the Florence MICC protocol.
    """
    tip = mean[np.argmax(mean[:, 2])]
    return np.linalg.norm(mean - tip[None], axis=1) <= FACE_RADIUS


def vertex_rmse(predicted: Float[np.ndarray, "N V 3"], truth: Float[np.ndarray, "N V 3"]) -> Float[np.ndarray, " N"]:
    """Root mean square distance of corresponding vertices, as they lie: sqrt(sum_v |p_v - t_v|^2 / V)."""
    difference = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.sqrt(np.mean(np.sum(np.square(difference), axis=-1), axis=-1))


def aligned_vertex_rmse(
    predicted: Float[np.ndarray, "N V 3"], truth: Float[np.ndarray, "N V 3"]
) -> Float[np.ndarray, " N"]:
    """`vertex_rmse` after each prediction was moved onto the truth by its best similarity (scale, turn, shift)."""
    source, target = jnp.asarray(predicted, jnp.float32), jnp.asarray(truth, jnp.float32)
    return vertex_rmse(np.asarray(_align(source, target)), truth)


@jax.jit
def _align(source: jax.Array, target: jax.Array) -> jax.Array:
    return apply_similarity(fit_similarity(source, target), source)


def coefficient_rmse(
    predicted: Float[np.ndarray, "N S"], truth: Float[np.ndarray, "N S"], num_vertices: int
) -> Float[np.ndarray, " N"]:
    """`vertex_rmse` from millimeter coefficients of an orthonormal basis: |a - b| / sqrt(V) (Eq. 5-6).

    Wrong for a basis that is not orthonormal; see `sirjax.morphable.orthonormalize`.
    """
    difference = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    return np.linalg.norm(difference, axis=-1) / np.sqrt(num_vertices)


def mean_face_rmse(truth: Float[np.ndarray, "N S"], num_vertices: int) -> Float[np.ndarray, " N"]:
    """`coefficient_rmse` of always answering with the mean face: the baseline any method has to beat."""
    return coefficient_rmse(np.zeros_like(truth), truth, num_vertices)


def shape_vertices(
    shape: Float[np.ndarray, "N S"], mean: Float[np.ndarray, "V 3"], basis: Float[np.ndarray, "S V3"]
) -> Float[np.ndarray, "N V 3"]:
    """Neutral faces of millimeter coefficients: mean + shape @ basis (Eq. 1)."""
    return mean[None] + (shape @ basis).reshape(len(shape), *mean.shape)
