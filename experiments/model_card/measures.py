"""Figures of trained networks by pose and skin, as tables. N photos, S shape modes."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from experiments.common.outcome import Cell, Estimate, ResultTable, share
from experiments.common.people_picture import draw_people
from experiments.model_card.skin import BINS, cheek_color, typology_angle
from sirjax.cli.evaluating.codes import read_codes
from sirjax.cli.evaluating.pair_files import read_pair_list
from sirjax.cli.evaluating.verify import Subject, evaluate
from sirjax.constants import NO_IDENTITY
from sirjax.data.alignment import invert, transform_points
from sirjax.data.images import decode_image
from sirjax.data.records import Sample, open_records
from sirjax.data.synthetic import draw_person
from sirjax.evaluation.bootstrap import Interval, bootstrap_mean
from sirjax.evaluation.landmark_error import FAILURE, YAW_BINS, nme, yaw_bin
from sirjax.evaluation.landmark_summary import BIN_NAMES
from sirjax.evaluation.shape_error import coefficient_rmse, mean_face_rmse
from sirjax.geometry.rotation import euler_from_rotation
from sirjax.training.setup import TrainedRun

FEWEST = 20  # photos; of fewer a bin says nothing
Groups = Sequence[tuple[str, Bool[np.ndarray, " N"]]]


@dataclasses.dataclass(frozen=True)
class Read:
    """What was read in the photos of a set, beside the truth."""

    error: np.ndarray  # [N] NME by the box, a fraction
    yaw: np.ndarray  # [N] radians
    tone: np.ndarray  # [N] ITA, degrees
    group: np.ndarray  # int [N] the person, or a number of its own
    shape_error: np.ndarray | None = None  # [N] mm, RMSE over the vertices of the neutral face
    baseline: np.ndarray | None = None  # [N] the mean face's


def read_landmarks(trained: TrainedRun, folder: Path) -> Read:
    """Real photos with landmarks: errors by predicted yaw and by the cheek's color.

    Raises:
      ValueError: if the records have no landmarks.
    """
    records = open_records(folder)
    samples = [records[i] for i in range(len(records))]
    labels = [sample.landmarks for sample in samples if sample.landmarks is not None]
    if len(labels) < len(samples):
        raise ValueError(f"{folder} has photos without landmarks: name a set that has them, or give it as --pairs")
    codes = read_codes(trained, records)
    assert codes.landmarks is not None  # `read_codes` gives them
    assert codes.rotation is not None
    colors = [cheek_color(decode_image(sample.image), points) for sample, points in zip(samples, labels, strict=True)]
    return Read(
        error=nme(_in_photos(codes.landmarks, samples), _in_photos(np.stack(labels), samples)),
        yaw=yaw_of(codes.rotation),
        tone=typology_angle(np.stack(colors)),
        group=_groups(np.array([sample.identity_class for sample in samples])),
    )


def read_benchmark(trained: TrainedRun, folder: Path) -> Read:
    """Rendered people: errors by true yaw and by the color their skin was given.

    Raises:
      ValueError: if the records hold no truth.
    """
    records = open_records(folder)
    samples = [records[i] for i in range(len(records))]
    truths = [sample.truth for sample in samples if sample.truth is not None]
    if len(truths) < len(samples):
        raise ValueError(f"{folder} holds photos without true shapes: make a set with sirjax prepare synthetic")
    codes = read_codes(trained, records)
    assert codes.landmarks is not None  # `read_codes` gives them
    assert codes.shape_std is not None
    made = records.manifest["parameters"]
    skin = []
    for sample in samples:
        _, person, view = sample.name.split("/")  # kind/person/view
        drawn = draw_person(
            trained.face_model, made["kind"], made["seed"], int(person), int(view), made["albedo_per_identity"]
        )
        skin.append(drawn.skin)
    true = np.stack([truth.shape for truth in truths]) * codes.shape_std
    vertices = trained.face_model.num_vertices
    return Read(
        error=nme(codes.landmarks, np.stack([truth.landmarks for truth in truths])),
        yaw=yaw_of(np.stack([truth.rotation for truth in truths])),
        tone=typology_angle(np.stack(skin)),
        group=_groups(np.array([sample.identity_class for sample in samples])),
        shape_error=coefficient_rmse(codes.shape, true, vertices),
        baseline=mean_face_rmse(true, vertices),
    )


def people_picture(trained: TrainedRun, folder: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Neutral shapes read from three photos of each of eight people, and their distances.

    Raises:
      ValueError: if nobody has three photos.
    """
    records = open_records(folder)
    codes = read_codes(trained, records)
    return draw_people(trained.face_model, codes.shape, np.asarray(records.identity_class))[0]


def landmark_tables(sets: dict[str, Read]) -> list[ResultTable]:
    """One table for all sets of real photos: whole, by yaw, by skin tone."""
    rows: list[list[Cell]] = []
    for name, read in sets.items():
        lost = (read.error > FAILURE).astype(float)
        for part, own in parts(read):
            error = Estimate.of(_interval(read, read.error, own), "%")
            rows.append([f"{name}: {part}", int(own.sum()), error, share(_interval(read, lost, own))])
    caption = (
        "NME: mean distance of the 68 points in percent of the size of the face (square root of the box's area). Yaw "
        "is the predicted one. Skin tone is that of a cheek's pixels, which light and camera change as much as skin "
        f"does: a crude measure. Parts of fewer than {FEWEST} photos are left out."
    )
    columns = ["photos", "number", "NME", f"lost (above {FAILURE:.0%})"]
    return [ResultTable("Landmarks on real photos", columns, rows, caption)]


def verification_table(trained: TrainedRun, folders: dict[str, Path]) -> ResultTable:
    """Are two photos of one person? By distances of shape codes alone, on every set of pairs."""
    rows: list[list[Cell]] = []
    for name, folder in folders.items():
        records = open_records(folder)
        codes = read_codes(trained, records)
        listed = read_pair_list(folder / "pairs.tsv") if (folder / "pairs.tsv").is_file() else None
        subject = Subject(name, codes, np.asarray(trained.face_model.shape_basis))
        result = evaluate(subject, listed, records=records, descriptors=["shape"])
        found = {distance: result.found["shape", distance] for distance in ("euclidean", "cosine")}
        accuracy = [share(each.accuracy, each.result.accuracy) for each in found.values()]
        people = len(np.unique(result.identity[result.identity != NO_IDENTITY]))
        rows.append([name, len(result.pairs.same), people, *accuracy, share(found["euclidean"].auc)])
    columns = ["pairs of", "pairs", "people", "accuracy, Euclidean", "accuracy, cosine", "area under ROC, Euclidean"]
    caption = "50 % is chance. Shapes alone: color and hair, by which face recognizers go, are not looked at."
    return ResultTable("Do shapes tell people apart?", columns, rows, caption)


def benchmark_tables(read: Read) -> list[ResultTable]:
    """Rendered people, whose truth is known: landmarks and shape by yaw and skin."""
    assert read.shape_error is not None
    assert read.baseline is not None
    rows: list[list[Cell]] = []
    for part, own in parts(read):
        error = Estimate.of(_interval(read, read.error, own), "%")
        shape = Estimate.of(_interval(read, read.shape_error, own), "mm")
        gain = Estimate.of(_interval(read, read.shape_error - read.baseline, own), "mm")
        rows.append([part, int(own.sum()), error, shape, gain])
    columns = ["rendered photos", "number", "NME", "neutral shape RMSE", "minus the mean face's"]
    caption = (
        f"{len(np.unique(read.group))} people never trained on. Yaw and skin are the true ones. RMSE over all "
        "vertices, ears and neck included. A fifth of the photos has something in front of the face; which ones, the "
        "set does not keep."
    )
    return [ResultTable("Rendered people, truth known", columns, rows, caption)]


def parts(read: Read) -> Groups:
    """All photos, then those of each yaw and each skin tone, as far as there are enough."""
    place = yaw_bin(read.yaw)
    found = [("all", np.ones(len(read.error), bool))]
    found += [(name, place == i) for i, name in enumerate(BIN_NAMES[: len(YAW_BINS) + 1])]
    found += [(f"skin {name}", (read.tone >= low) & (read.tone < high)) for name, low, high in BINS]
    return [(name, own) for name, own in found if name == "all" or own.sum() >= FEWEST]


def yaw_of(rotation: Float[np.ndarray, "N 3 3"]) -> Float[np.ndarray, " N"]:
    """Yaw in radians of rotations, camera_from_model."""
    return np.asarray(euler_from_rotation(jnp.asarray(rotation, jnp.float32))[1])


def _interval(read: Read, values: Float[np.ndarray, " N"], own: Bool[np.ndarray, " N"]) -> Interval:
    return bootstrap_mean(values[own], read.group[own], np.random.default_rng(0))


def _in_photos(points: Float[np.ndarray, "N 68 2"], samples: list[Sample]) -> Float[np.ndarray, "N 68 2"]:
    """From crop to photo pixels: the box that errors are divided by is the photo's."""
    moved = [transform_points(invert(sample.crop_from_photo), p) for sample, p in zip(samples, points, strict=True)]
    return np.stack(moved).astype(np.float64)


def _groups(identity: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """The person of each photo; photos of nobody known are groups of their own."""
    alone = identity.max(initial=0) + 1 + np.arange(len(identity))
    return np.where(identity == NO_IDENTITY, alone, identity)
