"""CFP folders and protocols, written here in the published layout."""

import argparse
import pickle

import numpy as np
import pytest

from data_prep import cfp
from data_prep.cfp import CFP
from data_prep.source import Rejected


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def root(tmp_path):
    frontal = [f"{person:03d}/frontal/{i:02d}.jpg" for person in (1, 2) for i in (1, 2)]
    profile = [f"{person:03d}/profile/{i:02d}.jpg" for person in (1, 2) for i in (1,)]
    for name in (*frontal, *profile):
        write_text(tmp_path / "Data/Images" / name, name)
    for letter, names in (("F", frontal), ("P", profile)):
        lines = [f"{i} ../Data/Images/{name}\n" for i, name in enumerate(names, start=1)]
        write_text(tmp_path / f"Protocol/Pair_list_{letter}.txt", "".join(lines))
    for fold in ("01", "02"):
        write_text(tmp_path / f"Protocol/Split/FP/{fold}/same.txt", "1,1\n3,2\n")
        write_text(tmp_path / f"Protocol/Split/FP/{fold}/diff.txt", "1,2\n3,1\n")
        write_text(tmp_path / f"Protocol/Split/FF/{fold}/same.txt", "1,2\n")
        write_text(tmp_path / f"Protocol/Split/FF/{fold}/diff.txt", "1,3\n")
    write_text(tmp_path / "Data/Fiducial/001/profile/01.txt", "10.5,20\n30,5\n25,40.25\n")
    return tmp_path


def test_frontal_profile_pairs_join_both_lists(root):
    assert CFP(root).side_files()["pairs.tsv"].splitlines()[1:5] == [
        "0\t1\t001/frontal/01.jpg\t001/profile/01.jpg",
        "0\t1\t002/frontal/01.jpg\t002/profile/01.jpg",
        "0\t0\t001/frontal/01.jpg\t002/profile/01.jpg",
        "0\t0\t002/frontal/01.jpg\t001/profile/01.jpg",
    ]


def test_frontal_frontal_pairs_use_the_frontal_list_twice(root):
    parser = argparse.ArgumentParser()
    parser.add_argument("raw")
    cfp.add_arguments(parser)
    source = cfp.from_arguments(parser.parse_args([str(root), "--protocol", "FF"]))
    assert source.side_files()["pairs.tsv"].splitlines()[3:] == [
        "1\t1\t001/frontal/01.jpg\t001/frontal/02.jpg",
        "1\t0\t001/frontal/01.jpg\t002/frontal/01.jpg",
    ]
    assert [entry.name for entry in source.entries()] == [
        "001/frontal/01.jpg",
        "001/frontal/02.jpg",
        "002/frontal/01.jpg",
    ]


def test_people_are_the_numbered_folders_and_marked_points_say_where_to_look(root):
    source = pickle.loads(pickle.dumps(CFP(root)))
    entries = {entry.name: entry for entry in source.entries()}
    assert entries["001/profile/01.jpg"].identity == "001"
    raw = source.read(entries["001/profile/01.jpg"])
    assert raw.data == b"001/profile/01.jpg"
    np.testing.assert_array_equal(raw.near, [10.5, 5, 30, 40.25])
    assert source.read(entries["002/profile/01.jpg"]).near is None


def test_unreadable_marked_points_do_not_cost_the_photo(root):
    for content in ("no,numbers\n", "1,2,3\n", "1,nan\n"):
        (root / "Data/Fiducial/001/profile/01.txt").write_text(content)
        source = CFP(root)
        entry = next(entry for entry in source.entries() if entry.name == "001/profile/01.jpg")
        assert source.read(entry).near is None


def test_a_missing_photo_is_rejected(root):
    (root / "Data/Images/001/profile/01.jpg").unlink()
    source = CFP(root)
    entry = next(entry for entry in source.entries() if entry.name == "001/profile/01.jpg")
    with pytest.raises(Rejected, match="^001/profile/01.jpg is missing$"):
        source.read(entry)


def test_wrong_folders_and_lists_are_refused(root, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not CFP: it holds no Data/Images. .* from http://www.cfpw.io"):
        CFP(root / "Protocol")
    with pytest.raises(ValueError, match="protocol must be one of FF, FP, got 'PP'"):
        CFP(root, protocol="PP")
    (root / "Protocol/Split/FP/02/diff.txt").write_text("1,99\n")
    with pytest.raises(ValueError, match="diff.txt, line 1: '1,99' is not two numbers of the pair lists"):
        CFP(root)
    (root / "Protocol/Pair_list_P.txt").write_text("1 ../Data/Images/../../secret.jpg\n")
    with pytest.raises(ValueError, match="Pair_list_P.txt, line 1: .* is not a number and a file below ../Data/"):
        CFP(root)
    (root / "Protocol/Pair_list_P.txt").unlink()
    with pytest.raises(FileNotFoundError, match="Pair_list_P.txt is missing: get it from http://www.cfpw.io"):
        CFP(root)
