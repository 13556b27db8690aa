"""Batches on the devices, one step ahead: while the device computes, the next batch is already on its way.

Pixels travel as uint8, a quarter of the bytes, and become floats in [0, 1] on the device; the result is NumPy's to the
last bit. Where the device is the host's own processor there is nothing to gain, and NumPy scales them.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sirjax.types import Batch

_SAMPLES = "samples"  # the axis that is split over the devices
_PER_LEVEL = np.float32(1 / 255)
_ALIGNMENT = 64  # bytes; JAX on the CPU copies arrays that begin elsewhere and takes over those that begin here


class DeviceBatches(Iterator[Batch]):
    """The batches of a stream as arrays on the devices, each device holding its equal, contiguous share of rows."""

    def __init__(self, stream: Any, devices: Sequence[Any], *, ahead: int = 1, scale_on_device: bool | None = None):
        """Takes over a stream, closing included.

        Args:
          stream: an iterator of batches with uint8 images, such as `pipeline.batches`.
          devices: of this host; they must divide the batch evenly.
          ahead: batches sent before they are asked for.
          scale_on_device: where uint8 becomes float; by default on the devices unless they are CPUs.
        """
        self._stream = stream
        self._num_devices = len(devices)
        self._split = NamedSharding(Mesh(np.array(devices), (_SAMPLES,)), PartitionSpec(_SAMPLES))
        self._scale_on_device = devices[0].platform != "cpu" if scale_on_device is None else scale_on_device
        self._scaled = jax.jit(_scaled, out_shardings=self._split)
        self._ahead = ahead
        self._sent: deque[Batch] = deque()

    def __next__(self) -> Batch:
        while len(self._sent) <= self._ahead:
            self._sent.append(self._send(next(self._stream)))
        return self._sent.popleft()

    def close(self) -> None:
        """Closes the stream."""
        self._sent.clear()
        self._stream.close()

    def _send(self, batch: Batch) -> Batch:
        size = len(batch.image)
        if size % self._num_devices:
            raise ValueError(
                f"a batch of {size} cannot be split evenly over {self._num_devices} devices; "
                f"set data.batch_size to a multiple of {self._num_devices}"
            )
        if not self._scale_on_device:
            return jax.device_put(batch.replace(image=_scaled_on_host(np.asarray(batch.image))), self._split)
        sent = jax.device_put(batch, self._split)
        return sent.replace(image=self._scaled(sent.image))


def _scaled(image: jax.Array) -> jax.Array:
    return image.astype(jnp.float32) * _PER_LEVEL


def _scaled_on_host(image: np.ndarray) -> np.ndarray:
    size = image.size * _PER_LEVEL.itemsize
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return np.multiply(image, _PER_LEVEL, out=memory[begin : begin + size].view(np.float32).reshape(image.shape))
