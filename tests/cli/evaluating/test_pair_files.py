"""Lists of pairs of every published form become one."""

import numpy as np
import pytest

from data_prep.pairs import Pair, pairs_to_text
from sirjax.cli.evaluating.pair_files import read_pair_list, with_training_pairs
from sirjax.evaluation.verification import TRAIN_ONLY

FORMS = {
    "pairs.tsv": "fold\tsame\tname_a\tname_b\n0\t1\ta/a_0001.jpg\ta/a_0002.jpg\n1\t0\ta/a_0001.jpg\tb/b_0004.jpg\n",
    "tabs.tsv": "a/a_0001.jpg\ta/a_0002.jpg\t1\t0\na/a_0001.jpg\tb/b_0004.jpg\t0\t1\n",
    "header.csv": "name_a,name_b,same,fold\na/a_0001.jpg, a/a_0002.jpg, 1, 0\n\na/a_0001.jpg,b/b_0004.jpg,0,1\n",
    "spaces.txt": "a/a_0001.jpg a/a_0002.jpg 1 0\r\na/a_0001.jpg b/b_0004.jpg 0 1",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_lists_the_same_pairs(name, tmp_path):
    (tmp_path / name).write_text(FORMS[name], encoding="utf-8", newline="")
    pairs = read_pair_list(tmp_path / name)
    assert pairs.first == ["a/a_0001.jpg", "a/a_0001.jpg"]
    assert pairs.second == ["a/a_0002.jpg", "b/b_0004.jpg"]
    assert pairs.same.tolist() == [True, False]
    assert pairs.fold.tolist() == [0, 1]


def test_lists_of_lfw_are_read_as_published(tmp_path):
    (tmp_path / "pairs.txt").write_text("2\t1\na\t1\t2\na\t1\tb\t4\nc\t1\t2\nc\t1\tb\t4\n", encoding="utf-8")
    (tmp_path / "pairsDevTest.txt").write_text("1\na\t1\t2\na\t1\tb\t4\n", encoding="utf-8")
    folds, one_split = read_pair_list(tmp_path / "pairs.txt"), read_pair_list(tmp_path / "pairsDevTest.txt")
    assert folds.fold.tolist() == [0, 0, 1, 1]
    assert one_split.fold is None
    assert one_split.second == ["a/a_0002.jpg", "b/b_0004.jpg"]


def test_videos_of_youtube_faces_are_sets(tmp_path):
    lines = [
        "split number, pair number, first name, second name, is same",
        "1, 1, a\\3, a\\4, 1",
        "2, 1, a\\3, b\\0, 0",
    ]
    (tmp_path / "splits.txt").write_text("\n".join(lines), encoding="utf-8")
    pairs = read_pair_list(tmp_path / "splits.txt")
    assert (pairs.first, pairs.second) == (["a/3/", "a/3/"], ["a/4/", "b/0/"])
    assert pairs.fold.tolist() == [0, 1]


def test_records_bring_their_list_along(tmp_path):
    (tmp_path / "pairs.tsv").write_text(pairs_to_text([Pair(0, True, "a", "b"), Pair(0, False, "a", "c")]))
    assert read_pair_list(tmp_path).fold is None


def test_training_pairs_follow_the_ones_to_judge(tmp_path):
    (tmp_path / "test.txt").write_text("a b 1\na c 0\n", encoding="utf-8")
    (tmp_path / "train.txt").write_text("d e 1\n", encoding="utf-8")
    both = with_training_pairs(read_pair_list(tmp_path / "test.txt"), read_pair_list(tmp_path / "train.txt"))
    assert both.first == ["a", "a", "d"]
    np.testing.assert_array_equal(both.fold, [0, 0, TRAIN_ONLY])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b 2\n", "line 1: 'a b 2' is not two names, 1 or 0, and perhaps a fold from 0"),
        ("a b 1\na b\n", "line 2: 'a b' is not two names"),
        ("a b 1 -3\n", "line 1: 'a b 1 -3' is not two names"),
        ("a b 1 0\na c 0\n", "1 of 2 pairs have no fold: give all or none one"),
        ("name_a name_b same\n", "lists no pairs"),
        ("", "lists no pairs"),
    ],
)
def test_lists_out_of_form_are_refused_with_the_line(text, message, tmp_path):
    (tmp_path / "list.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_pair_list(tmp_path / "list.txt")


def test_a_missing_list_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"pairs.tsv is missing: give a list of pairs, or records of a set that"
    ):
        read_pair_list(tmp_path)
