"""Renders, trains, measures and reconstructs, each part only if it is not there yet."""

import argparse
import logging
import time
from pathlib import Path
from typing import Any

import cv2

import experiments.demo
from configs import demo as settings
from experiments.common.outcome import RESULTS, Outcome, public_facts, save_outcome
from experiments.demo.table import as_text, closing_table
from sirjax.cli.evaluating.benchmark import evaluate_records
from sirjax.cli.main import main as sirjax
from sirjax.training.loop import train
from sirjax.training.setup import load_run
from sirjax.training.weights import SHIPPED

SIZES = {  # of the sets, as options of `sirjax prepare synthetic`
    "--landmark-images": 12000,
    "--identities": 300,
    "--images-per-identity": 10,
    "--benchmark-identities": 72,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=experiments.demo.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="directory of everything the demo makes")
    parser.add_argument("--sir-off", action="store_true", help="second stage without the SIR loss, for comparison")
    parser.add_argument("--shrink", type=float, default=1.0, help="divide sets and steps by this; for tests")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("absl").setLevel(logging.WARNING)

    start = time.perf_counter()
    clock = Clock()
    photo = save_portrait(args.out / "portrait.png")
    at_once = reconstruct(photo, SHIPPED, args.out / "with_shipped_weights")
    clock.lap("reconstruct a photo with the weights that come with sirjax")
    print(f"The photo, reconstructed in {clock.last:.0f} s with the weights that come with sirjax. Look at:")
    print_paths(at_once)
    print("\nNow the same with weights trained here, from nothing.\n")
    records = render_sets(args.out / "records", args.shrink)
    clock.lap("render the faces")
    warmup, sir = args.out / "warmup", args.out / ("sir_off" if args.sir_off else "sir")
    train(stage_config("warmup", records, args.shrink), warmup)
    clock.lap("warm up")
    config = stage_config("sir", records, args.shrink)
    config.init_from = str(warmup)
    if args.sir_off:
        config.sir.weight = 0.0
    train(config, sir)
    clock.lap("train without SIR" if args.sir_off else "train SIR")
    results = {
        name: evaluate_records(load_run(run), records["benchmark"])
        for name, run in (("warm-up", warmup), (sir.name, sir))
    }
    clock.lap("measure")
    faces = reconstruct(photo, str(sir), args.out / "reconstruction")
    clock.lap("reconstruct the photo")

    table = closing_table(results["warm-up"], results[sir.name], sir=not args.sir_off)
    figures = {name: result.metrics() for name, result in results.items()}
    outcome = Outcome(results[sir.name].protocol, [table], settings={"figures": figures})
    save_outcome(outcome, sir, {"seconds": clock.laps, "provenance": public_facts()})
    print(f"\n{as_text(table)}\n")
    print(clock.summary())
    print(f"\nEverything took {(time.perf_counter() - start) / 60:.1f} min. Look at:")
    print_paths([*faces, *sorted((sir / "images").glob("*.png"))[-1:], sir / RESULTS])
    print(f"  tensorboard --logdir {args.out}")
    return 0


class Clock:
    """How long each part took."""

    def __init__(self):
        self.laps: dict[str, float] = {}  # seconds
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = now - self._since
        self._since = now

    @property
    def last(self) -> float:
        """Seconds of the part that ended last."""
        return list(self.laps.values())[-1]

    def summary(self) -> str:
        return "Time: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.laps.items())


def reconstruct(photo: Path, weights: str, out: Path) -> list[Path]:
    """Reconstructs the photo as a user would; returns the pictures.

    Raises:
      SystemExit: if that fails.
    """
    if sirjax(["reconstruct", str(photo), "--checkpoint", weights, "--out", str(out)]):
        raise SystemExit(1)
    return sorted([*out.rglob("*_sheet.png"), *out.rglob("overlay.jpg")])


def print_paths(paths: list[Path]) -> None:
    """One path a line."""
    for path in paths:
        print(f"  {path}")


def render_sets(root: Path, shrink: float) -> dict[str, Path]:
    """Renders the sets that are not there yet, as a user would."""
    command = ["prepare", "synthetic", "--out", str(root)]
    for option, value in SIZES.items():
        command += [option, str(max(24, round(value / shrink)) if option != "--images-per-identity" else value)]
    if sirjax(command):
        raise SystemExit(1)
    return {kind: root / kind for kind in ("landmark", "identity", "benchmark")}


def stage_config(stage: str, records: dict[str, Path], shrink: float) -> Any:
    config = settings.get_config(stage)
    config.data.landmark = str(records["landmark"])
    if stage == "sir":
        config.data.identity = str(records["identity"])
    config.schedule.steps = max(4, round(config.schedule.steps / shrink))
    return config


def save_portrait(path: Path) -> Path:
    """Eileen Collins, NASA: in the public domain, shipped with scikit-image."""
    from skimage import data

    path.parent.mkdir(parents=True, exist_ok=True)  # OpenCV says nothing where there is no folder
    cv2.imwrite(str(path), cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2BGR))
    return path
