"""READMEs say what the shipped results say."""

import json

import pytest

from experiments import publish
from experiments.common.outcome import Claim, Estimate, Outcome, ResultTable, save_outcome


def test_readmes_agree_with_the_shipped_results():
    for path, text in publish.readmes(publish.ROOT).items():
        shown = path.relative_to(publish.ROOT)
        assert path.read_text(encoding="utf-8") == text, f"{shown} is out of date: python -m experiments.publish"


def test_the_demos_table_says_how_long_it_took():
    table = {"title": "On 9 photos", "columns": ["", "after SIR"], "rows": [["accuracy", "81 %"]], "caption": ""}
    other = table | {"columns": ["", "without"], "rows": [["accuracy", "77 %"]]}
    facts = {"tables": [table], "provenance": {"jax": "0.10.2"}, "seconds": {"render": 60.0, "train": 30.0}}
    assert publish.demo_block(facts, {"tables": [other]}) == (
        "| on 9 photos | after SIR | without |\n|---|---|---|\n| accuracy | 81 % | 77 % |\n\n"
        "(Seed 0; 1.5 minutes on two cores, jax 0.10.2, after installation.)"
    )


def test_tables_become_markdown():
    table = ResultTable("T", ["a", "|x|"], [["one", Estimate(0.5, 0.4, 0.6, "%", 1)], ["two", None]])
    assert publish.markdown(table) == "| a | \\|x\\| |\n|---|---|\n| one | 50.0 % [40.0, 60.0] |\n| two |  |"


def test_an_experiment_page_shows_question_command_tables_and_claims(tmp_path):
    table = ResultTable("Verification", ["losses", "accuracy"], [["L_sm", Estimate(0.9, unit="%", digits=1)]], "Half.")
    study = {"sets": {"evaluate": {"photos": 7, "made_by": "synthetic"}}, "seeds": [0]}
    facts = {
        "title": "Table II: ablation",
        "study": study,
        "provenance": {"commit": "abc", "time": "2026", "platform": "Linux", "jax": "0.10", "command": "python -m x"},
        "seconds": {"training of all runs of the study": 120.0},
    }
    save_outcome(Outcome("p-v1", [table], [Claim("it works", "undecided", "+0.1")]), tmp_path, facts)
    page = publish.experiment_page("table2_ablation", json.loads((tmp_path / "results.json").read_text()))
    for part in (
        "# Table II: ablation\n",
        "python -m experiments.table2_ablation\n",
        "Which parts of the SIR loss",
        "Read it: ",
        "| L_sm | 90.0 % |",
        "| it works | undecided | +0.1 |",
        "Protocol: p-v1.",
        "evaluate 7 photos (synthetic)",
        "training of all runs of the study 2 min. As run: `python -m x`.",
    ):
        assert part in page


def test_results_that_are_missing_name_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m experiments.figure3_norm"):
        publish.copy_results(tmp_path, tmp_path, "figure3_norm")


def test_new_results_replace_old_pictures(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    (target / "old.jpg").write_bytes(b"old")
    (source / "new.jpg").write_bytes(b"new")
    (source / "results.json").write_text('{"pictures": ["new.jpg"]}')
    publish.copy_results(source, target, "figure3_norm")
    publish.copy_results(source, tmp_path / "new", "figure3_norm")
    assert len(list((tmp_path / "new").iterdir())) == 2
    assert sorted(path.name for path in target.iterdir()) == ["new.jpg", "results.json"]
