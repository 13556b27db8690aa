"""Reads the files of a raw data set; says what is wrong with them in words the manifest can keep."""

from collections.abc import Iterable
from pathlib import Path

from data_prep.source import Rejected
from sirjax.photo import MAX_FILE_MEBIBYTES

_MAX_BYTES = MAX_FILE_MEBIBYTES * 2**20
GIT_LFS_POINTER = b"version https://git-lfs.github.com/spec/"


def read_bytes(path: Path, name: str | None = None) -> bytes:
    """The content of one file of one image.

    Args:
      path: the file.
      name: what messages call it: manifests hold no machine's paths. By default the file's own name.

    Raises:
      Rejected: if it is missing, unreadable, enormous, or a pointer left by git-LFS.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise Rejected(f"{name} is missing") from None
    except OSError as error:
        raise Rejected(f"{name} cannot be read ({error.strerror})") from None
    if len(data) > _MAX_BYTES:
        raise Rejected(f"{name} has more than {MAX_FILE_MEBIBYTES} MiB, the limit")
    if data.startswith(GIT_LFS_POINTER):
        raise Rejected(f"{name} is a git-LFS pointer, not the file itself: run `git lfs pull` in the data set's folder")
    return data


def read_range(path: Path, start: int, length: int, what: str) -> bytes:
    """A part of a file that holds many images.

    Args:
      path: the file.
      start: byte where the part begins.
      length: bytes of the part.
      what: what messages call the part.

    Raises:
      Rejected: if the file is unreadable or ends before the part does.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(length)
    except OSError as error:
        raise Rejected(f"{path.name} cannot be read ({error.strerror})") from None
    if len(data) != length:
        raise Rejected(f"{path.name} ends inside the {what} at byte {start}")
    return data


def file_stamp(path: Path) -> tuple[int, ...]:
    """(bytes, modification time in ns), or () without the file: kept in entries, so that a changed file is noticed."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_size, status.st_mtime_ns)


def read_text(path: Path, page: str) -> str:
    """A list that the whole data set depends on.

    Args:
      path: the file.
      page: where to get it.

    Raises:
      FileNotFoundError: if there is none.
      ValueError: if it is a git-LFS pointer or not text.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"{path} is missing: get it from {page}") from None
    if data.startswith(GIT_LFS_POINTER):
        raise ValueError(f"{path} is a git-LFS pointer, not the file itself: run `git lfs pull` in its folder")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text ({error}): get it again from {page}") from None


def find_folder(root: Path, expected: Iterable[str], what: str, page: str, nested: Iterable[str] = ()) -> Path:
    """The folder that holds a data set: `root`, or one of the `nested` folders in which archives pack it.

    Args:
      root: what the user named.
      expected: names of which one must be inside (glob patterns).
      what: the data set's name.
      page: where to get it.
      nested: folders below `root` to look at as well.

    Raises:
      FileNotFoundError: if none of them holds any of the expected names.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: name the one that {what} was unpacked to ({page})")
    expected = list(expected)
    for folder in (root, *(root / name for name in nested)):
        if folder.is_dir() and any(True for pattern in expected for _ in folder.glob(pattern)):
            return folder
    wanted = " or ".join(expected)
    raise FileNotFoundError(f"{root} is not {what}: it holds no {wanted}. Request or download the data from {page}")
