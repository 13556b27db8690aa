"""Writes the tables of docs/scaling.md: what was compiled (compiled_steps.json) and what the cost model predicts.

python -m experiments.benchmarks.scaling
"""

import json
from pathlib import Path
from typing import Any

from experiments.benchmarks.collectives import KINDS, Collective, bytes_on_the_wire
from experiments.benchmarks.compile_step import PLATFORMS, RESULTS
from experiments.benchmarks.cost_model import DEVICES, Assumptions, Device, Work, collectives_of_step, predict
from experiments.common.markers import between_markers
from sirjax.files import write_text

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
COUNTS = (1, 8, 32, 64, 256)
# Images per device and share of the peak: small and large batches, and what weighs the exchange most.
SETTINGS = ((16, Assumptions().utilization), (64, Assumptions().utilization), (64, 1.0))
DTYPES = ("float32", "bfloat16")
MIB = 2**20
# Units of 128 x 128 multiply-adds of a chip: four on v5e, twice four on v5p (Google Cloud TPU documentation).
FLOPS_PER_CYCLE = {"TPU v5 lite": 2 * 4 * 128**2, "TPU v5": 2 * 8 * 128**2}


def main() -> None:
    records = json.loads(RESULTS.read_text(encoding="utf-8"))
    write_text(PAGE, page(PAGE.read_text(encoding="utf-8"), records))
    print(PAGE.name)


def page(text: str, records: dict) -> str:
    """The page with its tables written anew.

    Raises:
      ValueError: if the page has not each marker once.
    """
    blocks = {
        "lowered": lowered_table(records["lowered"]),
        "compiled": compiled_table(records["compiled"]),
        "traffic": traffic_table(records["compiled"]),
        "devices": devices_table(),
        "predicted": predicted_tables(records["lowered"]),
    }
    for name, block in blocks.items():
        text = between_markers(text, block, PAGE, "experiments.benchmarks.scaling", name)
    return text


def table(columns: list[str], rows: list[list[str]]) -> str:
    """In Markdown; all columns but the first are numbers."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def name_of(case: dict[str, Any]) -> str:
    """`sphere64 bfloat16, sharded 10⁶, no VGG16`: what is not said is as usual."""
    words = [f"{case['preset']} {case['dtype']}", f"{case['tables']} {case['identities']:,}"]
    words += [] if case["perceptual"] else ["no VGG16"]
    words += ["remat"] if case["remat"] else []
    words += [f"{case['accumulate']} parts"] if case["accumulate"] > 1 else []
    return ", ".join(words)


def lowered_table(records: list[dict]) -> str:
    """Handlers by platform."""
    rows = []
    for record in records:
        cells = [handlers(record["custom_calls"][name]) for name in ("one program for all", *PLATFORMS)]
        rows.append([name_of(record["case"]), f"{record['cpu_seconds']:.0f}", f"{record['megabytes']:.1f}", *cells])
    return table(["step", "s to lower", "MB of StableHLO", "all", *PLATFORMS], rows)


def handlers(calls: list[str]) -> str:
    """Which rasterizers the handlers belong to."""
    kinds = {"cuda": [call for call in calls if call.endswith("_cuda")]}
    kinds["C++"] = [call for call in calls if call not in kinds["cuda"]]
    found = [f"{len(names)} of {kind}" for kind, names in kinds.items() if names]
    return ", ".join(found) or "none: plain JAX"


def compiled_table(records: list[dict]) -> str:
    """Compile time and memory."""
    rows = []
    for record in records:
        case, memory = record["case"], record["memory"]
        beside = memory["temporary"] + max(memory["results"] - memory["in place"], 0)
        figures = [
            f"{record['compile']['cpu_seconds']:.0f}",
            f"{memory['arguments'] / MIB:,.0f}",
            f"{beside / MIB:,.0f}",
            f"{beside / MIB / case['batch']:,.0f}",
            f"{record['flops'] / case['batch'] / 1e9:.1f}",
            f"{record['estimated_cycles'] / 1e6:.1f}",
            f"{record['flops'] / record['estimated_cycles'] / FLOPS_PER_CYCLE[record['device']]:.0%}",
        ]
        rows.append([f"{record['topology']}: {name_of(case)}", str(case["devices"]), str(case["batch"]), *figures])
    columns = ["topology: step", "chips", "images per chip", "CPU s to compile", "MiB kept", "MiB besides"]
    return table([*columns, "per image", "GFLOP per image", "million cycles", "of the peak"], rows)


def traffic_table(records: list[dict]) -> str:
    """What the compiled programs send, and what the model says they send."""
    rows = []
    for record in records:
        case = record["case"]
        if case["devices"] == 1:
            continue
        found = [Collective(**one) for one in record["collectives"]]
        kinds = [f"{sum(c.payload for c in found if c.kind == kind) / MIB:.2f}" for kind in KINDS[:3]]
        counted = sum(bytes_on_the_wire(one, case["devices"]) for one in found)
        modelled = modelled_bytes(record)
        overlaps = sum(one.payload for one in found if one.overlaps) / max(sum(one.payload for one in found), 1)
        last = [f"{counted / MIB:.2f}", f"{modelled / MIB:.2f}", f"{counted / modelled - 1:+.1%}", f"{overlaps:.0%}"]
        rows.append([f"{record['topology']}: {name_of(case)}", str(len(found)), *kinds, *last])
    columns = ["topology: step", "operations", *(f"{kind}, MiB" for kind in KINDS[:3])]
    return table([*columns, "sent by each chip, MiB", "by the model", "difference", "can overlap"], rows)


def work_of(record: dict) -> Work:
    """The model's description of a compiled step."""
    case = record["case"]
    return Work(
        flops=record["flops"] / case["batch"],
        parameters=record["parameters"],
        num_identities=case["identities"],
        num_shape=record["num_shape"],
        sharded=case["tables"] == "sharded",
    )


def modelled_bytes(record: dict) -> float:
    """Bytes that each device of a compiled step sends, by the model."""
    case = record["case"]
    moved = collectives_of_step(work_of(record), case["devices"] * case["batch"], case["devices"])
    return sum(bytes_on_the_wire(one, case["devices"]) for one in moved)


def devices_table() -> str:
    """The vendors' figures."""
    rows = [
        [
            device.name,
            *(f"{device.peak[dtype] / 1e12:,.0f}" for dtype in DTYPES),
            f"{device.link / 1e9:,.0f}",
            f"{device.group:,}",
            f"{device.outside / 1e9:,.0f}" if device.outside else "",
            device.source,
        ]
        for device in DEVICES.values()
    ]
    columns = ["device", "TFLOP/s float32", "bfloat16", "link GB/s", "linked", "outside GB/s", "source"]
    return table(columns, rows)


def predicted_tables(records: list[dict]) -> str:
    """Step time on one device and efficiency on many, of sphere64."""
    record = basis(records)
    columns = [
        "device",
        "images per device",
        "of the peak",
        "ms per step",
        "images/s of 1",
        *map(str, COUNTS[1:]),
        "images/s of 256",
    ]
    parts = []
    for dtype in DTYPES:
        rows = [row for device in DEVICES.values() for row in device_rows(record, device, dtype)]
        case = record["case"] | {"dtype": dtype}
        parts.append(f"**{name_of(case)}**:\n\n{table(columns, rows)}")
    return "\n\n".join(parts)


def basis(records: list[dict]) -> dict:
    """The step whose FLOPs and parameters the predictions are made of; the compute type changes neither.

    Raises:
      ValueError: if there is none.
    """
    wanted = {"preset": "sphere64", "perceptual": True, "remat": False, "accumulate": 1}
    fits = [record for record in records if wanted.items() <= record["case"].items()]
    if not fits:
        raise ValueError("no sphere64 step was lowered: see experiments.benchmarks.compile_step --lower")
    return fits[-1]


def device_rows(record: dict, device: Device, dtype: str) -> list[list[str]]:
    """A row for each of `SETTINGS`."""
    rows = []
    for per_device, utilization in SETTINGS:
        settings = {"per_device": per_device, "assumed": Assumptions(utilization=utilization)}
        found = [predict(work_of(record), device, dtype, num_devices=count, **settings) for count in COUNTS]
        efficiencies = [f"{one.efficiency_in_turn:.0%} / {one.efficiency_overlapped:.0%}" for one in found[1:]]
        one, last = found[0], found[-1]
        speed = [f"{1e3 * one.compute:.1f}", f"{one.images / one.compute:,.0f}"]
        most = f"{last.images / last.in_turn:,.0f} / {last.images / last.overlapped:,.0f}"
        rows.append([device.name, str(per_device), f"{utilization:.0%}", *speed, *efficiencies, most])
    return rows


if __name__ == "__main__":
    main()
