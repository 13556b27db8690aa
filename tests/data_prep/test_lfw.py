"""LFW folders and lists of pairs, written here in the published layout."""

import argparse
import pickle

import pytest

from data_prep import lfw
from data_prep.lfw import LFW, parse_pairs
from data_prep.pairs import Pair
from data_prep.source import Rejected

VIEW_2 = "2\t1\nAda\t1\t12\nAda\t1\tBob\t3\nBob\t1\t3\nBob\t3\tAda\t12\n"
VIEW_1 = "1\nAda\t1\t12\nAda\t1\tBob\t3\n"


def write_people(root, names=("Ada/Ada_0001.jpg", "Ada/Ada_0012.jpg", "Bob/Bob_0001.jpg", "Bob/Bob_0003.jpg")):
    for name in (*names, "Cy/Cy_0001.jpg"):  # Cy is in no pair
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())


def test_view_2_has_folds_of_same_then_different_pairs():
    assert parse_pairs(VIEW_2, "pairs.txt") == [
        Pair(0, True, "Ada/Ada_0001.jpg", "Ada/Ada_0012.jpg"),
        Pair(0, False, "Ada/Ada_0001.jpg", "Bob/Bob_0003.jpg"),
        Pair(1, True, "Bob/Bob_0001.jpg", "Bob/Bob_0003.jpg"),
        Pair(1, False, "Bob/Bob_0003.jpg", "Ada/Ada_0012.jpg"),
    ]


def test_view_1_is_one_fold():
    assert [pair.fold for pair in parse_pairs(VIEW_1, "pairsDevTest.txt")] == [0, 0]


def test_the_photos_of_the_pairs_are_listed_with_their_people(tmp_path):
    write_people(tmp_path / "lfw")
    (tmp_path / "pairs.txt").write_text(VIEW_2)
    source = pickle.loads(pickle.dumps(LFW(tmp_path)))
    entries = source.entries()
    assert [(entry.name, entry.identity) for entry in entries] == [
        ("Ada/Ada_0001.jpg", "Ada"),
        ("Ada/Ada_0012.jpg", "Ada"),
        ("Bob/Bob_0001.jpg", "Bob"),
        ("Bob/Bob_0003.jpg", "Bob"),
    ]
    assert source.read(entries[3]).data == b"Bob/Bob_0003.jpg"
    assert source.side_files()["pairs.tsv"].splitlines()[4] == "1\t0\tBob/Bob_0003.jpg\tAda/Ada_0012.jpg"
    assert source.parameters["pairs"] == "pairs.txt"


def test_a_missing_photo_is_rejected_not_forgotten(tmp_path):
    write_people(tmp_path, names=("Ada/Ada_0001.jpg",))
    (tmp_path / "pairs.txt").write_text(VIEW_2)
    source = LFW(tmp_path)
    assert len(source.entries()) == 4
    with pytest.raises(Rejected, match="^Bob/Bob_0003.jpg is missing$"):
        source.read(source.entries()[3])


def test_the_list_is_chosen_where_there_are_several(tmp_path):
    write_people(tmp_path)
    (tmp_path / "pairs.txt").write_text(VIEW_2)
    (tmp_path / "pairsDevTest.txt").write_text(VIEW_1)
    with pytest.raises(ValueError, match=r"holds pairs.txt, pairsDevTest.txt: say which one to prepare \(--pairs\)"):
        LFW(tmp_path)
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    lfw.add_arguments(parser)
    args = parser.parse_args([str(tmp_path), "--pairs", str(tmp_path / "pairsDevTest.txt")])
    assert len(lfw.from_arguments(args).entries()) == 3


def test_a_wrong_folder_names_the_page(tmp_path):
    with pytest.raises(
        FileNotFoundError, match="holds none of pairs.txt, .*: get one from http://vis-www.cs.umass.edu"
    ):
        LFW(tmp_path)
    (tmp_path / "pairs.txt").write_text(VIEW_2)
    with pytest.raises(FileNotFoundError, match=r"is not LFW \(with the people of pairs.txt\): it holds no Ada."):
        LFW(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begins with '', not with the number of pairs"),
        ("name\timagenum1\n", "begins with 'name\\\\timagenum1', not with the number of pairs"),
        ("10\t300\nAda\t1\t2\n", "has 1 pairs, its first line says 10 x 2 x 300: get it again from http"),
        ("1\nAda\t1\tBob\t3\nAda\t1\t12\n", r"line 2: 'Ada\\t1\\tBob\\t3' is not a name and two numbers"),
        ("1\nAda\t1\t2\nAda\t1\t12\n", r"line 3: 'Ada\\t1\\t12' is not two names, each with a number"),
        ("1\n../Ada\t1\t2\nAda\t1\tBob\t2\n", r"line 2: '../Ada\\t1\\t2' names a path, not a person"),
    ],
)
def test_lists_in_other_forms_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_pairs(text, "pairs.txt")
