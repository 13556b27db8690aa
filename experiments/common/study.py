"""One study: the sets, the seeds and the sizes that all experiments share, and its training runs, found or trained.

A run lies in ROOT/runs under a name made of what was trained and a hash of every setting that matters, so that a second
experiment finds what the first one trained, and changed settings never reuse an old run. An interrupted run goes on.
"""

import dataclasses
import fcntl
import functools
import hashlib
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from configs import ablations, default
from experiments.demo.command import render_sets
from sirjax.data.records import RecordSource, open_records
from sirjax.files import write_text
from sirjax.report import provenance
from sirjax.training.checkpoint import load_config
from sirjax.training.loop import train
from sirjax.training.resume import flatten
from sirjax.training.setup import TrainedRun, load_run

FULL = "sm+wc+kl"  # the paper's method
EPSILONS = (0.3, 1.0, 3.0)  # of Fig. 6
FINISHED = "finished.json"
UNSPLIT = 4  # stages that all branches share, of four

logger = logging.getLogger("experiments")


@dataclasses.dataclass(frozen=True)
class Training:
    """What to train."""

    variant: str  # see configs/ablations.py
    seed: int = 0
    split: bool = True  # the paper's encoder; False: one branch, the baseline of Fig. 6
    weight: float = 1.0  # epsilon_s of Eq. 9

    @property
    def name(self) -> str:
        """For people."""
        parts = [self.variant]
        if not self.split:
            parts.append("unsplit")
        if self.weight != 1.0:
            parts.append(f"eps{self.weight:g}")
        return "_".join([*parts, f"seed{self.seed}"])


@dataclasses.dataclass(frozen=True)
class Sets:
    """Folders of records."""

    landmark: Path
    identity: Path
    evaluate: Path


@dataclasses.dataclass(frozen=True)
class Study:
    """Everything that the experiments of one study have in common."""

    root: Path
    sets: Sets
    seeds: tuple[int, ...] = (0,)
    shrink: float = 1.0  # steps and rendered sets are divided by this
    steps: int = 0  # of the second stage, if positive
    real: bool = False  # photos, not rendered faces: with the augmentation and the warm-up of configs/photos.py
    variants: tuple[str, ...] = ablations.VARIANTS  # of those that an experiment asks for, the ones to train
    epsilons: tuple[float, ...] = EPSILONS
    given_warmup: Path | None = None  # a run of the demo's warm-up, to start from instead of training one

    @functools.cached_property
    def evaluated(self) -> RecordSource:
        """The records that figures are measured on."""
        return _opened(self.sets.evaluate)

    @functools.cached_property
    def identity(self) -> RecordSource:
        """The records with identities that runs are trained on."""
        return _opened(self.sets.identity)

    @property
    def has_truth(self) -> bool:
        """Whether true shapes are known, so that errors can be measured."""
        return bool(self.evaluated.manifest["has_truth"])

    def among(self, *variants: str) -> list[str]:
        """Those of the variants that this study trains."""
        return [variant for variant in variants if variant in self.variants]

    def warmup(self, *, split: bool = True) -> Path:
        """The warmed-up run, which every other run starts from.

        Raises:
          ValueError: if the run given for it was trained with other settings or sets.
        """
        training = Training("warmup", split=split)
        config = self.config(training)
        if split and self.given_warmup is not None:
            if not _same_settings(self.given_warmup, config):
                raise ValueError(
                    f"{self.given_warmup} is no warm-up of these sets with the settings of configs/ablations.py: "
                    "leave --warmup out, and one is trained"
                )
            return self.given_warmup
        return self._trained(training, config)

    def run(self, training: Training) -> Path:
        """The run directory of a finished training; trains it, and the warm-up before it, unless they are there."""
        start = self.warmup(split=training.split)
        if training.variant == "warmup":
            return start
        config = self.config(training)
        config.init_from = str(start)
        return self._trained(training, config)

    def runs(self, variant: str) -> list[Path]:
        """The runs of a variant for all seeds of the study."""
        return [self.run(Training(variant, seed)) for seed in self.seeds]

    def loaded(self, run: Path) -> TrainedRun:
        """The networks of a run."""
        return load_run(run)

    def config(self, training: Training) -> Any:
        """The settings of a training, without the run that it starts from."""
        config = ablations.get_config(training.variant, real=self.real)
        config.seed = training.seed
        config.data.landmark = str(self.sets.landmark)
        if training.variant != "warmup":
            config.data.identity = str(self.sets.identity)
            config.sir.weight = training.weight * config.sir.weight
            config.schedule.steps = self.steps or config.schedule.steps
        if not training.split:
            config.networks.shared_stages = UNSPLIT
        config.schedule.steps = max(4, round(config.schedule.steps / self.shrink))
        return config

    def spent(self) -> float:
        """Seconds of training in the finished runs of this study's folder."""
        return sum(facts["seconds"] for facts in self._finished())

    def _finished(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted(self.root.glob(f"runs/*/{FINISHED}"))]

    def describe(self) -> dict[str, Any]:
        """What a results file says of the study."""
        sets = {}
        for name, path in dataclasses.asdict(self.sets).items():
            records = _opened(path)
            sets[name] = {
                "photos": len(records),
                "people": records.num_identities,
                "content_sha256": records.manifest["content_sha256"],
                "made_by": records.manifest["parameters"].get("preparer", "given"),
            }
        commits = {str(facts["provenance"].get("commit")) for facts in self._finished()}
        return {"seeds": list(self.seeds), "shrink": self.shrink, "sets": sets, "trained_at_commit": sorted(commits)}

    def _trained(self, training: Training, config: Any) -> Path:
        folder = self.root / "runs" / f"{training.name}-{_settings_hash(config)}"
        if not (folder / FINISHED).is_file():
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # another experiment may be training this very run: wait for it
                if not (folder / FINISHED).is_file():
                    self._train(training, config, folder)
        if not _same_settings(folder, config):
            raise ValueError(f"{folder} was trained when settings had other defaults: move it away to train it anew")
        return folder

    def _train(self, training: Training, config: Any, folder: Path) -> None:
        logger.info("training %s for %d steps in %s", training.name, config.schedule.steps, folder)
        begun = time.perf_counter()
        state = train(config, folder, progress=sys.stderr.isatty())
        if int(state.step) < config.schedule.steps:
            raise SystemExit(f"stopped at step {int(state.step)} of {folder}: the same command goes on")
        facts = {
            "training": dataclasses.asdict(training),
            "steps": config.schedule.steps,
            # Of this process: a run that was interrupted took longer.
            "seconds": round(time.perf_counter() - begun, 1),
            "provenance": provenance(),
        }
        write_text(folder / FINISHED, json.dumps(facts, indent=2) + "\n")


def _settings_hash(config: Any) -> str:
    """Of the settings that are not the schema's defaults: those that it gains later change no name."""
    defaults = _comparable(default.get_config().to_dict())
    settings = {name: value for name, value in _comparable(config.to_dict()).items() if value != defaults.get(name)}
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]


def _same_settings(run: Path, config: Any) -> bool:
    """Whether a run has these settings; those that came after it had their default when it was made."""
    now = _comparable(config.to_dict())
    return now | _comparable(load_config(run)) == now


def _comparable(settings: dict[str, Any]) -> dict[str, Any]:
    """ "a.b" -> value, without what only the log depends on; sets are named by their content, runs by their folder."""
    flat = {name: value for name, value in flatten(settings).items() if not name.startswith("run.")}
    for kind in ("data.landmark", "data.identity"):
        if flat[kind]:
            flat[kind] = _opened(Path(flat[kind])).manifest["content_sha256"]
    return flat | {"init_from": Path(flat["init_from"]).name}


def synthetic_sets(folder: Path, shrink: float) -> Sets:
    """The built-in benchmark: the demo's sets, rendered into a folder unless they are there."""
    return Sets(**{_ROLE[kind]: path for kind, path in render_sets(folder, shrink).items()})


_ROLE = {"landmark": "landmark", "identity": "identity", "benchmark": "evaluate"}


@functools.cache
def _opened(path: Path | str) -> RecordSource:
    records = open_records(path)
    if not isinstance(records, RecordSource):
        raise ValueError(f"{path} is not one folder of records: experiments take one folder for each kind")
    return records
