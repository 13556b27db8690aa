import os

import pytest

from data_prep.identity_folders import IdentityFolders
from data_prep.source import Rejected


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def names(source):
    return [entry.name for entry in source.entries()]


def test_the_first_folder_is_the_person(tmp_path):
    tree(
        tmp_path,
        "n2/b.jpg",
        "n2/deep/er/a.PNG",
        "n1/z.jpeg",
        "Ünï 写/1.webp",
        "stray.jpg",
        "n1/notes.txt",
        "n1/.hid.jpg",
    )
    tree(tmp_path, ".trash/1.jpg", "n1/.git/1.jpg", "empty/readme.md")
    entries = IdentityFolders(tmp_path).entries()
    assert [(entry.name, entry.identity) for entry in entries] == [
        ("n1/z.jpeg", "n1"),
        ("n2/b.jpg", "n2"),
        ("n2/deep/er/a.PNG", "n2"),
        ("Ünï 写/1.webp", "Ünï 写"),
    ]
    source = IdentityFolders(tmp_path)
    assert [source.read(entry).data.decode() for entry in entries] == [entry.name for entry in entries]


def test_pipes_are_left_out(tmp_path):
    tree(tmp_path, "n1/a.jpg")
    os.mkfifo(tmp_path / "n1" / "pipe.jpg")
    assert names(IdentityFolders(tmp_path)) == ["n1/a.jpg"]


def test_a_changed_file_makes_another_entry(tmp_path):
    tree(tmp_path, "n1/a.jpg")
    before = IdentityFolders(tmp_path).entries()
    assert IdentityFolders(tmp_path).entries() == before
    (tmp_path / "n1" / "a.jpg").write_bytes(b"another")
    assert IdentityFolders(tmp_path).entries() != before


def test_a_list_takes_people_or_photos(tmp_path):
    tree(tmp_path / "set", "n1/a.jpg", "n1/b.jpg", "n2/a.jpg", "n3/a.jpg")
    (tmp_path / "list.txt").write_text("n1/b.jpg\nn3\n")
    source = IdentityFolders(tmp_path / "set", list_path=tmp_path / "list.txt", licence="free")
    assert names(source) == ["n1/b.jpg", "n3/a.jpg"]
    assert source.parameters == {"preparer": "identity_folders", "licence": "free", "list": "list.txt"}


def test_a_vanished_file_and_an_enormous_one_are_rejected(tmp_path):
    source = IdentityFolders(tree(tmp_path, "n1/a.jpg", "n1/b.jpg"))
    os.truncate(tmp_path / "n1" / "b.jpg", 600 * 2**20)  # a hole: takes no room
    first, second = source.entries()
    (tmp_path / "n1" / "a.jpg").unlink()
    with pytest.raises(Rejected, match="n1/a.jpg is missing"):
        source.read(first)
    with pytest.raises(Rejected, match="the file has 600 MiB, the limit is 512"):
        source.read(second)


def test_folders_without_people_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder: name the one that holds a folder per person"):
        IdentityFolders(tmp_path / "nowhere").entries()
    tree(tmp_path / "flat", "1.jpg")
    with pytest.raises(ValueError, match=r"flat holds no photos in folders: they are expected as <person>/<photo>.jpg"):
        IdentityFolders(tmp_path / "flat").entries()
    tree(tmp_path, "n1/a.jpg", "list.txt")
    (tmp_path / "list.txt").write_text("n7\n")
    with pytest.raises(ValueError, match="holds no listed photos in folders"):
        IdentityFolders(tmp_path, list_path=tmp_path / "list.txt").entries()
