"""Shape identity-aware regularization (SIR), Eq. 8 and 17-21. B samples, C identities, S shape coefficients."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from sirjax.constants import NO_IDENTITY
from sirjax.geometry.rotation import euler_from_rotation

CONFIDENCE_FORMS = ("paper", "relu_cos")
_TINY_VARIANCE = 1e-8  # inside the logarithm: a mode on which the whole batch agrees costs much, not infinitely much


def center_loss(
    shape: Float[Array, "B S"], centers: Float[Array, "C S"], identity: Int[Array, " B"]
) -> Float[Array, " B"]:
    """Half the squared distance of each sample to the center of its identity (L_c of Eq. 18); 0 without identity.

    `shape` is in millimeters, where distance is distance between faces (Eq. 6). The centers are state, not parameters:
    they get no gradient.
    """
    distance = 0.5 * jnp.sum(jnp.square(shape - jax.lax.stop_gradient(centers)[identity]), axis=-1)
    return jnp.where(identity == NO_IDENTITY, 0.0, distance)


def update_centers(
    centers: Float[Array, "C S"],
    shape: Float[Array, "B S"],
    identity: Int[Array, " B"],
    weight: Float[Array, " B"],
    *,
    rate: float,
    axis_name: str | None = None,
) -> Float[Array, "C S"]:
    """Moves the center of each identity toward its neutral frontal samples (Eq. 20, with f inside the sum).

        c_j <- c_j + rate * sum_i [y_i = j] f_i (s_i - c_j) / (1 + sum_i [y_i = j])

    f = 1 gives the plain centers of Wen et al. 2016, the paper's L_c; f of Eq. 19 the weighted ones, L_wc.

    Args:
      centers: c, one row per identity.
      shape: s, taken as data: no gradient passes through the update.
      identity: y, a row of `centers`, or NO_IDENTITY to leave every center alone.
      weight: f in [0, 1], how neutral and frontal each sample is: `neutral_frontal_confidence`.
      rate: step size in (0, 1].
      axis_name: device axis to sum over, so that every replica keeps the same centers.

    Raises:
      ValueError: if `rate` is outside (0, 1].
    """
    if not 0 < rate <= 1:
        raise ValueError(f"rate must be in (0, 1], got {rate}")
    offset = weight[:, None] * (shape - centers[identity])
    # Sums, not assignments: two samples of one identity both count. NO_IDENTITY is out of range, so it is dropped.
    pull = jax.ops.segment_sum(offset, identity, num_segments=len(centers))
    count = jax.ops.segment_sum(jnp.ones_like(weight), identity, num_segments=len(centers))
    if axis_name is not None:
        pull, count = jax.lax.psum((pull, count), axis_name)
    return jax.lax.stop_gradient(centers + rate * pull / (1.0 + count[:, None]))


def neutral_frontal_confidence(
    rotation: Float[Array, "B 3 3"],
    expression: Float[Array, "B E"],
    *,
    form: str = "paper",
    decay: float = 1 / 3,
) -> Float[Array, " B"]:
    """How neutral and frontal each face is, f in [0, 1] (Eq. 19), a constant for gradients.

        paper     f = (cos pitch + 1)(cos yaw + 1)(cos roll + 1) / 8 * exp(-decay |alpha_exp|)
        relu_cos  f = max(cos pitch, 0) max(cos yaw, 0) max(cos roll, 0) * exp(-decay |alpha_exp|)

    Args:
      rotation: camera_from_model; the identity for a frontal face.
      expression: alpha_exp, in the unit that `decay` counts: millimeters as in the paper, or whitened, where a
        neutral face means the same on every face model.
      form: one of `CONFIDENCE_FORMS`.
      decay: lambda, per unit of `expression`.

    Raises:
      ValueError: if `form` is unknown or `decay` negative.
    """
    if form not in CONFIDENCE_FORMS:
        raise ValueError(f"unknown confidence form {form!r}; choose one of {', '.join(CONFIDENCE_FORMS)}")
    if decay < 0:
        raise ValueError(f"decay must not be negative, got {decay}")
    cosines = jnp.cos(jnp.stack(euler_from_rotation(rotation), axis=-1))
    factors = 0.5 * (cosines + 1.0) if form == "paper" else jnp.maximum(cosines, 0.0)
    frontal = jnp.prod(factors, axis=-1)
    neutral = jnp.exp(-decay * jnp.linalg.norm(expression, axis=-1))
    return jax.lax.stop_gradient(frontal * neutral)


def kl_to_standard_normal(
    whitened: Float[Array, "B S"], member: Bool[Array, " B"], *, axis_name: str | None = None
) -> Float[Array, ""]:
    """KL divergence of the members' distribution from the prior N(0, I), Gaussian per dimension (Eq. 8, 21).

        sum_d (mu_d^2 + v_d - 1 - ln v_d) / 2,  mu, v: mean and (biased) variance over the members of the global batch

    Keeps the shapes from shrinking to the mean face. Even samples of N(0, I) give about S / n for n members: use 64 or
    more. Not the KL term of a variational autoencoder: nothing is sampled and no image has a variance of its own.

    Args:
      whitened: shape coefficients in standard deviations.
      member: which samples belong to the distribution; the others get no gradient.
      axis_name: device axis over which the batch is spread.

    Returns:
      One value for the batch; 0, with zero gradient, for fewer than two members.
    """

    def total(x: Float[Array, "..."]) -> Float[Array, "..."]:
        return x if axis_name is None else jax.lax.psum(x, axis_name)

    member_column = member.astype(whitened.dtype)[:, None]
    size = total(jnp.sum(member_column))
    count = jnp.maximum(size, 1.0)
    mean = total(jnp.sum(member_column * whitened, axis=0)) / count
    # Two passes: E[a^2] - mean^2 would lose the variance of a collapsed batch to rounding.
    variance = total(jnp.sum(member_column * jnp.square(whitened - mean[None]), axis=0)) / count
    divergence = 0.5 * jnp.sum(jnp.square(mean) + variance - 1.0 - jnp.log(variance + _TINY_VARIANCE))
    return jnp.where(size >= 2, divergence, 0.0)
