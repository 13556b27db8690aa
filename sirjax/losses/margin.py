"""Classification losses on the shape coefficients: L_sm of Eq. 17-18. S: embedding size, C: classes (identities)."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sirjax.constants import NO_IDENTITY

KINDS = ("softmax", "cosface", "arcface")

# Shorter vectors have no direction worth trusting: their gradient grows up to 1 / _MIN_NORM and no further, so that the
# all-zero coefficients of freshly initialized networks are harmless.
_MIN_NORM = 1e-3


def softmax_loss(
    embedding: Float[Array, "B S"], class_weights: Float[Array, "C S"], identity: Int[Array, " B"]
) -> Float[Array, " B"]:
    """Cross-entropy of the logits x . W_j, without normalization, bias or margin; 0 without identity."""
    return identity_loss("softmax", embedding, class_weights, identity, scale=1.0, margin=0.0)


def cosface_loss(
    embedding: Float[Array, "B S"],
    class_weights: Float[Array, "C S"],
    identity: Int[Array, " B"],
    *,
    scale: float,
    margin: float,
) -> Float[Array, " B"]:
    """Cross-entropy of the logits scale * (cos theta_j - margin [j = y]), the paper's L_sm (CosFace, Wang et al. 2018).

    theta_j is the angle between the embedding and class weight j. 0 without identity.

    Raises:
      ValueError: if `scale` is not positive or `margin` negative.
    """
    return identity_loss("cosface", embedding, class_weights, identity, scale=scale, margin=margin)


def arcface_loss(
    embedding: Float[Array, "B S"],
    class_weights: Float[Array, "C S"],
    identity: Int[Array, " B"],
    *,
    scale: float,
    margin: float,
) -> Float[Array, " B"]:
    """Cross-entropy of the logits scale * cos(theta_j + margin [j = y]) (ArcFace, Deng et al. 2019).

    Beyond theta = pi - margin, where the cosine would rise again, the logit goes on as cos theta - margin sin margin.
    0 without identity.

    Raises:
      ValueError: if `scale` is not positive or `margin` negative.
    """
    return identity_loss("arcface", embedding, class_weights, identity, scale=scale, margin=margin)


def identity_loss(
    kind: str,
    embedding: Float[Array, "B S"],
    class_weights: Float[Array, "C S"],
    identity: Int[Array, " B"],
    *,
    scale: float,
    margin: float,
) -> Float[Array, " B"]:
    """The classification loss called `kind`, one of `KINDS`; "softmax" has neither scale nor margin.

    Raises:
      ValueError: see `identity_logits`.
    """
    own = _own_class(identity, len(class_weights))
    return _cross_entropy(identity_logits(kind, embedding, class_weights, own, scale=scale, margin=margin), identity)


def identity_logits(
    kind: str,
    embedding: Float[Array, "B S"],
    class_weights: Float[Array, "C S"],
    own: Bool[Array, "B C"],
    *,
    scale: float,
    margin: float,
) -> Float[Array, "B C"]:
    """The logits of the classification loss called `kind`, the margin taken off where `own` marks a sample's class.

    Each logit depends on one class alone: a part of the classes gives that part of the logits.

    Raises:
      ValueError: if `kind` is unknown, `scale` not positive or `margin` negative.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown identity loss {kind!r}; choose one of {', '.join(KINDS)}")
    if kind == "softmax":
        return embedding @ class_weights.T
    _check(scale, margin)
    cosine = _cosines(embedding, class_weights)
    if kind == "cosface":
        return scale * jnp.where(own, cosine - margin, cosine)
    sine = jnp.sqrt(jnp.maximum(1.0 - jnp.square(cosine), 1e-7))  # the floor keeps the gradient finite at theta = 0
    moved = cosine * math.cos(margin) - sine * math.sin(margin)
    moved = jnp.where(cosine > -math.cos(margin), moved, cosine - margin * math.sin(margin))
    return scale * jnp.where(own, moved, cosine)


def _check(scale: float, margin: float) -> None:
    if scale <= 0:
        raise ValueError(f"scale must be positive, got {scale}")
    if margin < 0:
        raise ValueError(f"margin must not be negative, got {margin}")


def _cosines(embedding: Float[Array, "B S"], class_weights: Float[Array, "C S"]) -> Float[Array, "B C"]:
    return _normalize(embedding) @ _normalize(class_weights).T


def _normalize(x: Float[Array, "N S"]) -> Float[Array, "N S"]:
    squared = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    return x * jax.lax.rsqrt(jnp.maximum(squared, _MIN_NORM**2))


def _own_class(identity: Int[Array, " B"], num_classes: int) -> Bool[Array, "B C"]:
    return identity[:, None] == jnp.arange(num_classes)[None]


def _cross_entropy(logits: Float[Array, "B C"], identity: Int[Array, " B"]) -> Float[Array, " B"]:
    """-log softmax(logits)[identity]; 0, with zero gradient, for samples without identity."""
    labelled = identity != NO_IDENTITY
    own = jnp.take_along_axis(logits, jnp.where(labelled, identity, 0)[:, None], axis=-1)[:, 0]
    return jnp.where(labelled, jax.nn.logsumexp(logits, axis=-1) - own, 0.0)
