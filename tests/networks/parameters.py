"""Counts parameters."""

import math

import jax


def count(tree: object) -> int:
    """Number of numbers in all arrays (or shapes of arrays) of a tree."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))
