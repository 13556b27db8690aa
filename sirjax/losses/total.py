"""The whole training loss (Eq. 9, 13-18): which samples each term is averaged over, and with which weight it counts."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

TERMS = ("landmark", "pixel", "perceptual", "shape_prior", "expression_prior", "albedo", "softmax", "center")
OPTIONS = ("teacher",)  # beyond the paper


@dataclasses.dataclass(frozen=True)
class LossWeights:
    """Weights of the terms. One of 0 takes its term out of the sum; the term's metric stays.

    Raises:
      ValueError: if a weight is negative or not finite.
    """

    landmark: float = 1.0  # epsilon_l, Eq. 9
    pixel: float = 1.0  # Eq. 11
    perceptual: float = 0.25  # Eq. 12 relative to Eq. 11
    regularization: float = 1.0  # epsilon_reg, Eq. 13: multiplies the next three
    shape_prior: float = 0.01  # epsilon_id, Eq. 15
    expression_prior: float = 1e-3  # epsilon_exp, Eq. 15
    albedo: float = 1.0  # epsilon_rega, Eq. 14
    albedo_magnitude: float = 0.1  # epsilon_uv, inside Eq. 16: for the caller of `albedo_regularization`
    sir: float = 1.0  # epsilon_s, Eq. 9: multiplies the next three
    softmax: float = 20.0  # L_sm, Eq. 18
    center: float = 4e-3  # L_c, per squared millimeter
    kl: float = 5.0  # L_kl
    shape_prior_on_identity: bool = False  # True also applies the shape prior where KL already is the prior
    teacher: float = 0.0  # distances of an outside recognizer; beyond the paper

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"loss weight {field.name} must be finite and not negative, got {value}")

    def factor(self, term: str) -> float:
        """The factor of a term ("kl" included) in the total, common multipliers applied."""
        common = 1.0
        if term in ("shape_prior", "expression_prior", "albedo"):
            common = self.regularization
        elif term in ("softmax", "center", "kl"):
            common = self.sir
        return common * getattr(self, term)


@struct.dataclass
class Members:
    """How many samples of the global batch the means are taken over."""

    everyone: Array  # float32
    landmarks: Array  # with landmark labels
    identity: Array  # with an identity


def count_members(
    has_landmarks: Bool[Array, " B"], has_identity: Bool[Array, " B"], axis_name: str | None = None
) -> Members:
    """Counts the samples of the batches of all devices together."""
    counts = [jnp.sum(member.astype(jnp.float32)) for member in (has_landmarks, has_identity)]
    everyone, *counts = _over_devices([jnp.float32(len(has_identity)), *counts], axis_name)
    return Members(everyone, *counts)


def masked_mean(
    values: Float[Array, " B"], member: Bool[Array, " B"], axis_name: str | None = None
) -> Float[Array, ""]:
    """Mean over the members of the global batch; 0 if there are none."""
    count = _over_devices(jnp.sum(member.astype(values.dtype)), axis_name)
    return _share_of_mean(values, member, count, axis_name)


def _share_of_mean(values: Float[Array, " B"], member: Bool[Array, " B"], count: Array, axis_name: str | None) -> Array:
    return _over_devices(jnp.sum(jnp.where(member, values, 0.0)), axis_name) / jnp.maximum(count, 1.0)


def _over_devices(tree, axis_name: str | None):
    return tree if axis_name is None else jax.lax.psum(tree, axis_name)


def weighted_total(
    terms: dict[str, Float[Array, " _"]],
    kl: Float[Array, ""] | None,
    has_landmarks: Bool[Array, " B"],
    has_identity: Bool[Array, " B"],
    weights: LossWeights,
    *,
    axis_name: str | None = None,
    members: Members | None = None,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The training loss of the global batch (Eq. 9) and the means it is made of.

        eps_l <landmark>_L + <pixel> + w <perceptual>
          + eps_reg (eps_id <shape_prior>_{not I} + eps_exp <expression_prior> + eps_rega <albedo>)
          + eps_s (w_sm <softmax>_I + w_c <center>_I + w_kl kl) + w_t <teacher>

    <.>_L is the mean over the samples with landmarks, <.>_I over those with an identity, <.> over all. A sample with
    both labels counts for both (Eq. 9 leaves that open), one with neither for the unmarked terms.

    Under `jax.pmap` every device returns the same value, that of the batches put together. A device's gradient of it is
    then D times its own samples' part, as psum transposes to psum, so the *mean* over devices is the whole gradient.

    Args:
      terms: values per sample by name, some or all of `TERMS` and `OPTIONS`. A term left out is simply not in the sum;
        unmarked terms may be of a part of the samples, whose mean then stands for all.
      kl: `kl_to_standard_normal` of the same global batch, or None to leave it out.
      has_landmarks: which samples have landmark labels.
      has_identity: which samples have an identity.
      weights: what each term counts.
      axis_name: device axis over which the batch is spread.
      members: sample counts of the whole batch that this one is a part of: the totals of the parts then add up to its
        total. None: this is all of it. `kl` has no count: give each part its share.

    Returns:
      The total, and a dict with the unweighted mean of each given term, "kl" if given, and "total".

    Raises:
      ValueError: if `terms` has an unknown name.
    """
    unknown = sorted(set(terms) - {*TERMS, *OPTIONS})
    if unknown:
        raise ValueError(f"unknown loss term {unknown[0]!r}; known terms: {', '.join((*TERMS, *OPTIONS))}")
    if members is None:
        members = count_members(has_landmarks, has_identity, axis_name)
    labelled = {
        "landmark": (has_landmarks, members.landmarks),
        "softmax": (has_identity, members.identity),
        "center": (has_identity, members.identity),
    }
    if not weights.shape_prior_on_identity:
        labelled["shape_prior"] = (~has_identity, members.everyone - members.identity)
    metrics = {}
    for name, values in terms.items():
        part = len(values) / len(has_identity)
        everyone = (jnp.ones(len(values), bool), part * members.everyone)
        metrics[name] = _share_of_mean(values, *labelled.get(name, everyone), axis_name)
    if kl is not None:
        metrics["kl"] = kl
    total = jnp.zeros(())
    for name, mean in metrics.items():
        if weights.factor(name) > 0:
            total = total + weights.factor(name) * mean
    return total, metrics | {"total": total}
