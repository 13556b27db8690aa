"""The study on real photos: its intervals against slower opinions, its verdicts on made-up codes, and a miniature."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from configs import ablations
from data_prep.pairs import PAIRS_FILE, Pair, pairs_to_text
from experiments.common import command as shared
from experiments.common import measures
from experiments.photos import claims, command, publish, tables
from experiments.photos.intervals import Spread, interval, mean_interval
from experiments.photos.study import PhotoSets, PhotoStudy, listed_task
from sirjax.data.images import encode_image
from sirjax.data.sample import Sample
from sirjax.data.writing import RecordWriter
from sirjax.evaluation.bootstrap import bootstrap_pair_mean
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.distinctiveness import distinctiveness
from sirjax.evaluation.pair_lists import PairList
from sirjax.evaluation.verification import make_pairs
from tests.face_models import dome_face_model

SETS = ("landmark", "identity", "held-out-landmark", "held-out-identity", "lfw")


def test_the_interval_of_one_seed_is_the_one_over_people(rng):
    first, second, values = rng.integers(6, size=40), rng.integers(6, size=40), rng.normal(size=(1, 40))
    expected = bootstrap_pair_mean(values[0], first, second, np.random.default_rng(0), resamples=1000)
    found = mean_interval(values, first, second)
    np.testing.assert_allclose([found.mean, found.low, found.high], [expected.mean, expected.low, expected.high])


def test_the_interval_of_seeds_alone_has_the_width_of_two_trainings():
    # Two seeds of 0 and 1 whatever the people: means of two draws are 0, 1/2 or 1, deviations stretched by sqrt(2).
    found = mean_interval(np.array([[0.0] * 10, [1.0] * 10]), np.arange(10))
    np.testing.assert_allclose([found.mean, found.low, found.high], [0.5, 0.5 - 0.5**0.5, 0.5 + 0.5**0.5])


def test_seeds_that_agree_leave_the_interval_over_people(rng):
    values, people = rng.normal(size=30), np.repeat(np.arange(10), 3)
    one, three = (mean_interval(np.tile(values, (count, 1)), people) for count in (1, 3))
    np.testing.assert_allclose([one.mean, one.low, one.high], [three.mean, three.low, three.high])


def test_draws_that_leave_nothing_are_left_out():
    # Of two people one has the only figure: a quarter of the draws misses it.
    def figures(weight):
        return np.array([1.0 if weight[0] else np.nan])

    found = interval(figures, np.array([0, 1]), np.array([0, 1]))
    assert (found.mean, found.low, found.high) == (1.0, 1.0, 1.0)


def distances_by_loop(shape, identity, times, num_vertices):
    """(within, between) with each person as often as drawn; the pairs of two draws of one person are left out."""
    sums, counts = np.zeros(2), np.zeros(2)
    for i in range(len(shape)):
        for j in range(i + 1, len(shape)):
            a, b = identity[i], identity[j]
            kind, weight = (0, times[a]) if a == b else (1, times[a] * times[b])
            sums[kind] += weight * np.sum((shape[i] - shape[j]) ** 2) / num_vertices
            counts[kind] += weight
    return np.sqrt(sums / counts)


def test_spread_is_that_of_all_pairs_also_where_people_are_drawn(rng):
    shape, identity = rng.normal(size=(2, 15, 4)) + 5.0, rng.permutation(np.repeat(np.arange(5), [1, 2, 3, 4, 5]))
    spread, times = Spread(shape, identity, 7), np.array([2.0, 0.0, 1.0, 1.0, 3.0])
    weight = np.where(spread.within, times[spread.first], times[spread.first] * times[spread.second])
    for own, drawn in ((np.ones(len(spread.first)), np.ones(5)), (weight, times)):
        expected = [distances_by_loop(codes, identity, drawn, 7) for codes in shape]
        np.testing.assert_allclose(np.stack(spread.distances(own), axis=1), expected)
        np.testing.assert_allclose(spread.ratio(own), [between / within for within, between in expected])


def test_spread_of_undrawn_people_is_that_of_evaluation(rng):
    shape, std, identity = rng.normal(size=(12, 4)), np.array([3.0, 2.0, 1.0, 0.5]), np.repeat(np.arange(4), 3)
    expected = distinctiveness(shape, std, identity, 9)
    spread = Spread((shape * std)[None], identity, 9)
    np.testing.assert_allclose(spread.ratio(np.ones(len(spread.first))), expected.ratio)


@pytest.mark.parametrize("identity", [[0, 0, 0], [0, 1, 2]])
def test_spread_of_one_person_or_of_single_photos_is_refused(identity):
    with pytest.raises(ValueError, match=r"needs two people, one of them with two photos; got 3 of"):
        Spread(np.zeros((1, 3, 2)), np.array(identity), 5)


def test_listed_pairs_are_rows_of_codes_and_photos_without_codes_are_left_out():
    names = ["a/1", "a/2", "b/1", "c/1", "c/2", "d/1"]
    first, second = ["a/1", "c/2", "a/2", "c/1", "a/1"], ["a/2", "c/1", "b/1", "d/1", "lost/1"]
    listed = PairList(first, second, np.array([True, True, False, False, False]), None)
    codes = Codes(names, np.zeros((6, 2), np.float32), identity=np.array([7, 7, 8, 9, 9, 5]))
    task = listed_task("pairs", listed, codes)
    assert task.pairs.first.tolist() == [0, 4, 1, 3]
    assert task.pairs.second.tolist() == [1, 3, 2, 5]
    assert task.identity.tolist() == [7, 7, 8, 9, 9, 5]
    fold = task.pairs.fold
    assert fold[0] == fold[2] != fold[1] == fold[3]  # a and b, c and d
    none = PairList(["x"], ["y"], np.array([True]), None)
    with pytest.raises(ValueError, match="none of the 1 pairs of View 1 has codes of both its photos"):
        listed_task("View 1", none, codes)


PEOPLE = SimpleNamespace(identity_class=np.repeat(np.arange(30), 4), num_identities=30)
PAIRS = make_pairs(PEOPLE.identity_class, np.random.default_rng(0), 400, 10)
TASKS = tuple(measures.Task(name, PAIRS, PEOPLE.identity_class) for name in ("LFW View 1", "people held out"))


class MadeUp(PhotoStudy):
    """Codes as the paper has them: CosFace finds people, KL keeps lengths."""

    model = dome_face_model()
    lfw = people = PEOPLE
    landmarks = range(5)
    tasks = TASKS

    def shapes(self, name, records):
        rng = np.random.default_rng(len(name))
        person, modes = records.identity_class, self.std.size
        who = 1.0 if "sm" in name else 0.0
        codes = rng.normal(size=(len(self.seeds), len(person), modes)) + 3 * who * rng.normal(size=(30, modes))[person]
        length = np.linalg.norm(codes, axis=2, keepdims=True)
        return self.std * codes / length * np.sqrt(modes) * (1.0 if "kl" in name else 0.3)

    def landmark_errors(self, name):
        return np.full((len(self.seeds), 5), 0.03) + 0.001 * np.arange(5)


def made_up(seeds=(0, 1)):
    return MadeUp(None, None, seeds=seeds, steps=9, real=True)


def test_verdicts_say_what_the_codes_show():
    found = {(claim.text, claim.evidence.partition(":")[0]): claim.verdict for claim in claims.claims(made_up())}
    assert len(found) == 16 + 8
    for (text, evidence), verdict in found.items():
        if text.startswith(("CosFace", "KL keeps", "Without KL")):
            assert verdict == "supported", text
        assert verdict in {"supported", "contradicted", "undecided"}, evidence


def test_short_shapes_contradict_that_kl_keeps_them_long(monkeypatch):
    monkeypatch.setattr(claims, "lengths", lambda study, name: np.full((2, 120), 1.0 if "kl" in name else 2.0))
    about = [claim for claim in claims.claims(made_up()) if "KL" in claim.text.split(" (")[0].split(",")[0]]
    assert {claim.verdict for claim in about} == {"contradicted"}
    assert len(about) == 8


def test_claims_are_made_of_the_variants_that_were_trained():
    some = MadeUp(None, None, seeds=(0,), variants=("none", "sm"), real=True)
    assert [claim.text for claim in claims.claims(some)] == [
        f"CosFace raises accuracy by Euclidean distance over no SIR loss, without KL ({name})"
        for name in ("LFW View 1", "people held out")
    ]


def test_a_teacher_is_compared_with_the_same_losses_alone():
    study = MadeUp(None, None, seeds=(0,), variants=("sm+wc+kl", "sm+wc+kl+teacher"), real=True)
    assert [claim.evidence.partition(":")[0] for claim in claims.claims(study)] == [
        "sm+wc+kl+teacher minus sm+wc+kl"
    ] * 2
    assert tables.losses("sm+wc+kl+teacher") == ["L_sm + L_wc + teacher", "yes"]
    assert tables.losses("teacher") == ["teacher", ""]


def test_tables_have_a_row_for_every_variant_and_figures_of_every_seed():
    study = made_up()
    for table in (tables.verification(study), tables.shapes(study), tables.seeds(study)):
        assert [row[:2] for row in table.texts()][:3] == [["warm-up", ""], ["none", ""], ["none", "yes"]]
        assert len(table.rows) == 1 + len(ablations.VARIANTS)
        assert all(len(row) == len(table.columns) for row in table.rows)
    shown = dict(zip(tables.shapes(study).columns, tables.shapes(study).texts()[2], strict=True))
    root = study.std.size**0.5
    assert shown["|alpha/sigma|"] == f"{root:.2f} [{root:.2f}, {root:.2f}]"
    assert shown["NME"].startswith("3.20 % [")
    assert tables.seeds(study).texts()[1][-1] == "3.20, 3.20"


def test_the_readme_agrees_with_the_shipped_results():
    expected = publish.readme(publish.README, publish.FOLDER / "results.json")
    assert publish.README.read_text() == expected, "out of date: python -m experiments.photos.publish"


def test_no_seed_and_no_step_are_refused(capsys):
    sets = [word for name in SETS for word in (f"--{name}", "x")]
    for option in ("seeds", "steps"):
        with pytest.raises(SystemExit):
            command.make_study([*sets, f"--{option}", "0"])
        assert f"--{option} must be at least 1, got 0" in capsys.readouterr().err


def test_the_command_line_says_what_is_trained():
    sets = [word for name in SETS for word in (f"--{name}", name)]
    study = command.make_study([*sets, "--steps", "7", "--seeds", "2", "--root", "runs"])
    folders = ("landmark", "identity", "held-out-identity", "held-out-landmark", "lfw")
    assert study.sets == PhotoSets(*map(Path, folders))
    assert (study.steps, study.seeds, study.real, study.variants) == (7, (0, 1), True, ablations.VARIANTS)


def write_photos(folder, people, each, *, landmarks=None, seed=0):
    """Records of noise: of people, or with landmarks."""
    rng = np.random.default_rng(seed)
    with RecordWriter(folder) as writer:
        for name in (f"{folder.name}{person}/{i}" for person in range(people) for i in range(each)):
            image = encode_image(rng.integers(256, size=(112, 96, 3), dtype=np.uint8))
            points = None if landmarks is None else (landmarks + rng.normal(size=(68, 2))).astype(np.float32)
            identity = name.split("/")[0] if landmarks is None else None
            writer.add(Sample(name, image, np.eye(2, 3), landmarks=points, identity=identity))
    return folder


@pytest.mark.slow
def test_the_miniature_ends_with_results_and_trains_nothing_twice(tmp_path, debug_networks, rng, capsys):
    points = rng.uniform([20, 30], [76, 100], size=(68, 2))
    write_photos(tmp_path / "landmark", 12, 1, landmarks=points)
    write_photos(tmp_path / "identity", 6, 4, seed=1)
    write_photos(tmp_path / "held-out-landmark", 5, 1, landmarks=points, seed=2)
    write_photos(tmp_path / "held-out-identity", 8, 3, seed=3)
    write_photos(tmp_path / "lfw", 12, 2, seed=4)
    listed = [Pair(0, True, f"lfw{i}/0", f"lfw{i}/1") for i in range(12)]
    listed += [Pair(0, False, f"lfw{i}/0", f"lfw{i ^ 1}/1") for i in range(12)]
    (tmp_path / "lfw" / PAIRS_FILE).write_text(pairs_to_text(listed))
    arguments = [word for name in SETS for word in (f"--{name}", str(tmp_path / name))]
    arguments += ["--root", str(tmp_path), "--seeds", "2", "--shrink", "1000", "--variants", "sm", "sm+wc+kl"]
    assert command.main(arguments) == 0
    folder = tmp_path / "results" / "photos"
    document = json.loads((folder / "results.json").read_text())
    assert document["study"]["seeds"] == [0, 1]
    assert document["study"]["sets"]["lfw"]["people"] == 12
    assert {"people.jpg"} == set(document["pictures"])
    assert (folder / "report.html").stat().st_size > 10_000
    assert len(list(tmp_path.glob("runs/sm*_seed?-*/finished.json"))) == 4
    assert "| sm" not in publish.section(document)
    assert "| L_sm + L_wc | yes |" in publish.section(document)
    capsys.readouterr()
    assert command.main(arguments) == 0
    again = json.loads((folder / "results.json").read_text())
    assert (
        again["seconds"]["training of all runs of the study"]
        == document["seconds"]["training of all runs of the study"]
    )
    assert again["tables"] == document["tables"]
    assert "Table II on real photos" in capsys.readouterr().out
    assert document["title"] == shared.module_of("photos").TITLE
