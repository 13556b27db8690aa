"""Are the shapes of different people different, those of one person the same, and none of them just the mean face?"""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from sirjax.constants import NO_IDENTITY


@dataclasses.dataclass(frozen=True)
class Distinctiveness:
    """Spread of shape coefficients within and between identities, and against the prior N(0, I)."""

    mean_length: float  # mean of |a|, whitened
    ideal_length: float  # sqrt(S), about what samples of the prior have
    variance: np.ndarray  # [S] of each whitened coefficient over all samples; 1 under the prior
    intra_rmse: float  # mm, root mean square over all pairs of samples of one identity
    inter_rmse: float  # mm, root mean square over all pairs of samples of two identities
    ratio: float  # inter / intra; 1 says nothing about identity, infinite if every identity has one shape

    @property
    def relative_length(self) -> float:
        """mean_length / ideal_length: far below 1, the shapes shrink to the mean face."""
        return self.mean_length / self.ideal_length


def distinctiveness(
    whitened: Float[np.ndarray, "N S"],
    std: Float[np.ndarray, " S"],
    identity: Int[np.ndarray, " N"],
    num_vertices: int,
) -> Distinctiveness:
    """Distinctiveness of predicted shapes.

    The distance of a pair is the vertex RMSE |alpha_i - alpha_j| / sqrt(V) of an orthonormal basis, alpha = std a. Mean
    squares over all pairs follow from sums, so that N may be large:
    sum_{i<j} |x_i - x_j|^2 = n sum_i |x_i|^2 - |sum_i x_i|^2.

    Args:
      whitened: shape coefficients in standard deviations.
      std: standard deviations in millimeters.
      identity: label of each sample; those with NO_IDENTITY enter the lengths and variances only.
      num_vertices: V.

    Raises:
      ValueError: if there are not both a pair of one identity and a pair of two.
    """
    whitened, identity = np.asarray(whitened, np.float64), np.asarray(identity)
    labelled = identity != NO_IDENTITY
    shape = whitened[labelled] * np.asarray(std, np.float64)
    shape = shape - shape.mean(axis=0) if len(shape) else shape  # no effect on differences, keeps digits
    _, group, size = np.unique(identity[labelled], return_inverse=True, return_counts=True)

    total = len(shape) * np.sum(np.square(shape)) - np.sum(np.square(shape.sum(axis=0)))
    group_sum = np.zeros((len(size), shape.shape[1]))
    np.add.at(group_sum, group, shape)
    intra = np.sum(size[group] * np.sum(np.square(shape), axis=1)) - np.sum(np.square(group_sum))
    num_intra = np.sum(size * (size - 1)) // 2
    num_inter = len(shape) * (len(shape) - 1) // 2 - num_intra
    if num_intra == 0 or num_inter == 0:
        raise ValueError(
            f"distinctiveness needs two identities, one of them with two samples; got {len(shape)} labelled samples "
            f"of {len(size)} identities"
        )
    intra_rmse = np.sqrt(max(intra, 0.0) / num_intra / num_vertices)
    inter_rmse = np.sqrt(max(total - intra, 0.0) / num_inter / num_vertices)
    return Distinctiveness(
        mean_length=float(np.linalg.norm(whitened, axis=-1).mean()),
        ideal_length=float(np.sqrt(whitened.shape[1])),
        variance=whitened.var(axis=0),
        intra_rmse=float(intra_rmse),
        inter_rmse=float(inter_rmse),
        ratio=_ratio(float(inter_rmse), float(intra_rmse)),
    )


def _ratio(inter: float, intra: float) -> float:
    if intra > 0:
        return inter / intra
    return float("inf") if inter > 0 else 1.0  # all shapes equal: nothing about identity
