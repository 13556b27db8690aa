"""Files are written whole or not at all, with the permissions of any other file."""

import os

import pytest

from sirjax import files


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="no space left"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_written_replaces_the_old_file_and_has_usual_permissions(tmp_path):
    path, ordinary = tmp_path / "größe.txt", tmp_path / "ordinary"
    files.write_text(path, "old")
    files.write_text(path, "größer")
    ordinary.touch()
    assert path.read_text(encoding="utf-8") == "größer"
    assert path.stat().st_mode == ordinary.stat().st_mode
    files.write_bytes(path, b"\0\1", durable=True)
    assert path.read_bytes() == b"\0\1"
