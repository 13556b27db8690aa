"""People of a set as codes, and photos of them to show. N photos, C people, S modes."""

import numpy as np
from jaxtyping import Float, Int


def mean_shapes(shape: Float[np.ndarray, "N S"], identity: Int[np.ndarray, " N"]) -> Float[np.ndarray, "C S"]:
    """The mean code of each person's photos, in the order of their numbers."""
    return np.stack([shape[identity == person].mean(axis=0) for person in np.unique(identity)])


def some_people(identity: Int[np.ndarray, " N"], count: int) -> list[int]:
    """Rows of `mean_shapes`: the first people, whoever they are, so that nobody picks."""
    return list(range(min(count, len(np.unique(identity)))))


def photo_of(identity: Int[np.ndarray, " N"], trust: Float[np.ndarray, " N"], person: int) -> int:
    """The photo of a person (row of `mean_shapes`) that is most neutral and frontal."""
    own = np.flatnonzero(identity == np.unique(identity)[person])
    return int(own[trust[own].argmax()])
