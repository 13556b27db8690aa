"""The methods that are compared, by name, and what they say of the photos that figures are measured on.

"warm-up", any variant of configs/ablations.py, "mean face", "truth" (rendered sets only), and "truth + X mm": the true
shape with noise of X mm RMS over the vertices, drawn for every photo. N photos, S modes.
"""

import functools
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from experiments.common import measures, readings
from experiments.common.outcome import Estimate
from experiments.common.study import Study
from sirjax.evaluation.codes import Codes
from sirjax.morphable.model import FaceModel
from sirjax.training.setup import load_run

_NOISY = re.compile(r"truth \+ ([\d.]+) mm")
LABELS = {
    "warm-up": "warm-up only",
    "none": "no SIR loss",
    "kl": "KL alone",
    "sm": "L_sm",
    "sm+kl": "L_sm, KL",
    "sm+c": "L_sm + L_c",
    "sm+c+kl": "L_sm + L_c, KL",
    "sm+wc": "L_sm + L_wc",
    "sm+wc+kl": "L_sm + L_wc, KL (ours)",
}


def label(name: str) -> str:
    """A method's name for people."""
    return LABELS.get(name, name)


class Methods:
    """Codes by method name, read when they are asked for."""

    def __init__(self, study: Study):
        self.study = study
        self.records = study.evaluated
        self.identity: Int[np.ndarray, " N"] = np.asarray(self.records.identity_class)
        self.settings = {"warm_up": str(study.warmup().name), "variants": {}}

    def runs(self, name: str) -> list[Path]:
        """The runs of a trained method."""
        runs = [self.study.warmup()] if name == "warm-up" else self.study.runs(name)
        self.settings["variants"][name] = [run.name for run in runs]
        return runs

    def readings(self, name: str) -> list[Codes]:
        """What each seed's run reads; of trained methods only."""
        return [readings.read(run, self.records) for run in self.runs(name)]

    def codes(self, name: str) -> list[Float[np.ndarray, "N S"]]:
        """Shape codes in mm, one array for each seed."""
        if name == "mean face":
            return [np.zeros((len(self.identity), self.std.size))]
        if name == "truth":
            return [self.true_mm]
        noisy = _NOISY.fullmatch(name)
        if noisy:
            rng = np.random.default_rng(0)
            noise = rng.normal(size=self.true_mm.shape) * self.std / np.linalg.norm(self.std)
            # Drawn from the prior's own distribution: faces, not ragged surfaces.
            return [self.true_mm + float(noisy[1]) * np.sqrt(self.model.num_vertices) * noise]
        return [np.asarray(codes.shape, np.float64) for codes in self.readings(name)]

    @functools.cached_property
    def model(self) -> FaceModel:
        """The face model of the study."""
        return load_run(self.study.warmup()).face_model

    @functools.cached_property
    def std(self) -> Float[np.ndarray, " S"]:
        """Of the prior, mm."""
        return np.asarray(self.model.shape_std, np.float64)

    @functools.cached_property
    def true_mm(self) -> Float[np.ndarray, "N S"]:
        """The true codes; only rendered sets have them."""
        return readings.truths(self.records).shape * self.std

    @functools.cached_property
    def rotation(self) -> Float[np.ndarray, "N 3 3"]:
        """The true poses, or what the warm-up sees where there is no truth."""
        if self.study.has_truth:
            return readings.truths(self.records).rotation
        return np.asarray(self.readings("warm-up")[0].rotation)

    @functools.cached_property
    def tasks(self) -> list[measures.Task]:
        """The pairs to verify, the same for every method."""
        return measures.tasks(self.identity, readings.yaw_degrees(self.rotation))

    def face_error(self, name: str) -> Estimate:
        """RMSE of the face proper, mm."""
        errors = measures.face_errors(self.codes(name), self.true_mm, self.model)
        return Estimate.of(measures.photo_interval(errors, self.identity), "mm")

    @property
    def protocol(self) -> str:
        """What was measured, in a line."""
        people = len(np.unique(self.identity))
        kind = "rendered" if self.study.has_truth else "real"
        return (
            f"experiments-v1: {len(self.identity)} {kind} photos of {people} people not trained on, raw mm codes, "
            f"{measures.NUM_FOLDS} identity-disjoint folds, exact thresholds, 95 % bootstrap over people, "
            f"{len(self.study.seeds)} seed(s); face: {self.model.name}, orthonormal basis"
        )
