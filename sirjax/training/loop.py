"""The training loop. A run is resumed by starting it again: the batch of step t depends on (seed, t) only."""

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import numpy as np
from tqdm import tqdm

from sirjax.data import pipeline
from sirjax.data import sources as records_of
from sirjax.data.augment import Augmentation
from sirjax.data.device import DeviceBatches
from sirjax.data.sources import Sources
from sirjax.memory import keep_freed_memory
from sirjax.morphable.storage import fingerprint
from sirjax.render.self_test import require_working
from sirjax.training import checkpoint, hosts, licences, resume
from sirjax.training.identity_table import is_sharded, place
from sirjax.training.imprint import imprint, is_imprinted
from sirjax.training.log import MetricLog, TrainingDivergedError, require_finite, save_batch, warn_of_collapse
from sirjax.training.parallel import parallel_step, replicate, split_batch
from sirjax.training.preview import Preview
from sirjax.training.setup import (
    Settings,
    Timeline,
    make_face_model,
    make_frozen,
    make_method,
    make_networks_for,
    make_optimizer_for,
    make_schedule_for,
    make_step_for,
    with_tables,
)
from sirjax.training.state import TrainState, initial_state
from sirjax.types import Batch

COLLAPSE_AFTER = 200  # steps; every run starts at the mean face

logger = logging.getLogger("sirjax")


def train(config: Settings, workdir: Path, *, progress: bool = True) -> TrainState:
    """Trains to the end of the schedule, going on from the newest checkpoint in `workdir` if there is one.

    Args:
      config: see `configs/default.py`.
      workdir: receives config.json, licences.json, checkpoints/, metrics.jsonl, tensorboard/ and images/.
      progress: whether to draw a progress bar.

    With several hosts (`hosts.connect`) every one calls this with the same settings and a `workdir` that all see.

    Returns:
      The final state; where tables are sharded over hosts, this host's part of them.

    Raises:
      ValueError: for settings that do not fit together, or not the run already in `workdir`.
      RuntimeError: if the rendering backend does not draw, or its gradients are wrong.
      TrainingDivergedError: when a loss is not finite, or too many steps had to be skipped.
    """
    keep_freed_memory()
    require_working(config.render.backend)
    sources = open_sources(config.data, teacher=config.losses.teacher > 0)
    face_model = make_face_model(config.face_model)
    networks = make_networks_for(config.networks, face_model, remat=config.networks.remat)
    method = make_method(config, face_model)
    imprints = is_imprinted(config.sir.start)
    devices = jax.local_devices()
    if method.uses_identities and not sources.num_identities:
        raise ValueError("sir.weight is positive but data.identity names no records; name them, or set sir.weight=0")
    num_samples = sum(len(source) for source in (sources.identity, sources.landmark) if source is not None)
    timeline = Timeline.of(config.schedule, num_samples=num_samples, batch_size=config.data.batch_size)
    schedule = make_schedule_for(config.optimizer, timeline)
    num_identities = sources.num_identities if method.uses_identities else 0
    method = with_tables(method, config.sir, face_model, num_identities=num_identities, num_devices=jax.device_count())
    optimizer = make_optimizer_for(config.optimizer, schedule, method)
    resume.claim(workdir, config)
    if hosts.is_first():
        licences.record(workdir, config.to_dict())

    constants = make_frozen(config, face_model)
    frozen = replicate(constants, devices)
    state = initial_state(
        networks,
        optimizer,
        num_identities=num_identities,
        num_shape=face_model.num_shape,
        seed=config.seed,
        tables=method.tables,
        devices=devices,
        averages=config.optimizer.ema_decay > 0,
    )
    steps_of = _compiled_steps(make_step_for(config.optimizer, networks, optimizer), devices)
    model_id = fingerprint(face_model)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(
            checkpoint.CheckpointStore(
                workdir, fingerprint=model_id, keep=config.run.keep_checkpoints, num_identities=num_identities
            )
        )
        state = resume.starting_state(store, state, init_from=config.init_from, fingerprint=model_id)
        if method.uses_identities and imprints and int(state.step) == 0:
            state = imprint(state, networks, constants, method, sources.identity)
        state = place(state, devices)
        start = int(state.step)
        log = stack.enter_context(MetricLog(workdir, start_step=start)) if hosts.is_first() else None
        stop = stack.enter_context(hosts.StopRequest())
        pace = stack.enter_context(hosts.HangWatch(workdir, timeout=config.run.host_timeout))
        stream = stack.enter_context(contextlib.closing(make_batches(config, sources, start_step=start)))
        bar = stack.enter_context(
            tqdm(total=timeline.total, initial=start, desc=workdir.name, unit="step", disable=not (progress and log))
        )
        preview = Preview(networks, method, frozen) if config.run.image_every and log else None
        watch = _Watch(config, workdir, log, bar, jax.jit(schedule), num_shape=face_model.num_shape)
        for step in range(start + 1, timeline.total + 1):
            pace.reached(step, hosts.READING)
            batch = next(stream)
            pace.reached(step, hosts.COMPUTING)
            train_step = steps_of(timeline.phase(method, step - 1))
            state, metrics = train_step(state, split_batch(batch, len(devices)), frozen)
            watch.saw(step, metrics, batch)
            if preview and log and step % config.run.image_every == 0:
                log.write_image(step, "faces", preview.draw(state.networks, batch))
            leaving = stop.at(step)
            if leaving or step % config.run.checkpoint_every == 0 or step == timeline.total:
                watch.settle()  # a checkpoint is only written of steps known to be finite
                store.save(step, state)
            if leaving:
                logger.warning("stopped at step %d of %d; start the same command to go on", step, timeline.total)
                break
        watch.settle()
    return state


def open_sources(settings: Settings, *, teacher: bool = False) -> Sources:
    """Opens the records `config.data` names, with the descriptors of a teacher if asked for.

    Raises:
      ValueError: if it names none.
    """
    return records_of.open_sources(identity=settings.identity, landmark=settings.landmark, teacher=teacher)


def make_batches(config: Settings, sources: Sources, *, start_step: int) -> DeviceBatches:
    """The batches of steps start_step + 1, start_step + 2, ... (element t of the sequence is for the step after t).

    They lie on this host's devices, split along their first axis.
    """
    settings = config.data
    stream = pipeline.batches(
        sources,
        batch_size=settings.batch_size,
        seed=config.seed,
        start_step=start_step,
        shares=settings.identity_share,
        images_per_identity=settings.images_per_identity,
        augmentation=Augmentation(**settings.augmentation),
        num_workers=settings.workers,
        cache_bytes=settings.cache_megabytes << 20,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    return DeviceBatches(stream, jax.local_devices())


def _compiled_steps(make_step: Callable, devices: Sequence) -> Callable:
    """One compiled step per phase's method."""
    steps = {}

    def step_of(method):
        if method not in steps:
            steps[method] = parallel_step(make_step(method), devices, is_split=is_sharded)
        return steps[method]

    return step_of


class _Watch:
    """Looks at each step's metrics one step late, so that the device never waits for the host."""

    def __init__(self, config: Settings, workdir: Path, log: MetricLog | None, bar: tqdm, schedule, *, num_shape: int):
        self._run = config.run
        self._batch_size = config.data.batch_size
        self._workdir = workdir
        self._log = log
        self._bar = bar
        self._schedule = schedule
        self._num_shape = num_shape
        self._pending = None
        self._skipped = 0
        self._may_warn = True  # once is enough: the warning is about the run, not the step
        self._since = (time.perf_counter(), None)

    def saw(self, step: int, metrics: dict, batch: Batch) -> None:
        self.settle()
        self._pending = (step, metrics, batch)

    def settle(self) -> None:
        """Waits for the step last seen, checks it and logs it."""
        if self._pending is None:
            return
        step, metrics, batch = self._pending
        self._pending = None
        values = {name: float(value) for name, value in jax.device_get(metrics).items()}
        self._check(step, values, batch)
        self._bar.update(1)
        if self._log is None or (step % self._run.log_every and step != self._bar.total):
            return
        now = time.perf_counter()
        before, last_step = self._since
        if last_step is not None:
            values["images_per_second"] = (step - last_step) * self._batch_size / (now - before)
        self._since = (now, step)
        values["learning_rate"] = float(self._schedule(step))
        values["skipped"] = self._skipped
        self._log.write(step, values)
        if self._may_warn and step >= COLLAPSE_AFTER:
            self._may_warn = not warn_of_collapse(values["shape_norm"], self._num_shape, step)
        shown = {
            "total": "loss",
            "landmark_error_px": "landmarks px",
            "shape_norm": "|a/s|",
            "images_per_second": "img/s",
        }
        self._bar.set_postfix({label: f"{values[name]:.3g}" for name, label in shown.items() if name in values})

    def _check(self, step: int, values: dict[str, float], batch: Batch) -> None:
        if self._run.non_finite == "stop":
            require_finite(values, step=step, batch=batch, workdir=self._workdir)
        elif not all(np.isfinite(list(values.values()))):
            self._skipped += 1
            path = save_batch(self._workdir, step, batch)
            logger.warning("step %d skipped: not finite; its batch is in %s", step, path)
            if self._skipped > self._run.max_skipped:
                raise TrainingDivergedError(
                    f"step {step}: {self._skipped} steps were not finite, more than run.max_skipped="
                    f"{self._run.max_skipped}; lower optimizer.learning_rate and look at the saved batches"
                )
