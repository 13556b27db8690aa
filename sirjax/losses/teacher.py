"""Distillation from an outside face recognizer: who looks how unlike whom (an option, beyond the paper).

B samples, S shape coefficients, D numbers of the teacher's descriptor.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_TINY = 1e-6  # mm^2: keeps the gradient of a distance finite where two codes coincide


def relational_loss(
    shape: Float[Array, "B S"],
    descriptor: Float[Array, "B D"],
    member: Bool[Array, " B"],
    *,
    delta: float = 1.0,
) -> Float[Array, " B"]:
    """How far the distances of shape codes are from being proportional to the teacher's; 0 for samples without one.

        l_i = sum_{j != i} huber(|s_i - s_j| / d - |t_i - t_j| / e) / (M - 1)

    d and e are the mean distances over the pairs of the M members, so that neither the size of faces nor the teacher's
    unit matters: which scale shapes have is left to the other losses. Distance-wise relational knowledge distillation
    (Park et al. 2019), one value per sample. It needs no identities; photos of people that nobody named serve as well.

    Args:
      shape: s, whose Euclidean distances are geometry: millimeters.
      descriptor: t, taken as data.
      member: which samples the teacher has seen; the others enter nothing and get no gradient.
      delta: where Huber's loss turns from square to straight, in mean distances.

    Returns:
      One value for each sample; 0 everywhere for fewer than two members.

    Raises:
      ValueError: if `delta` is not positive.
    """
    if not delta > 0:
        raise ValueError(f"delta must be positive, got {delta}")
    pair = member[:, None] & member[None, :] & ~jnp.eye(len(member), dtype=bool)
    own = _relative_distances(shape, member, pair)
    wanted = jax.lax.stop_gradient(_relative_distances(descriptor, member, pair))
    off = jnp.abs(own - wanted)
    huber = jnp.where(off <= delta, 0.5 * jnp.square(off), delta * (off - 0.5 * delta))
    return jnp.sum(jnp.where(pair, huber, 0.0), axis=1) / jnp.maximum(jnp.sum(member) - 1.0, 1.0)


def _relative_distances(
    points: Float[Array, "B K"], member: Bool[Array, " B"], pair: Bool[Array, "B B"]
) -> Float[Array, "B B"]:
    """Distances over their mean; anything where `pair` is False."""
    points = jnp.where(member[:, None], points, 0.0)
    count = jnp.maximum(jnp.sum(member.astype(points.dtype)), 1.0)
    # No effect on differences; sums of squares of what is near the mean keep their digits.
    points = points - jnp.sum(points, axis=0, keepdims=True) / count
    squares = jnp.sum(jnp.square(points), axis=1)
    products = jnp.matmul(points, points.T, precision=jax.lax.Precision.HIGHEST)
    apart = jnp.sqrt(jnp.maximum(squares[:, None] + squares[None, :] - 2.0 * products, _TINY))
    mean = jnp.sum(jnp.where(pair, apart, 0.0)) / jnp.maximum(jnp.sum(pair), 1.0)
    return apart / jnp.maximum(mean, _TINY)
