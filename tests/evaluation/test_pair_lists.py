import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.evaluation import pair_lists
from sirjax.evaluation.pair_lists import PairList


def pair_list(*pairs, fold=None):
    first, second, same = zip(*pairs, strict=True)
    return PairList(list(first), list(second), np.array(same, bool), fold)


def test_a_name_means_one_sample_and_a_folder_all_in_it():
    samples = ["b/2/1.jpg", "a/1/2.jpg", "a/1/1.jpg", "a/10/1.jpg", "a/1"]
    found = pair_lists.find_samples(samples, ["a/1/", "a/10/", "a/1", "b/2/1.jpg", "c/", "a"])
    assert {name: sorted(rows) for name, rows in found.items()} == {
        "a/1/": [1, 2],
        "a/10/": [3],
        "a/1": [4],
        "b/2/1.jpg": [0],
        "c/": [],
        "a": [],
    }


def test_a_set_is_the_mean_of_its_samples(rng):
    values, rows = rng.normal(size=(9, 4)).astype(np.float32), [[3], [0, 8, 5], [1, 2]]
    expected = [values[own].astype(np.float64).mean(axis=0) for own in rows]
    np.testing.assert_allclose(pair_lists.means(values, rows), expected, rtol=1e-12)


def test_pairs_with_a_missing_name_are_not_usable():
    pairs = pair_list(("a", "b", 1), ("a", "c", 0), ("c", "d", 1))
    usable = pairs.usable({"a": [0], "b": [3], "c": [], "d": [1]})
    assert usable.tolist() == [True, False, False]
    kept = pairs.take(usable)
    assert (kept.first, kept.second, kept.same.tolist()) == (["a"], ["b"], [True])
    assert kept.rows(["b", "a"]).tolist() == [[1], [0]]


def test_people_are_those_that_are_known():
    pairs = pair_list(("x/1", "y/1", 1), ("x/1", "z/1", 0))
    assert pair_lists.people(pairs, {"x/1": 5, "y/1": 5, "z/1": 2, "w": 1}) == {"x/1": 5, "y/1": 5, "z/1": 2}


def test_unknown_people_are_the_first_folders_of_the_names():
    # Two photos of ada are never paired: only the folder says that they are of one person.
    pairs = pair_list(("ada/1", "ada/2", 1), ("ada/3", "bob/1", 0))
    person = pair_lists.people(pairs, {"ada/1": 3, "ada/2": -1})
    assert person["ada/1"] == person["ada/2"] == person["ada/3"] != person["bob/1"]


def test_where_folders_contradict_the_pairs_people_are_whom_same_pairs_connect():
    pairs = pair_list(("photos/1", "photos/2", 1), ("photos/2", "photos/3", 1), ("photos/1", "photos/4", 0))
    person = pair_lists.people(pairs, {})
    assert person["photos/1"] == person["photos/2"] == person["photos/3"] != person["photos/4"]


@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_made_folds_share_nobody_and_are_of_one_size(seed, num_folds):
    rng = np.random.default_rng(seed)
    # Chains of up to three people: no group is larger than a fold may be.
    start = 3 * rng.integers(40, size=200)
    first, second = start + rng.integers(3, size=200), start + rng.integers(3, size=200)
    fold, apart = pair_lists.make_folds(first, second, first == second, num_folds)
    assert apart
    people = [set(first[fold == f]) | set(second[fold == f]) for f in range(num_folds)]
    assert len(set.union(*people)) == sum(map(len, people))
    assert np.ptp(np.bincount(fold, minlength=num_folds)) <= np.bincount(start).max()


def test_people_who_all_hang_together_are_in_several_folds_and_this_is_said():
    first, second = np.zeros(20, int), np.arange(20) % 5
    fold, apart = pair_lists.make_folds(first, second, first == second, 4)
    assert not apart
    for kind in (first == second, first != second):
        np.testing.assert_array_equal(np.bincount(fold[kind]), [1, 1, 1, 1] if kind.sum() == 4 else [4, 4, 4, 4])


def test_folds_that_cannot_be_filled_are_refused():
    same = np.array([True, False, False, False])
    with pytest.raises(ValueError, match="cannot make 10 folds with 1 pairs of the rarer kind: use 2 to 1"):
        pair_lists.make_folds(np.arange(4), np.arange(4), same, 10)
