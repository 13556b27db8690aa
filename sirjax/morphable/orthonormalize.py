"""Condition 3 of the paper, an orthonormal shape basis, for models that were trimmed or built otherwise.

With M = A diag(sigma) = U S V^T (thin SVD), a face is A alpha = M a = U S (V^T a), a = alpha / sigma. The new basis is
U, the new deviations are S, and the new whitened coefficients b = V^T a are standard normal exactly when a is, since V
is orthogonal. Span and prior stay what they were.
"""

import jax.numpy as jnp
import numpy as np
from flax import struct
from jax import Array
from jaxtyping import Bool, Float

from sirjax.morphable.model import FaceModel


@struct.dataclass
class OriginalCoefficients:
    """The way from an orthonormalized model's shape coefficients to those of the model it was made from, and back."""

    rotation: Array  # [S, S] V, orthogonal
    std: Array  # [S] sigma of the original modes, mm

    def from_orthonormal(self, whitened: Float[Array, "B S"]) -> Float[Array, "B S"]:
        """alpha = sigma * (V b): original coefficients in millimeters of the original modes."""
        return self.std[None] * (whitened @ self.rotation.T)

    def to_orthonormal(self, original: Float[Array, "B S"]) -> Float[Array, "B S"]:
        """b = V^T (alpha / sigma): whitened coefficients of the orthonormalized model."""
        return (original / self.std[None]) @ self.rotation


def orthonormality_error(model: FaceModel) -> float:
    """Largest entry of |B B^T - I| of the shape basis B: 0 for orthonormal modes."""
    basis = np.asarray(model.shape_basis, np.float64)
    return float(np.abs(basis @ basis.T - np.eye(len(basis))).max())


def orthonormalize(
    model: FaceModel, vertex_mask: Bool[Array, " V"] | None = None
) -> tuple[FaceModel, OriginalCoefficients]:
    """The same faces under the same prior, with shape modes that are orthonormal over the masked vertices (or all).

    Raises:
      ValueError: if fewer coordinates are masked in than there are modes, or the modes are linearly dependent there.
    """
    std = np.asarray(model.shape_std, np.float64)
    scaled = np.asarray(model.shape_basis, np.float64) * std[:, None]  # M^T: one row per mode, mm
    rows = np.ones(model.num_vertices, bool) if vertex_mask is None else np.asarray(vertex_mask)
    if 3 * rows.sum() < len(std):
        raise ValueError(
            f"{rows.sum()} masked vertices cannot carry {len(std)} orthonormal modes: mask at least {-(-len(std) // 3)}"
        )
    _, new_std, rotation = np.linalg.svd(scaled[:, np.repeat(rows, 3)].T, full_matrices=False)
    if new_std[-1] <= 1e-6 * new_std[0]:
        raise ValueError(
            f"the shape modes are linearly dependent on the masked vertices (deviations {new_std[0]:.3g} to "
            f"{new_std[-1]:.3g} mm): mask more vertices or drop modes"
        )
    # On masked rows this is U; the other rows follow their modes.
    basis = (rotation @ scaled) / new_std[:, None]
    original = OriginalCoefficients(rotation=jnp.asarray(rotation.T, jnp.float32), std=model.shape_std)
    orthonormal = model.replace(
        shape_basis=jnp.asarray(basis, jnp.float32), shape_std=jnp.asarray(new_std, jnp.float32)
    )
    return orthonormal, original
