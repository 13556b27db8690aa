"""The tables of docs/scaling.md are the ones that the records and the cost model give."""

import json

import pytest

from experiments.benchmarks import scaling
from experiments.benchmarks.collectives import Collective, bytes_on_the_wire
from experiments.benchmarks.compile_step import RESULTS

RECORDS = json.loads(RESULTS.read_text(encoding="utf-8"))


def test_the_page_is_as_written_from_the_records():
    text = scaling.PAGE.read_text(encoding="utf-8")
    assert scaling.page(text, RECORDS) == text, "run `python -m experiments.benchmarks.scaling`"


def test_a_page_without_a_marker_is_refused():
    with pytest.raises(ValueError, match="must have the lines .*lowered.* once each"):
        scaling.page("nothing", RECORDS)


@pytest.mark.parametrize(
    "record", [r for r in RECORDS["compiled"] if r["case"]["devices"] > 1], ids=lambda r: scaling.name_of(r["case"])
)
def test_the_model_counts_what_the_compiled_programs_send(record):
    num_devices = record["case"]["devices"]
    counted = sum(bytes_on_the_wire(Collective(**one), num_devices) for one in record["collectives"])
    assert counted == pytest.approx(scaling.modelled_bytes(record), rel=0.02)


def test_every_program_for_tpu_rasterizes_in_plain_jax():
    assert not any(record["custom_calls"] for record in RECORDS["compiled"])
    assert all(not record["custom_calls"]["tpu"] for record in RECORDS["lowered"])
