"""Figures as people and programs read them."""

import json

import numpy as np
import pytest

from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, load_tables, save_outcome, verdict
from sirjax.evaluation.bootstrap import Interval


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(0.8104, 0.7766, 0.8391, "%", 1), "81.0 % [77.7, 83.9]"),
        (Estimate(1.897, unit="mm"), "1.90 mm"),
        (Estimate(2.0, 1.0, 3.0), "2.00 [1.00, 3.00]"),
        (Estimate(-0.004, unit="%", digits=1), "-0.4 %"),
    ],
)
def test_an_estimate_reads_as_value_unit_and_interval(estimate, text):
    assert estimate.text() == text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 0.2, "supported"), (-0.2, -0.1, "contradicted"), (-0.1, 0.1, "undecided"), (0.0, 0.2, "undecided")],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(low, high, expected):
    assert verdict(Interval((low + high) / 2, low, high, 0.95)) == expected


def test_tables_come_back_from_the_file(tmp_path):
    table = ResultTable("T", ["a", "b", "c"], [["x", Estimate(1.5, 1.0, 2.0, "mm"), None], ["y", 3, 0.25]], "caption")
    image = np.zeros((8, 8, 3), np.uint8)
    outcome = Outcome("p", [table], [Claim("c", "supported", "e")], {"s": 1}, pictures={"dot": image})
    save_outcome(outcome, tmp_path, {"title": "t"})
    document = json.loads((tmp_path / "results.json").read_text())
    (loaded,) = load_tables(document)
    assert loaded.texts() == table.texts() == [["x", "1.50 mm [1.00, 2.00]", ""], ["y", "3", "0.25"]]
    assert (loaded.title, list(loaded.columns), loaded.caption) == ("T", ["a", "b", "c"], "caption")
    assert (document["title"], document["protocol"], document["pictures"]) == ("t", "p", ["dot.jpg"])
    assert (tmp_path / "dot.jpg").read_bytes().startswith(b"\xff\xd8\xff")


def test_figures_that_are_not_finite_do_not_get_into_a_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        save_outcome(Outcome("p", [ResultTable("T", ["a"], [[float("nan")]])]), tmp_path, {})
    assert not (tmp_path / "results.json").exists()
