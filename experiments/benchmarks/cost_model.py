"""What one training step should cost on devices that are not at hand: a model, not a measurement.

    compute   = images per device * FLOPs per image / (peak * utilization)
    exchange  = time of a ring all-reduce of the gradients and of what the identity tables send
    step      = compute + exchange                          one after the other
    step      = compute + max(exchange - backward, 0)       gradients sent while others are computed; backward =
                                                            2/3 compute

FLOPs are the compiler's own account of the program, peaks and bandwidths the vendors' figures; the utilization, which
also stands for waiting on memory, the share of the bandwidth and the latencies are assumptions (`Assumptions`).
"""

import dataclasses
import math

from experiments.benchmarks.collectives import Collective, bytes_on_the_wire

BACKWARD = 2 / 3  # of a step's compute: each convolution is computed once forward and twice backward
BYTES = 4  # gradients, tables and codes are float32 whatever the networks compute in


@dataclasses.dataclass(frozen=True)
class Device:
    """Vendor figures of one device and of what connects it; bandwidths are of one direction.

    Attributes:
      name, source: what it is called and where the figures are from.
      peak: FLOP/s of dense products by the networks' compute type.
      link: bytes per second it can send inside a group.
      group: devices connected by `link`.
      outside: bytes per second it can send to devices of other groups.
    """

    name: str
    source: str
    peak: dict[str, float]
    link: float
    group: int
    outside: float


# float32: JAX's default precision of products is TF32 on these GPUs and one pass of bfloat16 on TPU.
# TPU: rings along one axis of the torus only, two of the four (v5e) or six links; the vendor gives the sum of both
# directions of all. A v4 or v5p chip, not a core, is the device.
DEVICES = {
    device.name: device
    for device in (
        Device(
            "A100 SXM 80 GB",
            "NVIDIA A100 datasheet; DGX A100: NVLink 600 GB/s both ways, a 200 Gb/s InfiniBand port per GPU",
            {"float32": 156e12, "bfloat16": 312e12},
            300e9,
            8,
            25e9,
        ),
        Device(
            "H100 SXM",
            "NVIDIA H100 datasheet, dense; DGX H100: NVLink 900 GB/s both ways, a 400 Gb/s InfiniBand port per GPU",
            {"float32": 494.7e12, "bfloat16": 989.4e12},
            450e9,
            8,
            50e9,
        ),
        Device(
            "TPU v4",
            "Google Cloud TPU documentation: all-reduce bandwidth of a pod of 4,096 chips 1.1 PB/s",
            {"float32": 275e12, "bfloat16": 275e12},
            1.1e15 / 4096 / 3,
            4096,
            0.0,
        ),
        Device(
            "TPU v5e",
            "Google Cloud TPU documentation: interconnect 400 GB/s both ways on 4 ports",
            {"float32": 197e12, "bfloat16": 197e12},
            200e9 / 2,
            256,
            0.0,
        ),
        Device(
            "TPU v5p",
            "Google Cloud TPU documentation: interconnect 1,200 GB/s both ways, 3D torus",
            {"float32": 459e12, "bfloat16": 459e12},
            600e9 / 3,
            8960,
            0.0,
        ),
    )
}


@dataclasses.dataclass(frozen=True)
class Assumptions:
    """What no vendor publishes and nobody has measured here.

    Attributes:
      utilization: share of the peak that the networks' convolutions reach.
      bandwidth: share of the links' bandwidth that is reached.
      latency: seconds from one device to the next inside a group.
      latency_outside: the same between groups.
    """

    utilization: float = 0.3
    bandwidth: float = 0.7
    latency: float = 2e-6
    latency_outside: float = 10e-6

    def __post_init__(self):
        for name in ("utilization", "bandwidth"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in (0, 1], got {getattr(self, name)}")


@dataclasses.dataclass(frozen=True)
class Work:
    """One step's work.

    Attributes:
      flops: of one image, forward and backward.
      parameters: of the networks, copied on every device.
      num_identities, num_shape: C and S of the tables.
      sharded: whether the tables are.
    """

    flops: float
    parameters: int
    num_identities: int
    num_shape: int
    sharded: bool


def collectives_of_step(work: Work, images: int, num_devices: int) -> list[Collective]:
    """What a step sends, by the equations of the step; scalars and the KL term's few S numbers are left out.

    Replicated: gradients of networks and class weights, and Eq. 20's sums and counts, are all-reduced. Sharded: the
    gradients of the networks are; all N samples' codes are gathered for the losses (their gradients come back by a
    reduce-scatter) and, with identities and confidence, for the centers; the largest logit, the sum, the target's logit
    and the center loss of each sample are all-reduced, and the gradients of the last three.

    Args:
      work: parameters and tables.
      images: N, over all devices.
      num_devices: D; one sends nothing.
    """
    if num_devices == 1:
        return []

    def move(kind: str, *sizes: int) -> Collective:
        return Collective(kind, BYTES * sum(sizes), len(sizes), overlaps=False)

    table, codes = work.num_identities * work.num_shape, images * work.num_shape
    if not work.num_identities:
        return [move("all-reduce", work.parameters)]
    if not work.sharded:
        return [move("all-reduce", work.parameters, table), move("all-reduce", table, work.num_identities)]
    return [
        move("all-reduce", work.parameters),
        move("all-gather", codes, images),
        move("reduce-scatter", codes),
        move("all-reduce", *[images] * 4),
        move("all-reduce", *[images] * 3),
        move("all-gather", codes, images),
    ]


def exchange_seconds(collective: Collective, num_devices: int, device: Device, assumed: Assumptions) -> float:
    """Time of one collective: rings inside groups, and, between groups, rings of devices of equal place.

    An all-reduce over several groups is a reduce-scatter inside, an all-reduce of each device's share outside and an
    all-gather inside; a gathering or scattering sends everything of the other groups through the outside link.

    Raises:
      ValueError: if the devices are several groups without a connection, or groups that are not full.
    """
    inside = min(num_devices, device.group)
    groups, rest = divmod(num_devices, inside)
    if rest:
        raise ValueError(f"{num_devices} devices are not whole groups of {device.group}")
    if groups > 1 and not device.outside:
        raise ValueError(f"{num_devices} x {device.name}: at most {device.group} are connected")
    passes = 2 if collective.kind == "all-reduce" else 1
    seconds = bytes_on_the_wire(collective, inside) / (device.link * assumed.bandwidth)
    seconds += passes * (inside - 1) * assumed.latency
    if groups > 1:
        sent = bytes_on_the_wire(dataclasses.replace(collective, payload=collective.payload // inside), groups)
        seconds += sent / (device.outside * assumed.bandwidth) + passes * (groups - 1) * assumed.latency_outside
    return seconds


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A step of D devices, in seconds."""

    num_devices: int
    images: int  # over all devices
    compute: float
    exchange: float

    @property
    def in_turn(self) -> float:
        """Exchange after compute."""
        return self.compute + self.exchange

    @property
    def overlapped(self) -> float:
        """Exchange during the backward pass, as far as it fits."""
        return self.compute + max(self.exchange - BACKWARD * self.compute, 0.0)

    @property
    def efficiency_in_turn(self) -> float:
        """Images per second and device, relative to one device, which exchanges nothing."""
        return self.compute / self.in_turn

    @property
    def efficiency_overlapped(self) -> float:
        """The same with the exchange during the backward pass."""
        return self.compute / self.overlapped


def predict(
    work: Work, device: Device, dtype: str, *, per_device: int, num_devices: int, assumed: Assumptions
) -> Prediction:
    """The step of `num_devices` devices with `per_device` images each.

    Raises:
      ValueError: if the devices cannot be connected so.
    """
    compute = work.flops / (device.peak[dtype] * assumed.utilization)
    images = per_device * num_devices
    moved = collectives_of_step(work, images, num_devices)
    exchange = math.fsum(exchange_seconds(one, num_devices, device, assumed) for one in moved)
    return Prediction(num_devices, images, per_device * compute, exchange)
