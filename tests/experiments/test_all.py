"""Every experiment in miniature, on shared runs: it ends with results, a page and pictures."""

import json
from pathlib import Path

import pytest

from configs import ablations
from experiments.common import command
from experiments.common.study import FINISHED, Sets, Study, Training

ARGUMENTS = ["--shrink", "250", "--variants", "sm+wc+kl", "--epsilons", "1"]
VERDICTS = {"supported", "contradicted", "undecided"}


@pytest.fixture(scope="module")
def root(tmp_path_factory, debug_networks):
    root = tmp_path_factory.mktemp("experiments")
    assert command.main(list(command.NAMES), ["--root", str(root), *ARGUMENTS]) == 0
    return root


@pytest.mark.slow
def test_the_miniature_of_everything(root, capsys):
    # One test: workers that shared its parts would each train the runs again.
    every_experiment_ends_with_results_a_page_and_pictures(root)
    runs_are_trained_once(root, capsys)
    a_warm_up_with_other_settings_is_refused(root)


def every_experiment_ends_with_results_a_page_and_pictures(root):
    for name in command.NAMES:
        folder = root / "results" / name
        document = json.loads((folder / "results.json").read_text())
        assert document["experiment"] == name
        assert document["title"] == command.module_of(name).TITLE
        assert document["protocol"].count("experiments-v1") == 1
        assert document["study"]["seeds"] == [0]
        assert document["study"]["sets"]["evaluate"]["photos"] == 240
        assert {"commit", "time", "jax", "command"} <= document["provenance"].keys()
        assert all(len(row) == len(table["columns"]) for table in document["tables"] for row in table["rows"])
        assert document["tables"]
        assert {claim["verdict"] for claim in document["claims"]} <= VERDICTS
        assert all((folder / picture).stat().st_size > 1000 for picture in document["pictures"])
        page = (folder / "report.html").read_text()
        assert document["title"] in page
        assert "http://" not in page.replace("http://www.w3.org", "")  # nothing is loaded from elsewhere


def runs_are_trained_once(root, capsys):
    runs = sorted(path.parent.name.rsplit("-", 1)[0] for path in root.glob(f"runs/*/{FINISHED}"))
    assert runs == [
        "sm+wc+kl_seed0",
        "sm+wc+kl_unsplit_seed0",
        "warmup_seed0",
        "warmup_unsplit_seed0",
    ]
    assert command.main(["table3_methods"], ["--root", str(root), *ARGUMENTS]) == 0
    assert "L_sm + L_wc, KL (ours)" in capsys.readouterr().out
    seconds = json.loads((root / "results" / "table3_methods" / "results.json").read_text())["seconds"]
    assert seconds["training of new runs"] == 0
    assert seconds["training of all runs of the study"] > 0


def a_warm_up_with_other_settings_is_refused(root):
    sets = Sets(*(root / "records" / kind for kind in ("landmark", "identity", "benchmark")))
    (warmup,) = root.glob("runs/warmup_seed0-*")
    same = Study(root, sets, shrink=250, given_warmup=warmup)
    assert same.warmup() == warmup
    with pytest.raises(ValueError, match="is no warm-up of these sets with the settings of"):
        Study(root, sets, shrink=100, given_warmup=warmup).warmup()


def test_every_experiment_has_a_docstring_a_command_and_a_title():
    for name in command.NAMES:
        module = command.module_of(name)
        question, *rest = (module.__doc__ or "").split("\n\n")
        assert question.strip().endswith("?"), name
        assert [part.split(":")[0] for part in rest][-1] == "Read it"
        assert (Path(module.__file__).parent / "__main__.py").read_text().count(f'main(["{name}"])') == 1


def test_only_some_of_the_sets_are_refused(capsys, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["table1_conditions"], ["--landmark", str(tmp_path)])
    assert "belong together" in capsys.readouterr().err


def test_names_of_runs_say_what_was_trained():
    assert Training("sm+wc+kl").name == "sm+wc+kl_seed0"
    assert Training("sm", seed=2, split=False, weight=0.3).name == "sm_unsplit_eps0.3_seed2"
    assert set(ablations.VARIANTS) >= {"none", "sm+wc+kl"}
