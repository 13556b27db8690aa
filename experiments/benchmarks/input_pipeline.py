"""Does training ever wait for its images?

    python -m experiments.benchmarks.input_pipeline --identity RECORDS --landmark RECORDS

Reads the same prepared records, shuffled, with sirjax's input pipeline, and with torch.utils.data and tf.data where
these packages are installed (sirjax needs neither). Everybody decodes the same JPEG crops, without augmentation, to
batches of float32 images in [0, 1] with landmarks and identity; sirjax's are counted when they lie on the device. The
loaders take turns, several rounds, so that other work on the machine meets all of them. Then measures what a train step
consumes.

Prints images per second (median, lowest and highest round) and processor microseconds per image, over all processes.
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import jax
import numpy as np

from configs import default
from experiments.benchmarks.train_step import random_batch, time_step
from sirjax.constants import IMAGE_SIZE, NUM_LANDMARKS
from sirjax.data import pipeline
from sirjax.data.device import DeviceBatches
from sirjax.data.images import decode_image
from sirjax.data.records import messages
from sirjax.data.sources import Sources, open_sources
from sirjax.memory import keep_freed_memory
from sirjax.morphable.builtin import builtin_face_model
from sirjax.networks.model import make_networks
from sirjax.training import setup
from sirjax.training.optimizer import make_optimizer, make_schedule
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step

WARMUP_BATCHES = 12  # more than any loader keeps ready


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--identity", default="", help="records with identities; several: a,b")
    parser.add_argument("--landmark", default="", help="records with landmarks; several: a,b")
    parser.add_argument("--batch", type=int, default=80)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="worker processes of each loader")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each loader in each round")
    parser.add_argument("--only", nargs="*", help="loaders of these names, as printed, instead of all")
    parser.add_argument("--preset", default="sphere20", help="network of the train step")
    parser.add_argument("--step-batch", type=int, default=8, help="batch of the train step; 0: do not measure it")
    args = parser.parse_args()

    keep_freed_memory()  # as `sirjax train` does
    sources = open_sources(identity=args.identity, landmark=args.landmark)
    with tempfile.TemporaryDirectory() as folder:
        loaders = make_loaders(sources, args.batch, args.workers, Path(folder))
        loaders = {name: start for name, start in loaders.items() if not args.only or name in args.only}
        results: dict[str, list[Rate]] = {name: [] for name in loaders}
        for _ in range(args.rounds):
            for name, start in loaders.items():
                results[name].append(measure(start, args.batch, args.seconds))
    print(f"batches of {args.batch}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(f"{'':34s} {'images/s':>9s} {'(rounds)':>16s} {'CPU us/image':>13s}")
    for name, rates in results.items():
        speed = [rate.images_per_second for rate in rates]
        cpu = statistics.median(rate.cpu_seconds_per_image for rate in rates)
        low_high = f"({min(speed):.0f} - {max(speed):.0f})"
        print(f"{name:34s} {statistics.median(speed):9.0f} {low_high:>16s} {1e6 * cpu:13.0f}")
    if args.step_batch:
        consumed = args.step_batch / train_step_seconds(args.preset, args.step_batch)
        print(f"{f'{args.preset} train step consumes':34s} {consumed:9.1f}")


@dataclasses.dataclass(frozen=True)
class Rate:
    """How fast one loader was in one round."""

    images_per_second: float
    cpu_seconds_per_image: float


def measure(start: Callable[[], contextlib.AbstractContextManager[Iterator]], batch: int, seconds: float) -> Rate:
    """Takes batches for so many seconds; starting up and the first batches do not count."""
    with start() as stream:
        for _ in range(WARMUP_BATCHES):
            next(stream)
        count, cpu, begin = 0, cpu_seconds(), time.perf_counter()
        while time.perf_counter() - begin < seconds:
            next(stream)
            count += batch
        return Rate(count / (time.perf_counter() - begin), (cpu_seconds() - cpu) / count)


def cpu_seconds() -> float:
    """Processor time of this process and of those it started that still run (Linux)."""
    total, ticks = 0.0, os.sysconf("SC_CLK_TCK")
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() or int(stat.parent.name) == os.getpid():
                total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def make_loaders(sources: Sources, batch: int, workers: int, folder: Path) -> dict[str, Callable]:
    loaders = {
        "sirjax, threads": lambda: sirjax_batches(sources, batch),
        f"sirjax, {workers} processes": lambda: sirjax_batches(sources, batch, num_workers=workers),
        "sirjax, threads, cached": lambda: sirjax_batches(sources, batch, cache_bytes=1 << 30, passes=2),
    }
    if importlib.util.find_spec("torch"):
        loaders["torch.utils.data, this process"] = lambda: torch_batches(sources, batch, 0)
        loaders[f"torch.utils.data, {workers} processes"] = lambda: torch_batches(sources, batch, workers)
    if importlib.util.find_spec("tensorflow"):
        path = write_tfrecords(sources, folder / "samples.tfrecord")
        loaders["tf.data, threads"] = lambda: tensorflow_batches(path, batch)
    return loaders


@contextlib.contextmanager
def sirjax_batches(
    sources: Sources, batch: int, *, num_workers: int = 0, cache_bytes: int = 0, passes: int = 0
) -> Iterator[Iterator]:
    """As training reads them; `passes` through all samples first fill the cache."""
    stream = pipeline.batches(
        sources,
        batch_size=batch,
        seed=0,
        shares="proportional",
        cache_bytes=cache_bytes,
        num_workers=num_workers,
    )
    with contextlib.closing(DeviceBatches(stream, jax.local_devices()[:1])) as on_device:
        samples = sum(len(kind) for kind in (sources.identity, sources.landmark) if kind is not None)
        for _ in range(passes * samples // batch):
            next(on_device)
        yield (jax.block_until_ready(taken) for taken in on_device)


class TorchSamples:
    """The samples as a map-style data set of torch."""

    def __init__(self, sources: Sources):
        self._kinds = [kind for kind in (sources.identity, sources.landmark) if kind is not None]

    def __len__(self) -> int:
        return sum(map(len, self._kinds))

    def __getitem__(self, index: int) -> dict[str, np.ndarray | int]:
        kind = self._kinds[0] if index < len(self._kinds[0]) else self._kinds[1]
        sample = kind[index if kind is self._kinds[0] else index - len(self._kinds[0])]
        landmarks = np.zeros((NUM_LANDMARKS, 2), np.float32) if sample.landmarks is None else sample.landmarks
        image = decode_image(sample.image) * np.float32(1 / 255)
        return {"image": image, "landmarks": landmarks, "identity": sample.identity_class}


@contextlib.contextmanager
def torch_batches(sources: Sources, batch: int, workers: int) -> Iterator[Iterator]:
    from torch.utils.data import DataLoader

    options = {"num_workers": workers, "worker_init_fn": _one_opencv_thread}
    if workers:  # fork would copy a process in which JAX has threads
        options |= {"multiprocessing_context": "spawn", "prefetch_factor": 2, "persistent_workers": True}
    loader = DataLoader(TorchSamples(sources), batch_size=batch, shuffle=True, drop_last=True, **options)
    yield endless(loader)
    if workers:
        with contextlib.suppress(RuntimeError):  # a worker that ends while record files are open counts as crashed
            loader._iterator._shutdown_workers()


def _one_opencv_thread(worker: int) -> None:
    del worker
    cv2.setNumThreads(1)


def endless(loader) -> Iterator:
    while True:
        yield from loader


def write_tfrecords(sources: Sources, path: Path) -> Path:
    """The stored messages as they are, in the container tf.data reads."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as writer:
        for kind in (sources.identity, sources.landmark):
            for folder in [] if kind is None else getattr(kind, "parts", [kind]):
                for message in messages(folder):
                    writer.write(message)
    return path


@contextlib.contextmanager
def tensorflow_batches(path: Path, batch: int) -> Iterator[Iterator]:
    import tensorflow as tf

    fields = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "landmarks": tf.io.FixedLenFeature([NUM_LANDMARKS, 2], tf.float32, np.zeros((NUM_LANDMARKS, 2), np.float32)),
        "identity": tf.io.FixedLenFeature([], tf.string, ""),
    }

    def decode(message):
        sample = tf.io.parse_single_example(message, fields)
        # By default tensorflow decodes faster and less exactly than everybody else here.
        image = tf.io.decode_jpeg(sample["image"], channels=3, dct_method="INTEGER_ACCURATE")
        image = tf.ensure_shape(image, (*IMAGE_SIZE, 3))
        return {**sample, "image": tf.cast(image, tf.float32) * (1 / 255)}

    samples = tf.data.TFRecordDataset(str(path)).repeat().shuffle(2048, seed=0)
    samples = samples.map(decode, num_parallel_calls=tf.data.AUTOTUNE).batch(batch, drop_remainder=True)
    yield iter(samples.prefetch(tf.data.AUTOTUNE))


def train_step_seconds(preset: str, batch: int) -> float:
    """One step of the whole system on the built-in face model, without the perceptual loss (needs weights)."""
    config = default.get_config()
    config.losses.perceptual = 0.0
    model = builtin_face_model()
    networks = make_networks(preset, num_shape=model.num_shape, num_expression=model.num_expression, uv_size=256)
    optimizer = make_optimizer(make_schedule("constant", learning_rate=1e-3, total_steps=1))
    step = make_train_step(networks, optimizer, setup.make_method(config, model))
    state = initial_state(networks, optimizer, num_identities=1000, num_shape=model.num_shape, seed=0)
    return time_step(
        jax.jit(step, donate_argnums=0), state, random_batch(batch), setup.make_frozen(config, model), repeats=3
    )


if __name__ == "__main__":
    main()
