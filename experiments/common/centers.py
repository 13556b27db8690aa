"""Where the centers of trained people lie: near the code of their neutral frontal photo? C people, S modes."""

import dataclasses
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import Float

from experiments.common.readings import neutral_frontal, read, truths
from sirjax.data.records import RecordSource
from sirjax.training.checkpoint import DIRECTORY, load_config

NEUTRAL = 0.9  # confidence f that a photo needs to count as neutral and frontal


@dataclasses.dataclass(frozen=True)
class CenterDistances:
    """For each person with a neutral frontal photo; distances are those of faces, RMS over vertices, mm."""

    center: np.ndarray  # [C] of the run's center from the code of that photo
    mean: np.ndarray  # [C] of the mean code of all photos from it
    weighted: np.ndarray  # [C] of their mean weighted by f (Eq. 19) from it
    spread: float  # RMS distance of two people's neutral frontal codes: the scale to compare with


def center_distances(run: Path, records: RecordSource, num_vertices: int) -> CenterDistances:
    """Distances of a run's centers (of the plain means where it has none) from what it sees in neutral frontal photos.

    Which photos are neutral and frontal is taken from the truth where it is known, else from what the run sees.
    """
    codes = read(run, records)
    rotation, expression = codes.rotation, codes.expression
    if records.manifest["has_truth"]:
        rotation, expression = truths(records).rotation, truths(records).expression
    if rotation is None or expression is None:
        raise ValueError(f"the codes of {run} lack poses or expressions: read them again")
    trust = neutral_frontal(rotation, expression)
    shape = np.asarray(codes.shape, np.float64)
    centers = stored_centers(run)
    people, best, plain, weighted = [], [], [], []
    for person in range(records.num_identities):
        own = np.flatnonzero(records.identity_class == person)
        if len(own) < 2 or trust[own].max() < NEUTRAL:
            continue
        people.append(person)
        best.append(shape[own[trust[own].argmax()]])
        plain.append(shape[own].mean(axis=0))
        weighted.append(np.average(shape[own], axis=0, weights=trust[own]))
    if len(people) < 2:
        raise ValueError(f"{len(people)} people of {records.path} have a neutral frontal photo, need at least 2")
    reference = np.array(best)

    def distance(points: Float[np.ndarray, "C S"]) -> Float[np.ndarray, " C"]:
        return np.linalg.norm(points - reference, axis=1) / np.sqrt(num_vertices)

    offsets = reference - reference.mean(axis=0)
    spread = np.sqrt(2 * np.sum(offsets**2) / (len(reference) - 1) / num_vertices)
    own_centers = np.array(plain) if centers is None else centers[people]
    return CenterDistances(
        distance(own_centers), distance(np.array(plain)), distance(np.array(weighted)), float(spread)
    )


def stored_centers(run: Path) -> Float[np.ndarray, "C S"] | None:
    """The centers in the newest checkpoint of a run that moved them, mm; None of one without a center loss."""
    root, settings = (run / DIRECTORY).absolute(), load_config(run)["sir"]
    if settings["center"] == "none" or settings["weight"] == 0:
        return None
    with ocp.CheckpointManager(root, options=ocp.CheckpointManagerOptions(read_only=True)) as manager:
        arguments = ocp.args.Composite(training=ocp.args.StandardRestore())
        training = manager.restore(manager.latest_step(), args=arguments)["training"]
    return np.asarray(training["centers"], np.float64)
