"""Photos in one folder per person, `root/<identity>/*.jpg`: VGGFace2, CASIA-WebFace, CelebA by identity, your own.

    root/n000001/0001_01.jpg      person "n000001"; deeper folders belong to the person as well

VGGFace2's archives unpack to `train/` and `test/` folders of this kind; name the one you want. The number of classes is
read from the data. A list file (one name per line; VGGFace2's `train_list.txt` is one) restricts the photos to those
listed: a line is an identity, or a photo's path below the root.
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from data_prep.raw_files import read_bytes
from data_prep.selection import read_list
from data_prep.source import Entry, RawImage, Rejected
from sirjax.photo import MAX_FILE_MEBIBYTES, SUFFIXES


class IdentityFolders:
    """A tree of photos whose first folder is the person."""

    def __init__(self, root: str | Path, *, licence: str = "", list_path: str | Path | None = None):
        """Names the tree.

        Args:
          root: the folder that holds the people's folders.
          licence: kept in the manifest.
          list_path: take only the identities or photos listed in this file.
        """
        self.root = Path(root)
        self._listed = None if list_path is None else read_list(list_path)
        self.parameters = {
            "preparer": "identity_folders",
            "licence": licence,
            "list": None if list_path is None else Path(list_path).name,
        }

    def entries(self) -> list[Entry]:
        """Every photo, sorted by name.

        Raises:
          FileNotFoundError: if the root is no folder.
          ValueError: if it holds no person's photo.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root} is not a folder: name the one that holds a folder per person")
        found = []
        for folder in sorted(entry.name for entry in os.scandir(self.root) if entry.is_dir()):
            if folder.startswith("."):
                continue
            identity = printable(folder)
            for path, size, changed in walk_photos(self.root / folder, SUFFIXES):
                relative = f"{folder}/{path}"
                name = printable(relative)
                if self._listed is None or identity in self._listed or name in self._listed:
                    found.append(Entry(name, identity, (relative, size, changed)))
        if not found:
            wanted = "photos" if self._listed is None else "listed photos"
            raise ValueError(
                f"{self.root} holds no {wanted} in folders: they are expected as <person>/<photo>.jpg "
                f"({', '.join(SUFFIXES)})"
            )
        return sorted(found, key=lambda entry: entry.name)

    def read(self, entry: Entry) -> RawImage:
        """The photo's bytes; the face has yet to be found.

        Raises:
          Rejected: if the file cannot be read or is enormous.
        """
        return RawImage(data=read_photo_file(self.root, entry))


def walk_photos(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """(relative path, bytes, modification time in ns) of the files with these suffixes below a folder.

    Hidden files and folders, and what is no regular file (a pipe would be read for ever), are left out.
    """
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                for path, size, changed in walk_photos(Path(entry.path), suffixes):
                    yield f"{entry.name}/{path}", size, changed
            elif entry.name.lower().endswith(suffixes) and entry.is_file():
                status = entry.stat()
                yield entry.name, status.st_size, status.st_mtime_ns


def read_photo_file(root: Path, entry: Entry) -> bytes:
    """The bytes of the photo of an entry whose `where` begins with (relative path, bytes, modification time).

    Raises:
      Rejected: if the file cannot be read or is enormous.
    """
    path, size = entry.where[:2]
    if size > MAX_FILE_MEBIBYTES * 2**20:
        raise Rejected(f"the file has {size / 2**20:.0f} MiB, the limit is {MAX_FILE_MEBIBYTES}")
    return read_bytes(root / path, entry.name)


def printable(name: str) -> str:
    """A file name as text that can be stored: bytes that are not UTF-8 become backslash escapes."""
    text = name.encode("utf-8", "backslashreplace").decode()
    return name if text == name else text  # the same object: of millions of names, only one copy is kept


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of this source."""
    parser.add_argument("--licence", default="", help="terms of the photos, kept in the manifest")
    parser.add_argument("--list", type=Path, help="take only the identities or photos listed here, one a line")


def from_arguments(args: argparse.Namespace) -> IdentityFolders:
    """The source that the command line names."""
    return IdentityFolders(args.raw, licence=args.licence, list_path=args.list)
