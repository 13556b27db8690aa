"""Spherical-harmonics shading of one pixel in float64, with the constants from their definition."""

import numpy as np


def shade(albedo, normal, light):
    """albedo [3], unit normal [3], light [9, 3] -> colour [3]."""
    x, y, z = normal
    constant, linear, quadratic = np.sqrt(np.pi) / 2, np.sqrt(np.pi / 3), np.sqrt(15 * np.pi) / 8
    harmonics = np.array(
        [
            constant,
            linear * z,
            linear * x,
            linear * y,
            quadratic / np.sqrt(12) * (3 * z**2 - 1),
            quadratic * x * z,
            quadratic * y * z,
            quadratic / 2 * (x**2 - y**2),
            quadratic * x * y,
        ]
    )
    return albedo * (harmonics @ light)
