"""MXNet's RecordIO files: reads single records by their byte offset, without mxnet.

    record   magic 0xced7230a, u32 flag << 29 | length, data, zeros up to a multiple of 4     (little-endian)
    data     u32 count, f32 label, u64 id, u64 id2, then f32 x count labels if count > 0, then the image file

A record whose data holds the magic number is split there: flags 1, 2, ..., 3 mark first, middle and last part, and the
magic number between them is not stored (dmlc-core, recordio.h).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from data_prep.source import Rejected

MAGIC = 0xCED7230A
MAX_LABELS = 1024  # a person's record has 2; the limit keeps a damaged count from claiming gigabytes
_PART = struct.Struct("<II")
_HEADER = struct.Struct("<IfQQ")
_WHOLE, _FIRST, _LAST = 0, 1, 3


@dataclass(frozen=True)
class RecordHeader:
    """What a record says before its image."""

    flag: int  # how many labels follow the fixed header; 0: the one label is in it
    labels: tuple[float, ...]
    number: int  # the record's own
    image_bytes: int  # length of what follows the header


class RecordFile:
    """Reads single records of one file."""

    def __init__(self, path: Path):
        self.path = path

    def read(self, offset: int) -> tuple[RecordHeader, bytes]:
        """Header and image of the record that begins at a byte offset.

        Raises:
          Rejected: if there is no whole record there.
        """
        with self.path.open("rb") as file:
            flag, length = self._begin(file, offset)
            parts = [self._read(file, length, offset)]
            while flag not in (_WHOLE, _LAST):
                position = file.tell() + -length % 4
                flag, length = self._part(file, position)
                parts.append(self._read(file, length, position))
        data = struct.pack("<I", MAGIC).join(parts)
        header = _parse_header(data, len(data), offset)
        return header, data[len(data) - header.image_bytes :]

    def read_header(self, offset: int) -> RecordHeader:
        """The header alone; reads a few bytes only, of the first part where a record is split.

        Raises:
          Rejected: if there is none.
        """
        with self.path.open("rb") as file:
            _, length = self._begin(file, offset)
            return _parse_header(file.read(min(length, _HEADER.size + 4 * MAX_LABELS)), length, offset)

    def _begin(self, file: BinaryIO, offset: int) -> tuple[int, int]:
        flag, length = self._part(file, offset)
        if flag not in (_WHOLE, _FIRST):
            raise Rejected(f"byte {offset} of {self.path.name} is inside a record: .idx is of another .rec")
        return flag, length

    def _part(self, file: BinaryIO, offset: int) -> tuple[int, int]:
        """Flag and length of the part at `offset`; leaves the file at its data."""
        file.seek(offset)
        head = file.read(_PART.size)
        if len(head) < _PART.size:
            raise Rejected(f"{self.path.name} ends before byte {offset + _PART.size}: copy or download it again")
        magic, flag_and_length = _PART.unpack(head)
        if magic != MAGIC:
            raise Rejected(f"no record begins at byte {offset} of {self.path.name}: .idx is of another .rec")
        return flag_and_length >> 29, flag_and_length & (1 << 29) - 1

    def _read(self, file: BinaryIO, length: int, offset: int) -> bytes:
        data = file.read(length)
        if len(data) != length:
            raise Rejected(f"{self.path.name} ends inside the record at byte {offset}: copy or download it again")
        return data


def read_index(path: Path) -> dict[int, int]:
    """Record number -> byte offset, from an .idx file.

    Raises:
      ValueError: if a line is not two numbers; the message names it.
    """
    offsets = {}
    with path.open("rb") as file:
        for line_number, line in enumerate(file, start=1):
            words = line.split()
            if len(words) != 2 or not all(word.isdigit() for word in words):
                raise ValueError(f"{path}, line {line_number}: {line[:60]!r} is not a record number and a byte offset")
            offsets[int(words[0])] = int(words[1])
    return offsets


def _parse_header(data: bytes, length: int, offset: int) -> RecordHeader:
    """The header of a record of `length` bytes, of which `data` is the beginning."""
    if len(data) < _HEADER.size:
        raise Rejected(f"the record at byte {offset} is too short for its header")
    flag, label, number, _ = _HEADER.unpack_from(data)
    if flag == 0:
        return RecordHeader(0, (label,), number, length - _HEADER.size)
    size = _HEADER.size + 4 * flag
    if flag > MAX_LABELS or len(data) < size:
        raise Rejected(f"the record at byte {offset} claims {flag} labels")
    return RecordHeader(flag, struct.unpack_from(f"<{flag}f", data, _HEADER.size), number, length - size)
