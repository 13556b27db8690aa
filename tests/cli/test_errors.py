"""Errors become one line that says what to do."""

import errno

import pytest
from ml_collections import ConfigDict

from sirjax.cli.errors import EXTRAS, one_line
from tests.test_repository import ROOT


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("batch must be at least 1,\n  got 0"), "batch must be at least 1, got 0"),
        (
            PermissionError(errno.EACCES, "Permission denied", "out/a"),
            "out/a: permission denied: name another place, or have its permissions changed",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "out/.x.npz._lb7ts4z.tmp"),
            "out/x.npz: permission denied: name another place, or have its permissions changed",
        ),
        (PermissionError("read the terms, then add --i-may-share"), "read the terms, then add --i-may-share"),
        (
            OSError(errno.EROFS, "Read-only file system", "out"),
            "out: this disk can only be read: name another place for what is written",
        ),
        (OSError(errno.ENOSPC, "No space left"), "the disk is full: free some space, or name another place"),
        (FileNotFoundError(errno.ENOENT, "No such file", "a.npz"), "a.npz: there is no such file or folder"),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"),
            "a/b: a part of this path is a file, where a folder was expected",
        ),
        (
            ModuleNotFoundError("No module named 'h5py'", name="h5py"),
            "the module h5py is missing: pip install 'sirjax[models]'",
        ),
        (
            ModuleNotFoundError("No module named 'odd'", name="odd"),
            "the module odd is missing: install the package that has it",
        ),
        (ModuleNotFoundError("--beam needs: pip install 'sirjax[beam]'"), "--beam needs: pip install 'sirjax[beam]'"),
        (KeyError("shape"), "KeyError: 'shape' (--debug shows where)"),
        (RuntimeError(), "RuntimeError: (--debug shows where)"),
        (
            RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmany\nlines"),
            "out of memory: take a smaller batch (RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.)",
        ),
    ],
)
def test_one_line_with_the_remedy(error, text):
    assert one_line(error) == text


def test_a_run_with_the_settings_of_another_version_is_recognized():
    with pytest.raises(AttributeError) as caught:
        _ = ConfigDict({"uv_size": 16}).albedo_maps
    text = one_line(caught.value)
    assert text == (
        "the settings lack albedo_maps: another version of sirjax wrote them; configs/default.py shows what belongs "
        "there"
    )


def test_endless_messages_are_cut():
    assert one_line(ValueError("x" * 5000)) == "x" * 600 + " ... (--debug shows all)"


def test_the_extras_exist():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert all(f'"{extra}": [' in setup for extra in EXTRAS.values())
