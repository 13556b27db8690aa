"""The cost model: arithmetic by hand, and the bytes of a compiled step."""

import dataclasses

import jax
import pytest

from experiments.benchmarks.collectives import Collective, bytes_on_the_wire, collectives_of
from experiments.benchmarks.cost_model import (
    DEVICES,
    Assumptions,
    Device,
    Prediction,
    Work,
    collectives_of_step,
    exchange_seconds,
    predict,
)
from sirjax.training import identity_table
from sirjax.training.parallel import DEVICES as AXIS
from sirjax.training.parallel import parallel_step
from sirjax.training.state import initial_state
from sirjax.training.step import make_train_step
from tests.training import stand_ins

TOY = Device("toy", "", {"float32": 1e12}, link=1e9, group=4, outside=1e8)
IDEAL = Assumptions(utilization=1.0, bandwidth=1.0, latency=0.0, latency_outside=0.0)
GRADIENTS = Collective("all-reduce", 4000, 1, False)
WORK = Work(flops=1e9, parameters=1000, num_identities=0, num_shape=5, sharded=False)


def test_a_ring_of_four():
    # Each sends 2 * 3/4 of 4,000 bytes at 1e9 bytes/s.
    assert exchange_seconds(GRADIENTS, 4, TOY, IDEAL) == pytest.approx(6e-6)


def test_two_groups_of_four():
    # As above inside; outside 2 * 1/2 of a quarter of 4,000 bytes at 1e8 bytes/s.
    assert exchange_seconds(GRADIENTS, 8, TOY, IDEAL) == pytest.approx(6e-6 + 1000 / 1e8)


def test_latency_counts_each_hop_there_and_back():
    slow = dataclasses.replace(IDEAL, latency=1.0, latency_outside=100.0)
    nothing = Collective("all-reduce", 0, 1, False)
    assert exchange_seconds(nothing, 4, TOY, slow) == 2 * 3
    assert exchange_seconds(nothing, 8, TOY, slow) == 2 * 3 + 2 * 100
    assert exchange_seconds(dataclasses.replace(nothing, kind="all-gather"), 4, TOY, slow) == 3


def test_half_the_bandwidth_is_twice_the_time():
    half = dataclasses.replace(IDEAL, bandwidth=0.5)
    assert exchange_seconds(GRADIENTS, 8, TOY, half) == 2 * exchange_seconds(GRADIENTS, 8, TOY, IDEAL)


def test_groups_that_are_not_full_are_refused():
    with pytest.raises(ValueError, match="6 devices are not whole groups of 4"):
        exchange_seconds(GRADIENTS, 6, TOY, IDEAL)


def test_devices_without_a_connection_are_refused():
    with pytest.raises(ValueError, match="8 x toy: at most 4 are connected"):
        exchange_seconds(GRADIENTS, 8, dataclasses.replace(TOY, outside=0.0), IDEAL)


def test_more_than_the_peak_is_refused():
    with pytest.raises(ValueError, match=r"utilization must be in \(0, 1\], got 1.5"):
        Assumptions(utilization=1.5)


def test_compute_is_flops_by_the_share_of_the_peak_that_is_used():
    half = dataclasses.replace(IDEAL, utilization=0.5)
    found = predict(WORK, TOY, "float32", per_device=8, num_devices=1, assumed=half)
    assert found.compute == pytest.approx(8 * 1e9 / 0.5e12)


def test_one_device_sends_nothing():
    found = predict(WORK, TOY, "float32", per_device=8, num_devices=1, assumed=IDEAL)
    assert (found.exchange, found.efficiency_in_turn, found.efficiency_overlapped) == (0.0, 1.0, 1.0)


def test_the_exchange_hides_behind_the_backward_pass_as_far_as_it_fits():
    short, long = Prediction(8, 64, compute=3.0, exchange=1.0), Prediction(8, 64, compute=3.0, exchange=5.0)
    assert (short.in_turn, short.overlapped, short.efficiency_in_turn) == (4.0, 3.0, 0.75)
    assert (long.in_turn, long.overlapped, long.efficiency_overlapped) == (8.0, 6.0, 0.5)


def test_what_sharded_tables_send_does_not_depend_on_their_size():
    def sent(**changes):
        work = dataclasses.replace(WORK, **{"num_identities": 10**6, "sharded": True} | changes)
        return [one.payload for one in collectives_of_step(work, 64, 4)]

    assert sent() == sent(num_identities=10**7)
    assert sent(sharded=False)[0] == 4 * (1000 + 5 * 10**6)


@pytest.mark.parametrize("device", DEVICES.values(), ids=lambda device: device.name)
def test_efficiency_falls_with_the_number_of_devices(device):
    work = Work(flops=1e11, parameters=10**8, num_identities=8631, num_shape=80, sharded=False)
    found = [
        predict(work, device, "bfloat16", per_device=32, num_devices=count, assumed=Assumptions())
        for count in (1, 8, 64, 256)
    ]
    falling = [one.efficiency_in_turn for one in found]
    assert falling == sorted(falling, reverse=True)
    assert all(one.efficiency_overlapped >= one.efficiency_in_turn for one in found)


@pytest.mark.parametrize("sharded", [False, True], ids=["replicated", "sharded"])
def test_the_model_counts_the_bytes_that_a_compiled_step_sends(sharded):
    num_devices, num_images, num_identities = 4, 16, 2048
    num_shape = stand_ins.FACE_MODEL.num_shape
    tables = identity_table.ShardedTables(num_identities, num_devices) if sharded else None
    optimizer = stand_ins.optimizer("adam", tables)
    method = dataclasses.replace(stand_ins.METHOD, tables=tables)
    sizes = {"num_identities": num_identities, "num_shape": num_shape, "image_size": stand_ins.SIZE, "seed": 0}
    devices = jax.devices()[:num_devices]
    state = initial_state(stand_ins.FewPixels(), optimizer, tables=tables, devices=devices, **sizes)
    step = make_train_step(stand_ins.FewPixels(), optimizer, method, axis_name=AXIS)
    batch = jax.tree.map(
        lambda leaf: leaf.reshape(num_devices, -1, *leaf.shape[1:]), stand_ins.batch_of(range(-8, num_images - 8))
    )
    whole = parallel_step(step, devices, is_split=identity_table.is_sharded)
    program = whole.lower(state, batch, stand_ins.frozen()).compile().as_text()
    counted = sum(bytes_on_the_wire(one, num_devices) for one in collectives_of(program, num_devices))
    parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params["networks"]))
    work = Work(0.0, parameters, num_identities, num_shape, sharded)
    modelled = sum(bytes_on_the_wire(one, num_devices) for one in collectives_of_step(work, num_images, num_devices))
    few = 2 * 0.75 * 4 * (12 * num_shape + 60)  # moments of the KL term, metrics
    assert modelled <= counted <= modelled + few
