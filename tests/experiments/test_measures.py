"""Pairs and figures of the experiments against slower opinions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.common import measures
from sirjax.evaluation.verification import verify_descriptors
from tests.face_models import dome_face_model


@given(st.integers(0, 2**32 - 1))
def test_turned_pairs_are_frontal_and_turned_balanced_and_share_no_person_between_folds(seed):
    rng = np.random.default_rng(seed)
    identity = np.repeat(np.arange(12), 5)
    yaw = rng.permuted(np.tile([0.0, 10.0, 30.0, 50.0, 80.0], (12, 1)), axis=1).ravel()
    pairs = measures.turned_pairs(identity, yaw <= 20, yaw >= 45, rng, 4)
    assert (yaw[pairs.first] <= 20).all()
    assert (yaw[pairs.second] >= 45).all()
    np.testing.assert_array_equal(pairs.same, identity[pairs.first] == identity[pairs.second])
    for fold in range(4):
        own = pairs.fold == fold
        assert pairs.same[own].sum() == (~pairs.same[own]).sum() == 3 * 2 * 2  # people x frontal x turned
    people = [
        set(identity[pairs.first[pairs.fold == f]]) | set(identity[pairs.second[pairs.fold == f]]) for f in range(4)
    ]
    assert sum(map(len, people)) == len(set.union(*people))


def test_without_turned_photos_there_are_no_turned_pairs(rng):
    identity = np.repeat(np.arange(4), 3)
    nobody = np.zeros(12, bool)
    assert measures.turned_pairs(identity, ~nobody, nobody, rng, 2) is None


def test_sets_hold_different_photos_of_one_person(rng):
    identity = np.array([0] * 7 + [1] * 3 + [2] * 2)
    sets = measures.photo_sets(identity, rng)
    assert sets.shape == (3, 3)
    assert len(np.unique(sets)) == 9
    assert sorted(identity[sets[:, 0]]) == [0, 0, 1]
    np.testing.assert_array_equal(identity[sets], np.repeat(identity[sets[:, :1]], 3, axis=1))


def test_accuracy_is_the_mean_over_seeds_and_sets_are_averaged(rng):
    identity = np.repeat(np.arange(20), 9)
    people = rng.normal(size=(20, 4))
    method = [people[identity] + rng.normal(size=(180, 4)) * 0.7 for _ in range(2)]
    tasks = measures.tasks(identity, rng.uniform(-90, 90, 180))
    assert [task.name for task in tasks] == ["photos", "frontal against turned", "sets of 3 photos"]
    for task in tasks:
        expected = [verify_descriptors(task.descriptors(shape), task.pairs).correct.mean() for shape in method]
        assert measures.verify(method, task).accuracy.mean == pytest.approx(np.mean(expected))
    sets = tasks[2]
    np.testing.assert_allclose(sets.descriptors(method[0])[1], method[0][sets.members[1]].mean(axis=0))
    assert measures.verify(method, sets).accuracy.mean > measures.verify(method, tasks[0]).accuracy.mean


def test_face_errors_are_those_of_the_vertices(rng):
    model = dome_face_model()
    true, read = rng.normal(size=(2, 5, model.num_shape))
    basis, mean = np.asarray(model.shape_basis, np.float64), np.asarray(model.mean, np.float64)
    near = np.linalg.norm(mean - mean[mean[:, 2].argmax()], axis=1) <= 95.0
    offset = ((read - true) @ basis).reshape(5, -1, 3)[:, near]
    expected = np.sqrt(np.mean(np.sum(offset**2, axis=-1), axis=-1))
    np.testing.assert_allclose(measures.face_errors([read], true, model), expected, rtol=1e-6)
    np.testing.assert_allclose(measures.face_errors([read, true], true, model), expected / 2, rtol=1e-6)


def test_kl_to_prior_is_that_of_gaussians():
    spread = np.sqrt(0.25)
    codes = np.array([[-spread], [spread]])  # mean 0, variance 1/4
    assert measures.kl_to_prior(codes) == pytest.approx(63.3113 / 199, rel=1e-4)
    assert measures.kl_to_prior(np.array([[0.0], [2.0]])) == pytest.approx(0.5)  # mean 1, variance 1
