"""The command as a whole on tiny sets: what it prints and writes, from runs and from files."""

import json

import numpy as np
import pytest

from sirjax.cli.evaluating import verification as evaluate_verification
from sirjax.cli.evaluating.codes import read_codes, save_codes
from sirjax.cli.main import main
from sirjax.data.records import open_records
from sirjax.evaluation.codes import Codes
from tests.noise_records import random_run, write_noise_records


@pytest.fixture
def codes_path(rng, tmp_path):
    identity = np.arange(20).repeat(2)
    shape = 5 * rng.normal(size=(20, 4))[identity] + rng.normal(size=(40, 4))
    names = [f"p{person}/{row}" for row, person in enumerate(identity)]
    save_codes(tmp_path / "codes.npz", Codes(names, shape.astype(np.float32), identity=identity.astype(np.int32)))
    return tmp_path / "codes.npz"


def evaluated(*arguments):
    return main(["--debug", "evaluate", "verification", *map(str, arguments)])


def test_codes_and_a_list_give_figures_and_a_report(codes_path, tmp_path, capsys):
    lines = [f"p{k}/{2 * k} p{k}/{2 * k + 1} 1" for k in range(20)]
    lines += [f"p{k}/{2 * k} p{(k + 1) % 20}/{(2 * k + 2) % 40} 0" for k in range(20)]
    (tmp_path / "pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "out"
    options = ("--pairs", tmp_path / "pairs.txt", "--folds", 4, "--resamples", 20, "--out", out)
    assert evaluated(codes_path, *options) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("verification-v1: 40 pairs (20 same) of 20 people, 0 left out, 4 folds made here")
    assert "verification accuracy, shape euclidean" in printed
    assert "verification accuracy, vertices" not in printed
    results = json.loads((out / "results.json").read_text())
    own = results["figures"]["verification"]["shape"]["euclidean"]
    assert own["accuracy_interval"][0] <= own["accuracy"] <= own["accuracy_interval"][1]
    assert own["accuracy"] > 0.9
    assert len(own["fold_accuracy"]) == 4
    assert results["provenance"]["codes"]["file"] == str(codes_path)
    page = (out / "report.html").read_text()
    assert "ROC" in page
    assert "Distances, cosine" in page


def test_a_list_beside_the_records_is_used_and_hardest_pairs_are_shown(tmp_path, monkeypatch, capsys):
    run = random_run()
    monkeypatch.setattr(evaluate_verification, "load_run", lambda path: run)
    people = [f"p{k}" for k in range(6)]
    records = write_noise_records(tmp_path / "records", [f"{p}/v/{k}.jpg" for p in people for k in (1, 2)])
    sets = [(0, 1, f"{p}/v/", f"{p}/v/1.jpg") for p in people]
    sets += [(1, 0, f"{p}/v/", f"{people[k - 1]}/v/2.jpg") for k, p in enumerate(people)]
    rows = [f"{k % 2}\t{same}\t{a}\t{b}" for k, (_, same, a, b) in enumerate(sets)]
    (records / "pairs.tsv").write_text("\n".join(["fold\tsame\tname_a\tname_b", *rows, ""]), encoding="utf-8")
    save_codes(tmp_path / "plain.npz", read_codes(run, open_records(records), batch_size=4))
    (tmp_path / "run").mkdir()
    options = ("--records", records, "--against", tmp_path / "plain.npz", "--batch", 4, "--resamples", 20)
    assert evaluated(tmp_path / "run", *options, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "names ending in / are means, image and mirror averaged" in printed  # as videos are, without being asked
    assert "self-check: basis orthonormal" in printed
    assert "accuracy minus other's, shape euclidean" in printed
    page = (tmp_path / "out/report.html").read_text()
    assert "Nearest pairs of two people" in page
    assert page.count("data:image/") >= 12
    assert "Comparison on the same pairs" in page


def test_a_development_set_chooses_the_threshold(codes_path, tmp_path):
    (tmp_path / "test.txt").write_text("p0/0 p0/1 1\np0/0 p1/2 0\n", encoding="utf-8")
    (tmp_path / "train.txt").write_text("p2/4 p2/5 1\np2/4 p3/6 0\n", encoding="utf-8")
    options = ("--train-pairs", tmp_path / "train.txt", "--resamples", 20, "--out", tmp_path / "out")
    assert evaluated(codes_path, "--pairs", tmp_path / "test.txt", *options) == 0
    results = json.loads((tmp_path / "out/results.json").read_text())
    assert "2 pairs (1 same) of 2 people, 0 left out, one threshold from 2 training pairs" in results["protocol"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--train-pairs", "x.txt"], "--train-pairs chooses the threshold for other pairs: give those too (--pairs)"),
        (["--pairs", "none.txt"], "none.txt is missing: give a list of pairs"),
        (["--descriptors", "vertices"], "the descriptor 'vertices' needs a run, or codes with --face-model"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_and_nothing_is_written(options, message, codes_path, tmp_path, capsys):
    assert main(["evaluate", "verification", str(codes_path), *options, "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_without_photos_is_refused(tmp_path, capsys):
    assert main(["evaluate", "verification", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "is a run and needs photos to read: give --records DIR" in capsys.readouterr().err


def test_several_lists_beside_records_must_be_chosen_from(tmp_path, codes_path, capsys):
    for name in "ab":
        records = write_noise_records(tmp_path / name, [f"{name}/1.jpg"])
        (records / "pairs.tsv").write_text("fold\tsame\tname_a\tname_b\n", encoding="utf-8")
    folders = [str(tmp_path / name) for name in "ab"]
    code = main(["evaluate", "verification", str(codes_path), "--records", *folders, "--out", str(tmp_path / "out")])
    assert code == 1
    assert "2 of the records come with pairs: say which to use (--pairs)" in capsys.readouterr().err
