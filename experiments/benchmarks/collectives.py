"""What a compiled program sends between devices, read from its text (optimized HLO)."""

import dataclasses
import math
import re

BYTES = {"pred": 1, "s8": 1, "u8": 1, "bf16": 2, "f16": 2, "s16": 2, "u16": 2, "f32": 4, "s32": 4, "u32": 4}
BYTES |= {"f64": 8, "s64": 8, "u64": 8}
KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")
_OPERATION = re.compile(rf"^\s*(?:ROOT )?%?[\w.-]+ = (.*?) ({'|'.join(KINDS)})(-start)?\(", re.MULTILINE)
_ARRAY = re.compile(r"\b([a-z]+\d*)\[([\d,]*)\]")


@dataclasses.dataclass(frozen=True)
class Collective:
    """One collective operation of a program.

    Attributes:
      kind: one of `KINDS`.
      payload: bytes of the array that all devices put together or share out: what an all-reduce sums, an all-gather
        ends with, a reduce-scatter starts from.
      arrays: how many arrays it moves at once.
      overlaps: whether it is split into a start and an end, between which the compiler can put other work.
    """

    kind: str
    payload: int
    arrays: int
    overlaps: bool


def operations(program: str) -> list[tuple[str, bool, list[tuple[str, str]]]]:
    """(kind, whether it is a start, [(element, dims) of each array of its result]) of each collective of a program."""
    return [(kind, bool(start), _ARRAY.findall(result)) for result, kind, start in _OPERATION.findall(program)]


def collectives_of(program: str, num_devices: int) -> list[Collective]:
    """The collectives of a program's text, in its order; all of its devices are taken to be in one group."""
    found = []
    for kind, start, arrays in operations(program):
        sizes = [array_bytes(element, dims) for element, dims in arrays if element in BYTES]
        if start and kind != "all-reduce":
            sizes = sizes[len(sizes) // 2 :]  # the result of a start is the operands, then the results
        factor = num_devices if kind == "reduce-scatter" else 1
        found.append(Collective(kind, factor * sum(sizes), len(sizes), start))
    return found


def array_bytes(element: str, dims: str) -> int:
    """Bytes of `f32[3,4]`: ("f32", "3,4"), without padding."""
    return BYTES[element] * math.prod(int(dim) for dim in dims.split(",") if dim)


def bytes_on_the_wire(collective: Collective, num_devices: int) -> float:
    """Bytes that each device sends if the devices form a ring: an all-reduce is a reduce-scatter and an all-gather."""
    share = (num_devices - 1) / num_devices
    return collective.payload * {"all-reduce": 2 * share, "collective-permute": 1.0}.get(collective.kind, share)
