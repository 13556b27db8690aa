"""A run that is killed again and again: `python -m tests.training.lives SETTINGS RUN KILLS`.

Every life is a process of its own, forked off one that has imported everything but not started JAX, which is most of
a start's time; networks of two layers are most of the rest. Losses, data, loop and checkpoints are the real ones.
The last life is left alone. Prints as JSON what the killed ones did, and how often the newest complete checkpoint had
no list of its files yet.
"""

import contextlib
import gc
import json
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import flax.linen as nn
import jax.numpy as jnp
from ml_collections import ConfigDict

from sirjax.training import loop
from sirjax.training.checkpoint import load_config
from sirjax.training.intact import SUMS
from sirjax.types import NetworkOutput

STARTING, SAVING = 0.2, 0.4  # shares of kills before a life's first save, and during it; the others come later
SECONDS, SAVES = 0.12, 3  # after which those come, at the latest


class TwoLayers(nn.Module):
    """What the losses without drawing read, from every sixteenth pixel."""

    num_shape: int
    num_expression: int

    @nn.compact
    def __call__(self, image, drawn=None):
        x = nn.relu(nn.Dense(16)(image[:, ::16, ::16].reshape(len(image), -1)))
        outputs = nn.Dense(self.num_shape + self.num_expression + 7, kernel_init=nn.initializers.normal(0.01))(x)
        shape, expression, camera = jnp.split(outputs, [self.num_shape, self.num_shape + self.num_expression], axis=1)
        nothing = jnp.zeros((len(image[:drawn]), 1))
        return NetworkOutput(
            shape=shape,
            expression=expression,
            camera=camera,
            light=jnp.zeros((len(image), 9, 3)),
            albedo_code=nothing,
            albedo_residual=nothing,
            pixel_confidence=nothing,
            feature_confidence=nothing,
        )


def begin(config: ConfigDict, run: Path) -> int:
    """Starts training in a new process; returns its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        loop.train(config, run, progress=False)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def complete(run: Path) -> list[int]:
    """Steps of the checkpoints that count."""
    return sorted(int(path.name) for path in (run / "checkpoints").glob("*") if path.name.isdigit())


def unfinished(run: Path, since: float) -> bool:
    """Whether there is a checkpoint under way, begun or touched `since` then: a life before may have left one."""
    for path in (run / "checkpoints").glob("*tmp*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ctime > since:
                return True
    return False


def end_at_random(run: Path, config: ConfigDict, chance: random.Random, usual_start: float) -> tuple[str, float]:
    """Begins a life and kills it. What it did then: starting, saving or going on; seconds to its first save."""
    before, clock, began = complete(run)[-1:], time.time(), time.monotonic()
    pid = begin(config, run)
    draw = chance.random()
    if draw < STARTING:
        wait(lambda: unfinished(run, clock), chance.random() * usual_start)
    elif draw < STARTING + SAVING:
        wait(lambda: unfinished(run, clock), 300)
        time.sleep(chance.random() * 0.02)
    else:
        wait(lambda: complete(run)[-1:] != before, 300)
    seconds = time.monotonic() - began
    if draw >= STARTING + SAVING:
        wait(lambda: complete(run)[-1:] >= [sum(before) + SAVES], chance.random() * SECONDS)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "a life ended before it was killed"
    doing = "saving" if unfinished(run, clock) else "starting" if draw < STARTING else "going on"
    return doing, seconds if draw >= STARTING else usual_start


def wait(is_over, seconds: float) -> None:
    """Returns when something is over, or after some seconds."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and not is_over():
        time.sleep(0.003)


def main(settings: Path, run: Path, kills: int) -> dict[str, int]:
    """Kills `kills` lives of a run and lets it end."""
    config = ConfigDict(load_config(settings))
    loop.make_networks_for = lambda _, face_model, **__: TwoLayers(face_model.num_shape, face_model.num_expression)
    loop.require_working = lambda backend: None  # nothing is drawn
    gc.freeze()  # what is imported stays, and need not be looked through in every life
    chance = random.Random(20)
    seen = {"starting": 0, "saving": 0, "going on": 0, "without list": 0}
    usual_start = 5.0
    for _ in range(kills):
        before = complete(run)[-1:]
        doing, usual_start = end_at_random(run, config, chance, usual_start)
        assert complete(run)[-1:] >= before, "a complete checkpoint was lost"
        seen[doing] += 1
        newest = [run / "checkpoints" / str(step) for step in complete(run)[-1:]]
        seen["without list"] += any(not (path / SUMS).exists() for path in newest)
    config.run.checkpoint_every = config.schedule.steps
    _, status = os.waitpid(begin(config, run), 0)
    assert status == 0, "the last life failed"
    return seen


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
