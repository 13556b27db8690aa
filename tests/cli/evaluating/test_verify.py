"""Codes and pairs in, figures out: who is left out, how thresholds came, the self-check."""

import dataclasses

import numpy as np
import pytest

from sirjax.cli.evaluating.verify import Subject, check_line, evaluate
from sirjax.data.records import open_records
from sirjax.evaluation import verification
from sirjax.evaluation.codes import Codes
from sirjax.evaluation.pair_lists import PairList
from tests.noise_records import write_noise_records


@pytest.fixture
def subject(rng):
    """30 people with 3 photos each, modes of an orthonormal basis."""
    identity = np.arange(30).repeat(3)
    shape = 5 * rng.normal(size=(30, 6))[identity] + 2 * rng.normal(size=(90, 6))
    basis = np.linalg.qr(rng.normal(size=(60, 6)))[0].T.astype(np.float32)
    names = [f"p{person:02d}/{row}.jpg" for row, person in enumerate(identity)]
    codes = Codes(names, shape.astype(np.float32), np.linspace(9, 2, 6, dtype=np.float32), identity=identity)
    return Subject("own", dataclasses.replace(codes, source={"orthonormal": True}), basis)


def changed(subject, **fields):
    return dataclasses.replace(subject, codes=dataclasses.replace(subject.codes, **fields))


def listed_pairs(subject, fold=False, count=200):
    drawn = verification.make_pairs(subject.codes.identity, np.random.default_rng(1), count, 5)
    names = np.array(subject.codes.names)
    return PairList(names[drawn.first].tolist(), names[drawn.second].tolist(), drawn.same, drawn.fold if fold else None)


def test_figures_are_those_of_the_distances_themselves(subject):
    pairs = listed_pairs(subject, fold=True)
    result = evaluate(subject, pairs, resamples=20)
    assert list(result.found) == [(d, e) for d in ("shape", "whitened", "vertices") for e in ("euclidean", "cosine")]
    first, second = pairs.rows(subject.codes.names)
    described = {
        "shape": subject.codes.shape,
        "whitened": subject.codes.shape / subject.codes.shape_std,
        "vertices": subject.codes.shape.astype(np.float64) @ subject.basis.astype(np.float64),
    }
    for (descriptor, distance), found in result.found.items():
        values = described[descriptor]
        distances = verification.pair_distances(values[first], values[second], distance)
        np.testing.assert_allclose(found.distances, distances, rtol=1e-4, atol=1e-6)
        assert found.result.accuracy == verification.verify(found.distances, pairs.same, pairs.fold).accuracy
    assert result.found["shape", "euclidean"].result.accuracy > 0.8
    assert "5 folds of the list, exact thresholds" in result.protocol
    assert result.notes == [
        f"0 of {len(pairs.names())} names have no code, 0 of {len(pairs.same)} pairs left out",
        f"{np.sum(~pairs.same)} pairs of two people: a false accept rate of 0.1% means none at all here",
    ]


def test_order_of_codes_and_pairs_does_not_matter(subject, rng):
    pairs = listed_pairs(subject, fold=True)
    order, shuffled = rng.permutation(90), rng.permutation(len(pairs.same))
    names = [subject.codes.names[row] for row in order]
    turned = changed(subject, names=names, shape=subject.codes.shape[order], identity=subject.codes.identity[order])
    other = PairList(
        [pairs.second[row] for row in shuffled],
        [pairs.first[row] for row in shuffled],
        pairs.same[shuffled],
        pairs.fold[shuffled],
    )
    a, b = (evaluate(s, p, resamples=20) for s, p in ((subject, pairs), (turned, other)))
    for key, found in a.found.items():
        assert found.result.accuracy == b.found[key].result.accuracy
        assert (found.accuracy.low, found.accuracy.high) == (b.found[key].accuracy.low, b.found[key].accuracy.high)


def test_pairs_without_folds_are_put_into_such_that_share_nobody(subject):
    result = evaluate(subject, listed_pairs(subject), num_folds=4, resamples=20)
    assert "4 folds made here" in result.protocol
    drawn = evaluate(subject, None, num_folds=4, num_pairs=80, resamples=20)
    assert "80 pairs (40 same)" in drawn.protocol
    assert "4 folds drawn, no person in two" in drawn.protocol


def test_images_without_a_code_are_counted_with_their_reason(subject, tmp_path):
    pairs = listed_pairs(subject, fold=True)
    lost = pairs.first[0]
    rows = [row for row, name in enumerate(subject.codes.names) if name != lost]
    kept = changed(
        subject,
        names=[subject.codes.names[row] for row in rows],
        shape=subject.codes.shape[rows],
        identity=subject.codes.identity[rows],
    )
    records = open_records(write_noise_records(tmp_path / "r", ["p01/x.jpg"], rejected={lost: "no face was found"}))
    result = evaluate(kept, pairs, records=records, resamples=20)
    left_out = sum(lost in (a, b) for a, b in zip(pairs.first, pairs.second, strict=True))
    assert result.missing == {lost: "no face was found"}
    assert len(result.pairs.same) == len(pairs.same) - left_out
    assert f"{left_out} left out" in result.protocol
    share = len(result.pairs.same) / len(pairs.same)
    accuracy = 100 * share * result.found["shape", "euclidean"].result.accuracy
    assert f"every pair left out counts as wrong: shape euclidean {accuracy:.2f} %" in result.notes[1]


def test_sets_are_verified_by_their_means(subject):
    people = [f"p{person:02d}/" for person in range(30)]
    # Each person's photos against the set of all three of them, and against the next person's.
    photos = [subject.codes.names[3 * person] for person in range(30)]
    pairs = PairList(photos * 2, people + people[1:] + people[:1], np.arange(60) < 30, np.arange(60) % 3)
    result = evaluate(subject, pairs, resamples=20)
    means = subject.codes.shape.astype(np.float64).reshape(30, 3, 6).mean(axis=1)
    expected = np.linalg.norm(subject.codes.shape[::3] - means, axis=1)
    np.testing.assert_allclose(result.found["shape", "euclidean"].distances[:30], expected, rtol=1e-6)
    assert "names ending in / are means" in result.protocol


def test_two_subjects_are_compared_on_the_pairs_that_both_can_judge(subject, rng):
    pairs = listed_pairs(subject, fold=True)
    other = changed(
        subject,
        names=subject.codes.names[:-1],
        shape=(subject.codes.shape + 6 * rng.normal(size=(90, 6)).astype(np.float32))[:-1],
        identity=subject.codes.identity[:-1],
    )
    result = evaluate(subject, pairs, against=other, resamples=50)
    assert list(result.missing) == ([subject.codes.names[-1]] if subject.codes.names[-1] in pairs.names() else [])
    other_found, compared = result.against["shape", "euclidean"]
    own = result.found["shape", "euclidean"]
    assert compared.difference.mean == own.result.accuracy - other_found.result.accuracy > 0
    right, other_right = own.result.correct, other_found.result.correct
    assert (compared.only_first, compared.only_second) == (sum(right & ~other_right), sum(other_right & ~right))


def test_one_threshold_comes_from_training_pairs(subject):
    pairs = listed_pairs(subject, fold=True)
    view = dataclasses.replace(pairs, fold=np.where(pairs.fold == 0, 0, verification.TRAIN_ONLY))
    result = evaluate(subject, view, resamples=20)
    found = result.found["shape", "euclidean"].result
    assert found.accuracy == pytest.approx(np.mean(found.correct[pairs.fold == 0]))
    assert f"one threshold from {np.sum(pairs.fold != 0)} training pairs" in result.protocol


def test_self_check_passes_says_so_and_fails_loudly(subject, rng):
    pairs = listed_pairs(subject, fold=True)
    good = evaluate(subject, pairs, resamples=20)
    assert good.agreement.worst < 1e-5
    assert check_line(good).startswith(
        "self-check: basis orthonormal; distances of parameters and of vertices differ by"
    )
    skewed = dataclasses.replace(subject, basis=rng.normal(size=(6, 60)))
    with pytest.raises(
        ValueError, match=r"self-check failed: .* the limit for an orthonormal basis is 0.0001; basis and"
    ):
        evaluate(skewed, pairs, resamples=20)
    admitted = evaluate(changed(skewed, source={"orthonormal": False}), pairs, resamples=20)
    assert check_line(admitted).startswith("self-check: basis not orthonormal: distances of parameters and of vertices")
    bare = evaluate(dataclasses.replace(subject, basis=None), pairs, resamples=20)
    assert check_line(bare) == "self-check: not possible without the face model's basis"


def test_descriptors_that_are_not_known_are_left_out_or_refused(subject):
    pairs = listed_pairs(subject, fold=True)
    bare = dataclasses.replace(changed(subject, shape_std=None), basis=None)
    assert list(evaluate(bare, pairs, resamples=20).found) == [("shape", "euclidean"), ("shape", "cosine")]
    with pytest.raises(ValueError, match="the descriptor 'whitened' needs codes with `shape_std`"):
        evaluate(bare, pairs, descriptors=["whitened"])
    with pytest.raises(ValueError, match="the descriptor 'vertices' needs a run, or codes with --face-model"):
        evaluate(bare, pairs, descriptors=["vertices"])


def test_pairs_that_do_not_belong_to_the_codes_are_refused(subject):
    with pytest.raises(
        ValueError, match=r"none of the 1 pairs can be used: they name 'x', the codes 'p00/0.jpg'; give"
    ):
        evaluate(subject, PairList(["x"], ["y"], np.array([True]), None))
    with pytest.raises(ValueError, match="there are no pairs to verify: give --pairs FILE, or codes or records with"):
        evaluate(changed(subject, identity=None), None)


def test_labels_that_contradict_the_people_are_counted(subject):
    pairs = listed_pairs(subject, fold=True)
    pairs.same[0] = ~pairs.same[0]
    assert evaluate(subject, pairs, resamples=20).notes[-1].startswith("1 pairs are labelled otherwise than the people")
