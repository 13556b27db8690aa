import jax
import numpy as np
import pytest

from sirjax.data import device
from sirjax.data.device import DeviceBatches
from sirjax.types import Batch


class Counted:
    """An endless stream that notes how many batches were taken from it."""

    def __init__(self, size=8):
        self.size, self.taken, self.closed = size, 0, False

    def __next__(self):
        rng = np.random.default_rng(self.taken)
        self.taken += 1
        return Batch(
            image=rng.integers(0, 256, (self.size, 112, 96, 3), dtype=np.uint8),
            landmarks=rng.normal(size=(self.size, 68, 2)).astype(np.float32),
            has_landmarks=rng.random(self.size) < 0.5,
            identity=np.arange(self.size, dtype=np.int32),
        )

    def close(self):
        self.closed = True


@pytest.mark.parametrize("on_device", [True, False])
@pytest.mark.parametrize("num_devices", [1, 4])
def test_batches_arrive_in_order_with_pixels_as_numpy_would_scale_them(num_devices, on_device):
    devices = jax.local_devices()[:num_devices]
    sent, expected = DeviceBatches(Counted(), devices, scale_on_device=on_device), Counted()
    for _ in range(3):
        got, wanted = next(sent), next(expected)
        np.testing.assert_array_equal(got.image, wanted.image * np.float32(1 / 255))
        assert got.image.dtype == np.float32
        for field in ("landmarks", "has_landmarks", "identity"):
            np.testing.assert_array_equal(getattr(got, field), getattr(wanted, field))


def test_every_device_holds_its_share_of_rows():
    devices = jax.local_devices()[:4]
    batch = next(DeviceBatches(Counted(), devices))
    for field in ("image", "identity"):
        shards = {shard.device: shard.index[0] for shard in getattr(batch, field).addressable_shards}
        assert [shards[device] for device in devices] == [slice(2 * i, 2 * i + 2, None) for i in range(4)]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_batches_are_sent_before_they_are_asked_for(ahead):
    stream = Counted()
    batches = DeviceBatches(stream, jax.local_devices()[:1], ahead=ahead)
    assert stream.taken == 0
    for step in range(3):
        next(batches)
        assert stream.taken == step + 1 + ahead


def test_closing_closes_the_stream():
    stream = Counted()
    DeviceBatches(stream, jax.local_devices()).close()
    assert stream.closed


def test_a_batch_that_devices_cannot_share_is_refused():
    with pytest.raises(ValueError, match="a batch of 6 cannot be split evenly over 4 devices; set data.batch_size"):
        next(DeviceBatches(Counted(6), jax.local_devices()[:4]))


def test_pixels_scaled_on_the_host_are_handed_to_the_cpu_without_a_copy():
    for size in (1, 7, 8):  # memory that begins anywhere else than at 64 bytes is copied
        pixels = device._scaled_on_host(next(Counted(size)).image)
        array = jax.device_put(pixels, jax.devices("cpu")[0])
        assert array.unsafe_buffer_pointer() == pixels.ctypes.data
