"""`python -m experiments.photos`: trains what is missing, seed by seed, and writes results after each one."""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import experiments.photos
from configs import ablations
from experiments.common.command import run_experiment
from experiments.photos.study import PhotoSets, PhotoStudy

VARIANTS = (*ablations.VARIANTS, *ablations.TAUGHT)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the study; interrupted, the same command goes on."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    study = make_study(arguments)
    # Packages have put handlers of their own there by now, which say nothing of what is trained.
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", force=True)
    logging.getLogger("absl").setLevel(logging.WARNING)
    for seed in study.seeds:
        study.train_seed(seed)
        whole = dataclasses.replace(study, seeds=study.seeds[: study.seeds.index(seed) + 1])
        run_experiment("photos", whole, arguments)
    return 0


def make_study(arguments: Sequence[str]) -> PhotoStudy:
    """The study that the command line describes."""
    parser = argparse.ArgumentParser(
        description=experiments.photos.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--landmark", type=Path, required=True, help="prepared photos with landmarks, to train on")
    parser.add_argument("--identity", type=Path, required=True, help="prepared photos of people, to train on")
    parser.add_argument("--held-out-landmark", type=Path, required=True, help="other photos with landmarks")
    parser.add_argument("--held-out-identity", type=Path, required=True, help="photos of other people")
    parser.add_argument("--lfw", type=Path, required=True, help="prepared photos with a list of pairs: LFW's View 1")
    parser.add_argument("--warmup", type=Path, metavar="RUN", help="start from this warm-up of configs/photos.py")
    parser.add_argument("--seeds", type=int, default=3, help="runs of each variant (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=300, help="of the second stage (default: %(default)s)")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=ablations.VARIANTS)
    parser.add_argument("--root", type=Path, default=Path("runs/photos"), help="runs and results (%(default)s)")
    parser.add_argument("--shrink", type=float, default=1.0, help="divide all steps by this; for tests")
    args = parser.parse_args(arguments)
    for name in ("seeds", "steps"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be at least 1, got {getattr(args, name)}")
    return PhotoStudy(
        root=args.root,
        sets=PhotoSets(args.landmark, args.identity, args.held_out_identity, args.held_out_landmark, args.lfw),
        seeds=tuple(range(args.seeds)),
        shrink=args.shrink,
        steps=args.steps,
        real=True,
        variants=tuple(args.variants),
        given_warmup=args.warmup,
    )
