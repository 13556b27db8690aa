"""The study on real photos: its sets and runs, and what the runs read from photos they never saw.

N photos, P pairs, R seeds, S shape modes.
"""

import dataclasses
import functools
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Float, Int

from experiments.common import measures, readings
from experiments.common.study import Sets, Study, Training
from sirjax.cli.evaluating.pair_files import read_pair_list
from sirjax.data.alignment import invert, transform_points
from sirjax.data.records import RecordSource, open_records
from sirjax.evaluation import landmark_error, pair_lists, verification
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.pair_lists import PairList
from sirjax.morphable.model import FaceModel
from sirjax.training.setup import load_run

WARM_UP = "warm-up"
PEOPLE_IN_FOLD = 8  # at least: with fewer, a fold has hardly a pair of two people


@dataclasses.dataclass(frozen=True)
class PhotoSets(Sets):
    """Folders of records of real photos; `evaluate` holds the people held out."""

    held_out_landmark: Path
    lfw: Path


@dataclasses.dataclass(frozen=True)
class PhotoStudy(Study):
    """Runs on real photos. `names` are methods: "warm-up", or a variant of configs/ablations.py."""

    @property
    def names(self) -> list[str]:
        """The methods, in the order of the tables."""
        return [WARM_UP, *self.variants]

    @property
    def people(self) -> RecordSource:
        """Photos of the people held out."""
        return self.evaluated

    @functools.cached_property
    def model(self) -> FaceModel:
        """The face model of all runs."""
        return load_run(self.warmup()).face_model

    @property
    def std(self) -> Float[np.ndarray, " S"]:
        """Of the prior, mm."""
        return np.asarray(self.model.shape_std, np.float64)

    def train_seed(self, seed: int) -> None:
        """Trains every variant with one seed, what is not trained yet."""
        for variant in self.variants:
            self.run(Training(variant, seed))

    def trained(self, name: str) -> list[Path]:
        """The runs of a method, one for each seed; the warm-up is one for all."""
        return [self.warmup()] if name == WARM_UP else self.runs(name)

    def read(self, name: str, records: RecordSource) -> list[Codes]:
        """What each seed's run of a method reads."""
        return [readings.read(run, records) for run in self.trained(name)]

    def shapes(self, name: str, records: RecordSource) -> Float[np.ndarray, "R N S"]:
        """The shape codes of each seed, mm."""
        return np.stack([codes.shape for codes in self.read(name, records)]).astype(np.float64)

    @functools.cached_property
    def tasks(self) -> tuple[measures.Task, measures.Task]:
        """The pairs of LFW's View 1, and pairs of the people held out."""
        codes = self.read(WARM_UP, self.lfw)[0]
        lfw = listed_task("LFW View 1", read_pair_list(_sets(self).lfw), codes)
        identity = np.asarray(self.people.identity_class)
        folds = int(np.clip(len(np.unique(identity)) // PEOPLE_IN_FOLD, 2, measures.NUM_FOLDS))
        pairs = verification.make_pairs(identity, np.random.default_rng(0), measures.NUM_PAIRS, folds)
        return lfw, measures.Task("people held out", pairs, identity)

    @functools.cached_property
    def lfw(self) -> RecordSource:
        """Photos of LFW."""
        return _folder(_sets(self).lfw)

    @functools.cached_property
    def landmarks(self) -> RecordSource:
        """Photos with landmarks that were held out."""
        return _folder(_sets(self).held_out_landmark)

    def landmark_errors(self, name: str) -> Float[np.ndarray, "R N"]:
        """NME of each photo by its box, in photo pixels, a fraction."""
        samples = {sample.name: sample for sample in self.landmarks.__getitems__(range(len(self.landmarks)))}
        errors = []
        for codes in self.read(name, self.landmarks):
            own = [samples[photo] for photo in codes.names]
            back = [invert(sample.crop_from_photo) for sample in own]
            labels = np.asarray([sample.landmarks for sample in own], np.float64)
            predicted, target = (
                np.stack(
                    [transform_points(matrix, own_points) for matrix, own_points in zip(back, points, strict=True)]
                )
                for points in (np.asarray(codes.landmarks, np.float64), labels)
            )
            errors.append(landmark_error.nme(predicted, target))
        return np.stack(errors)


def listed_task(name: str, listed: PairList, codes: Codes) -> measures.Task:
    """The listed pairs whose photos there are codes of, in the list's folds or in folds made of its people.

    Raises:
      ValueError: if no pair is left.
    """
    rows = pair_lists.find_samples(codes.names, listed.names())
    kept = listed.take(listed.usable(rows))
    if not len(kept.same):
        raise ValueError(f"none of the {len(listed.same)} pairs of {name} has codes of both its photos")
    names = kept.names()
    known = {} if codes.identity is None else {photo: int(codes.identity[rows[photo][0]]) for photo in names}
    person = pair_lists.people(kept, known)
    first, second = (np.array([rows[photo][0] for photo in side]) for side in (kept.first, kept.second))
    identity: Int[np.ndarray, " N"] = np.full(len(codes.names), -1)
    for photo in names:
        identity[rows[photo][0]] = person[photo]
    fold = kept.fold
    if fold is None:
        folds = int(min(measures.NUM_FOLDS, kept.same.sum(), np.sum(~kept.same)))
        fold, _ = pair_lists.make_folds(identity[first], identity[second], kept.same, folds)
    return measures.Task(name, verification.Pairs(first, second, kept.same, fold), identity)


def _sets(study: PhotoStudy) -> PhotoSets:
    return cast(PhotoSets, study.sets)


def _folder(path: Path) -> RecordSource:
    return cast(RecordSource, open_records(path))
