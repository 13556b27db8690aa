"""Batches for training, decoded ahead in the background; the batch of step t depends on (seed, t) only.

`TrainingBatches` is a random-access sequence: element t is the batch of step t, so a resumed run just starts further
on and no iterator state is ever stored. grain supplies what surrounds it: threads or processes that work ahead, results
in order, errors that reach the caller. Pixels stay uint8 until they are on the device (`sirjax.data.device`): a quarter
of the bytes to pass between processes and to move.

Threads of the training process (num_workers=0) share the cache of decoded crops, start at once and need no memory of
their own: reading, decoding, warping and filtering all leave Python's lock to others. Worker processes are for hosts
with many cores, where the part of the work that holds the lock limits all threads together.
"""

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from sirjax.constants import IMAGE_SIZE, NO_IDENTITY, NUM_LANDMARKS
from sirjax.data import augment, images, workers
from sirjax.data.mixture import Mixture
from sirjax.data.sample import load_format
from sirjax.data.sources import Sources
from sirjax.types import Batch

__all__ = ["BatchStream", "Sources", "TrainingBatches", "batches"]

CACHE_BYTES = 1 << 30
MAX_THREADS = 8  # more of them only wait for Python's lock
_ENDLESS = 2**62

Labels = tuple[np.ndarray | None, int]  # landmarks [68, 2] if there are any, identity class


class TrainingBatches(Sequence[Batch]):
    """Element t is the batch of step t (or this host's slice of it), as NumPy arrays; the image is uint8."""

    def __init__(
        self,
        sources: Sources,
        *,
        batch_size: int,
        seed: int,
        shares: str | float = "balanced",
        images_per_identity: int = 1,
        augmentation: augment.Augmentation | None = None,
        cache_bytes: int = CACHE_BYTES,
        process_index: int = 0,
        process_count: int = 1,
    ):
        """See `batches`."""
        self.mixture = Mixture(
            np.empty(0, np.int32) if sources.identity is None else sources.identity.identity_class,
            0 if sources.landmark is None else len(sources.landmark),
            seed=seed,
            shares=shares,
            images_per_identity=images_per_identity,
            identity_parts=sources.identity_parts,
            landmark_parts=sources.landmark_parts,
        )
        self.mixture.batch(0, batch_size, part=process_index, parts=process_count)  # refuses what cannot be divided
        self._sources = sources
        self._batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation if augmentation is not None and augmentation.enabled else None
        self._part, self._parts = process_index, process_count
        self._identity_cache = _CropCache(sources.identity, cache_bytes)
        self._landmark_cache = _CropCache(sources.landmark, cache_bytes - self._identity_cache.bytes)
        self._options = {
            "batch_size": batch_size,
            "seed": seed,
            "shares": shares,
            "images_per_identity": images_per_identity,
            "augmentation": augmentation,
            "process_index": process_index,
            "process_count": process_count,
        }

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, step: int) -> Batch:
        plan = self.mixture.batch(int(step), self._batch_size, part=self._part, parts=self._parts)
        size = len(plan.draw)
        arrays: dict[str, Any] = {
            "image": np.empty((size, *IMAGE_SIZE, 3), np.uint8),
            "landmarks": np.zeros((size, NUM_LANDMARKS, 2), np.float32),
            "has_landmarks": np.zeros(size, bool),
            "identity": np.full(size, NO_IDENTITY, np.int32),
        }
        if self._sources.teacher_size:
            arrays["teacher"] = np.zeros((size, self._sources.teacher_size), np.float32)
        for cache, chosen in ((self._identity_cache, plan.from_identity), (self._landmark_cache, ~plan.from_identity)):
            rows = np.flatnonzero(chosen).tolist()
            seen = self._sources.identity_teacher if cache is self._identity_cache else self._sources.landmark_teacher
            if seen is not None:
                arrays["teacher"][rows] = seen[plan.index[rows]]
            crops = [arrays["image"][row] for row in rows]
            for row, (landmarks, identity) in zip(rows, cache.load(plan.index[rows], crops), strict=True):
                if self._augmentation is not None:
                    random = np.random.Generator(np.random.Philox(key=(self._seed % 2**64, int(plan.draw[row]))))
                    image, landmarks = augment.augment(arrays["image"][row], landmarks, self._augmentation, random)
                    arrays["image"][row] = image
                if landmarks is not None:
                    arrays["landmarks"][row] = landmarks
                    arrays["has_landmarks"][row] = True
                if cache is self._identity_cache:  # a landmark set's own people are not the classes of the tables
                    arrays["identity"][row] = identity
        return Batch(**arrays)

    def __reduce__(self):
        # For worker processes: they open the records anew. No cache, each of them would hold all crops.
        return _without_cache, (self._sources, self._options)


def _without_cache(sources: Sources, options: dict[str, Any]) -> TrainingBatches:
    return TrainingBatches(sources, cache_bytes=0, **options)


class BatchStream(Iterator[Batch]):
    """The batches of consecutive steps. `close` ends its threads or processes."""

    def __init__(self, source: TrainingBatches, *, start_step: int, prefetch: int, threads: int, num_workers: int):
        """See `batches`."""
        import grain

        self._step = start_step
        self._closed = False
        self._shared = num_workers > 0
        self._starting = workers.starting if num_workers else contextlib.nullcontext
        steps = grain.MapDataset.range(start_step, _ENDLESS).map(source.__getitem__)
        if num_workers == 0:
            load_format()
            options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=max(prefetch, threads))
            self._batches = iter(steps.to_iter_dataset(options))
        else:
            one_thread = steps.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
            options = grain.MultiprocessingOptions(
                num_workers, per_worker_buffer_size=math.ceil(prefetch / num_workers)
            )
            self._batches = iter(one_thread.mp_prefetch(options, worker_init_fn=workers.prepare_worker))

    def __next__(self) -> Batch:
        if self._closed:
            raise ValueError("this stream of batches has been closed")
        try:
            with self._starting():  # the processes start when the first batch is asked for
                batch = next(self._batches)
        except RuntimeError as error:
            raise workers.explained(error, self._step) from error
        self._starting = contextlib.nullcontext
        self._step += 1
        if self._shared:
            # JAX on the CPU takes over arrays as they are: its last labels would hold shared memory to the very end.
            labels = {name: getattr(batch, name) for name in ("landmarks", "has_landmarks", "identity", "teacher")}
            batch = batch.replace(**{name: np.array(own) for name, own in labels.items() if own is not None})
        return batch

    def close(self) -> None:
        """Ends what works in the background; may be called twice."""
        if not self._closed:
            self._closed = True
            self._batches.close()


def batches(
    sources: Sources,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    shares: str | float = "balanced",
    images_per_identity: int = 1,
    augmentation: augment.Augmentation | None = None,
    prefetch: int = 2,
    num_workers: int = 0,
    threads: int | None = None,
    cache_bytes: int = CACHE_BYTES,
    process_index: int = 0,
    process_count: int = 1,
) -> BatchStream:
    """An endless iterator of training batches, worked out in the background. Close it with `.close()`.

    Args:
      sources: the opened records.
      batch_size: samples per step over all hosts.
      seed: of the shuffles and the augmentation.
      start_step: step of the first batch: continuing from a checkpoint gives the batches an uninterrupted run gets.
      shares: share of identity samples: "balanced", "paper_literal", "proportional" or a number (`mixture`).
      images_per_identity: K photos of a person kept together (`mixture`); 1 is a plain shuffle.
      augmentation: what to change at random; None changes nothing, as in the paper.
      prefetch: batches kept ready, at least one for each thread or worker.
      num_workers: processes that prepare them; 0: threads of this process. The batches are the same.
      threads: how many, without workers; by default one for each processor, at most `MAX_THREADS`.
      cache_bytes: without workers, sets whose decoded crops (32 kB each) fit are kept in memory after their first use;
        0 keeps none.
      process_index: this host among `process_count`; it loads its slice of each batch only.
      process_count: number of hosts.

    Returns:
      The stream; images are uint8 in [0, 255] (see `device.on_devices`).

    Raises:
      ValueError: if nothing can be drawn as asked. While iterating: if a sample cannot be read, with its name.
      WorkerDiedError: while iterating, if a worker process ended by itself.
    """
    threads = min(os.cpu_count() or 1, MAX_THREADS) if threads is None else threads
    if start_step < 0 or prefetch < 1 or threads < 1 or num_workers < 0:
        raise ValueError(
            "start_step and num_workers must be at least 0, prefetch and threads at least 1, "
            f"got {start_step}, {num_workers}, {prefetch}, {threads}"
        )
    source = TrainingBatches(
        sources,
        batch_size=batch_size,
        seed=seed,
        shares=shares,
        images_per_identity=images_per_identity,
        augmentation=augmentation,
        cache_bytes=cache_bytes,
        process_index=process_index,
        process_count=process_count,
    )
    return BatchStream(source, start_step=start_step, prefetch=prefetch, threads=threads, num_workers=num_workers)


class _CropCache:
    """Decodes the samples of one set and, if all of them fit in memory, keeps the crops."""

    def __init__(self, source: Any, limit: int):
        self._source = source
        count = 0 if source is None else len(source)
        needed = count * math.prod((*IMAGE_SIZE, 3))
        self.bytes = needed if needed <= limit else 0
        self._kept: list[Any] | None = [None] * count if self.bytes else None

    def load(self, indices: Int[np.ndarray, " n"], crops: Sequence[np.ndarray]) -> list[Labels]:
        """Writes the crops of these samples to `crops`, uint8 [112, 96, 3] each, and returns their labels."""
        if self._kept is None:
            return self._decode(indices.tolist(), crops)
        # Two threads may decode the same sample at once; both results are the same, the later one stays.
        missing = [index for index in indices.tolist() if self._kept[index] is None]
        decoded = [np.empty((*IMAGE_SIZE, 3), np.uint8) for _ in missing]
        for index, *kept in zip(missing, decoded, self._decode(missing, decoded), strict=True):
            self._kept[index] = kept
        found = [self._kept[index] for index in indices.tolist()]
        for crop, (image, _) in zip(crops, found, strict=True):
            crop[...] = image
        return [labels for _, labels in found]

    def _decode(self, indices: list[int], crops: Sequence[np.ndarray]) -> list[Labels]:
        if not indices:
            return []
        samples = self._source.__getitems__(indices)
        for index, sample, crop in zip(indices, samples, crops, strict=True):
            try:
                images.decode_image(sample.image, into=crop)
            except ValueError as error:
                where = f"number {index} of {self._source.path}"
                raise ValueError(f"sample {sample.name!r} ({where}) cannot be used: {error}") from None
        return [(sample.landmarks, sample.identity_class) for sample in samples]
