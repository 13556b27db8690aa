"""Collectives are read from a compiled program's text with their sizes, each once."""

import pytest

from experiments.benchmarks.collectives import Collective, array_bytes, bytes_on_the_wire, collectives_of

PROGRAM = """
  %all-reduce.3 = (f32[10,4]{1,0:T(8,128)}, f32[]{:T(128)S(6)}) all-reduce(%a, %b), channel_id=1, to_apply=%add
  %ar = f32[8]{0} all-reduce-start(%c), replica_groups=[1,4]<=[4]
  %done = f32[8]{0} all-reduce-done(%ar)
  ROOT %all-gather.1 = bf16[16,3]{1,0} all-gather(%d), dimensions={0}
  %ags = (s32[2]{0}, s32[8]{0}) all-gather-start(%e), dimensions={0}
  %reduce-scatter.7 = f32[2,5]{1,0} reduce-scatter(%f), dimensions={0}
  %fusion = f32[99]{0} fusion(%all-reduce.3), kind=kLoop, calls=%all-reduce-like(
"""


def test_every_collective_is_found_with_its_payload():
    assert collectives_of(PROGRAM, 4) == [
        Collective("all-reduce", 4 * (40 + 1), 2, False),
        Collective("all-reduce", 32, 1, True),
        Collective("all-gather", 96, 1, False),
        Collective("all-gather", 32, 1, True),  # its result, not its operand
        Collective("reduce-scatter", 4 * 40, 1, False),  # all four devices' parts
    ]


def test_padding_and_scalars_are_no_extra_bytes():
    assert array_bytes("f32", "") == 4
    assert array_bytes("pred", "7,3") == 21


@pytest.mark.parametrize(
    ("kind", "expected"), [("all-reduce", 1500.0), ("all-gather", 750.0), ("collective-permute", 1000.0)]
)
def test_a_ring_of_four_sends_three_quarters_of_the_payload_each_way(kind, expected):
    assert bytes_on_the_wire(Collective(kind, 1000, 1, False), 4) == expected
