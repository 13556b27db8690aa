"""Units of 3DMM coefficients: whitened (standard deviations of the prior) or millimeters (whitened x deviation)."""

from jaxtyping import Array, Float


def to_millimeters(whitened: Float[Array, "*B S"], std: Float[Array, " S"]) -> Float[Array, "*B S"]:
    """alpha = sigma a: standard deviations to millimeters along each mode."""
    return whitened * std.reshape((1,) * (whitened.ndim - 1) + std.shape)


def to_whitened(millimeters: Float[Array, "*B S"], std: Float[Array, " S"]) -> Float[Array, "*B S"]:
    """a = alpha / sigma: millimeters along each mode to standard deviations."""
    return millimeters / std.reshape((1,) * (millimeters.ndim - 1) + std.shape)
