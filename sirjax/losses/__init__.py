"""The training losses of the method: pure functions of arrays, one value per sample; see docs/method.md.

None of them knows a network, a face model or a setting: they serve any JAX program. All are here by name, and in
modules by equation.
"""

from sirjax.losses.landmark import landmark_loss
from sirjax.losses.margin import arcface_loss, cosface_loss, identity_loss, softmax_loss
from sirjax.losses.perceptual import compose_over, perceptual_loss
from sirjax.losses.photometric import pixel_loss
from sirjax.losses.regularization import albedo_regularization, coefficient_prior
from sirjax.losses.sir import center_loss, kl_to_standard_normal, neutral_frontal_confidence, update_centers
from sirjax.losses.teacher import relational_loss
from sirjax.losses.total import LossWeights, masked_mean, weighted_total

__all__ = [
    "LossWeights",
    "albedo_regularization",
    "arcface_loss",
    "center_loss",
    "coefficient_prior",
    "compose_over",
    "cosface_loss",
    "identity_loss",
    "kl_to_standard_normal",
    "landmark_loss",
    "masked_mean",
    "neutral_frontal_confidence",
    "perceptual_loss",
    "pixel_loss",
    "relational_loss",
    "softmax_loss",
    "update_centers",
    "weighted_total",
]
