"""Mean and modes of random heads and random expressions of the face region."""

from dataclasses import dataclass

import numpy as np

from data_prep.builtin_alignment import align_heads
from data_prep.builtin_exact import exact_product, principal_modes
from data_prep.builtin_region import SKIN, Region
from data_prep.builtin_sampling import (
    EXPRESSION_FOLDERS,
    IDENTITY_FOLDERS,
    WEIGHT_STEPS,
    Draws,
    expression_weights,
    identity_weights,
)
from data_prep.builtin_sources import UNITS_PER_MM, Sources

NUM_SHAPE, NUM_EXPRESSION = 199, 29
NUM_HEADS = 1500  # drawn; as many mirror images are added, so that mean and modes are symmetric
NUM_EXPRESSIONS = 1500
_IDENTITY_SEED, _EXPRESSION_SEED = 0, 1


@dataclass
class Statistics:
    """In millimeters; modes are rows, orthonormal."""

    mean: np.ndarray  # [V, 3] exactly symmetric
    shape_basis: np.ndarray  # [S, V, 3]
    shape_std: np.ndarray  # [S]
    expression_basis: np.ndarray  # [E, V, 3]
    expression_std: np.ndarray  # [E] root mean square of the sampled coefficients about neutral


def face_statistics(sources: Sources, region: Region) -> Statistics:
    """Samples heads and expressions from the targets and finds their principal modes."""
    base = sources.vertices[region.source].astype(np.float64)
    heads = align_heads(sample_heads(sources, region), stable_vertices(base, region), base)
    total = heads.sum(axis=0, dtype=np.float64)
    mean = np.rint((total + _mirrored(total[None], region)[0]) / (2 * len(heads)))
    modes, std = principal_modes((heads - mean.astype(np.float32)).reshape(len(heads), -1), NUM_SHAPE)
    expressions = sample_expressions(sources, region)
    # About zero, not about their mean: without expression coefficients the face is neutral.
    expression_modes, expression_std = principal_modes(expressions.reshape(len(expressions), -1), NUM_EXPRESSION)
    return Statistics(
        mean=mean / UNITS_PER_MM,
        shape_basis=modes.reshape(NUM_SHAPE, -1, 3),
        shape_std=std / UNITS_PER_MM,
        expression_basis=expression_modes.reshape(NUM_EXPRESSION, -1, 3),
        expression_std=expression_std / UNITS_PER_MM,
    )


def sample_heads(sources: Sources, region: Region, count: int = NUM_HEADS) -> np.ndarray:
    """Random neutral heads and their mirror images, float32 [2 count, V, 3] in whole hundredths of a millimeter."""
    names, offsets = _offsets(sources, region, IDENTITY_FOLDERS)
    weights = identity_weights(names, count, Draws(_IDENTITY_SEED))
    heads = np.rint(exact_product(weights, offsets) / WEIGHT_STEPS) + sources.vertices[region.source].reshape(-1)
    heads = heads.astype(np.float32).reshape(count, -1, 3)
    return np.concatenate([heads, _mirrored(heads, region)])


def sample_expressions(sources: Sources, region: Region, count: int = NUM_EXPRESSIONS) -> np.ndarray:
    """Random offsets from neutral and their mirror images, float32 [2 count, V, 3] in hundredths of a millimeter."""
    names, offsets = _offsets(sources, region, EXPRESSION_FOLDERS)
    weights = expression_weights(names, count, Draws(_EXPRESSION_SEED))
    moved = np.rint(exact_product(weights, offsets) / WEIGHT_STEPS).astype(np.float32).reshape(count, -1, 3)
    return np.concatenate([moved, _mirrored(moved, region)])


def stable_vertices(base: np.ndarray, region: Region) -> np.ndarray:
    """The skin of the face proper: no ears, neck or inside of the mouth."""
    x, y, z = (base / UNITS_PER_MM).T
    return (region.kind == SKIN) & (np.abs(x) < 75) & (y > 625) & (z > 60)


def _offsets(sources: Sources, region: Region, folders: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    names = sorted(name for name in sources.targets if name.rpartition("/")[0] in folders)
    return names, np.stack([sources.targets[name][region.source].reshape(-1) for name in names]).astype(np.float64)


def _mirrored(points: np.ndarray, region: Region) -> np.ndarray:
    return points[:, region.mirror] * np.array([-1, 1, 1], points.dtype)
