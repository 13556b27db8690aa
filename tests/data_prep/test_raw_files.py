"""Files of raw data sets: what is missing or not what it claims to be is said in words."""

import pytest

from data_prep import raw_files
from data_prep.source import Rejected

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def test_the_content_comes_back_as_it_is(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff")
    assert raw_files.read_bytes(tmp_path / "a.jpg") == b"\xff\xd8\xff"


def test_a_missing_file_is_named_without_the_machines_path(tmp_path):
    with pytest.raises(Rejected, match=r"^ada/a.jpg is missing$"):
        raw_files.read_bytes(tmp_path / "ada/a.jpg", "ada/a.jpg")


def test_a_folder_in_place_of_a_file_is_rejected(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(Rejected, match="^a.jpg cannot be read"):
        raw_files.read_bytes(tmp_path / "a.jpg")


def test_an_enormous_file_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(raw_files, "_MAX_BYTES", 10)
    (tmp_path / "a.jpg").write_bytes(bytes(10))
    assert len(raw_files.read_bytes(tmp_path / "a.jpg")) == 10
    (tmp_path / "a.jpg").write_bytes(bytes(11))
    with pytest.raises(Rejected, match="^a.jpg has more than 512 MiB, the limit$"):
        raw_files.read_bytes(tmp_path / "a.jpg")


def test_a_git_lfs_pointer_is_recognized_and_the_remedy_given(tmp_path):
    (tmp_path / "a.jpg").write_bytes(POINTER)
    with pytest.raises(Rejected, match=r"^a.jpg is a git-LFS pointer, not the file itself: run `git lfs pull`"):
        raw_files.read_bytes(tmp_path / "a.jpg")


def test_lists_say_where_to_get_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="pairs.txt is missing: get it from https://example.org"):
        raw_files.read_text(tmp_path / "pairs.txt", "https://example.org")


def test_a_list_that_is_a_pointer_or_no_text_is_refused(tmp_path):
    (tmp_path / "pointer.txt").write_bytes(POINTER)
    with pytest.raises(ValueError, match="git-LFS pointer"):
        raw_files.read_text(tmp_path / "pointer.txt", "https://example.org")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ValueError, match="binary.txt is not UTF-8 text"):
        raw_files.read_text(tmp_path / "binary.txt", "https://example.org")


def test_a_byte_order_mark_is_not_part_of_a_list(tmp_path):
    (tmp_path / "pairs.txt").write_bytes("\ufeff10\n".encode())
    assert raw_files.read_text(tmp_path / "pairs.txt", "") == "10\n"


def test_the_data_set_is_found_in_the_folder_its_archive_makes(tmp_path):
    (tmp_path / "lfw" / "Ada").mkdir(parents=True)
    assert raw_files.find_folder(tmp_path, ["Ada"], "LFW", "", nested=["lfw"]) == tmp_path / "lfw"
    assert raw_files.find_folder(tmp_path / "lfw", ["Ada"], "LFW", "", nested=["lfw"]) == tmp_path / "lfw"


def test_a_wrong_folder_is_refused_with_the_page_to_get_the_data_from(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"is not LFW: it holds no Ada or Bob. .* from https://example.org"):
        raw_files.find_folder(tmp_path, ["Ada", "Bob"], "LFW", "https://example.org")
    with pytest.raises(FileNotFoundError, match=r"is not a folder: name the one that LFW was unpacked to"):
        raw_files.find_folder(tmp_path / "none", ["Ada"], "LFW", "https://example.org")


def test_a_changed_file_has_another_stamp(tmp_path):
    path = tmp_path / "a.jpg"
    assert raw_files.file_stamp(path) == ()
    path.write_bytes(b"12345")
    size, _ = stamp = raw_files.file_stamp(path)
    assert size == 5
    path.write_bytes(b"123456")
    assert raw_files.file_stamp(path) != stamp
