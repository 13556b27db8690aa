"""`make demo` in miniature: it runs to its closing table, and again without doing anything twice."""

import json

import pytest

from experiments.common.outcome import Estimate, ResultTable, load_tables
from experiments.demo import command as demo
from experiments.demo.table import as_text
from tests.runs import write_run


@pytest.mark.slow
@pytest.mark.usefixtures("debug_networks")
def test_the_demo_ends_with_figures_and_pictures(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "SHIPPED", str(write_run(tmp_path / "ready" / "sir")))
    tmp_path = tmp_path / "runs" / "demo"  # made by the demo, as on a fresh machine
    arguments = ["--out", str(tmp_path), "--shrink", "250"]
    assert demo.main(arguments) == 0
    shown = capsys.readouterr().out
    for figure in (
        "verification accuracy, Euclidean",
        "neutral shape RMSE, face",
        "landmark error (NME)",
        "people never trained on",
    ):
        assert figure in shown
    results = json.loads((tmp_path / "sir" / "results.json").read_text())
    assert results["settings"]["figures"]["sir"]["mean_face_rmse_mm"] > 1.0
    (table,) = load_tables(results)
    assert all(cell in shown for row in table.texts() for cell in row)
    assert set(results["provenance"]) <= {"sirjax", "jax", "commit", "time", "platform"}  # no folders
    assert results["seconds"]["warm up"] > 0
    pictures = [path for folder in ("with_shipped_weights", "reconstruction")
                for name in ("face0_sheet.png", "overlay.jpg") for path in (tmp_path / folder).rglob(name)]  # fmt: skip
    assert len(pictures) == 4
    assert shown.index("with the weights that come with sirjax") < shown.index("Now the same with weights trained here")
    assert all(path.stat().st_size > 1000 for path in pictures)
    assert all(str(path) in shown for path in pictures)


def test_steps_and_sets_shrink_together(tmp_path):
    config = demo.stage_config("sir", {kind: tmp_path for kind in ("landmark", "identity", "benchmark")}, 100.0)
    whole = demo.stage_config("sir", {kind: tmp_path for kind in ("landmark", "identity", "benchmark")}, 1.0)
    assert config.schedule.steps == max(4, round(whole.schedule.steps / 100))


def test_columns_are_as_wide_as_their_widest_cell():
    table = ResultTable("On 9 photos", ["", "after", "baseline"], [["NME", Estimate(0.02, unit="%"), None]])
    assert as_text(table).splitlines() == ["On 9 photos:", "     after   baseline", "-" * 21, "NME  2.00 %"]
