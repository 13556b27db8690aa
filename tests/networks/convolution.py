"""A 3x3 convolution in plain NumPy, the oracle of the network tests."""

import numpy as np


def convolve(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Cross-correlation of [B, H, W, C] with [3, 3, C, D] at stride 1, zeros outside the image, float64."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1:3]
    total = np.zeros((*x.shape[:3], kernel.shape[-1])) + np.asarray(bias, np.float64)
    for row in range(3):
        for column in range(3):
            total += padded[:, row : row + height, column : column + width] @ kernel[row, column]
    return total
