"""TFRecord files without tensorflow: where the records are, and one record at a time.

    record   u64 length, u32 masked CRC-32C of it, data, u32 masked CRC-32C of the data     (little-endian)

The checksums are not compared: the images inside are checked when they are decoded.
"""

import struct
from pathlib import Path

from data_prep.raw_files import read_range

_LENGTH = struct.Struct("<Q")
_CHECKSUM_BYTES = 4


def record_places(path: Path) -> list[tuple[int, int]]:
    """(byte offset of the data, length) of every record; reads the lengths only.

    Raises:
      ValueError: if the file ends inside a record.
    """
    size = path.stat().st_size
    places = []
    position = 0
    with path.open("rb") as file:
        while position < size:
            file.seek(position)
            head = file.read(_LENGTH.size)
            start = position + _LENGTH.size + _CHECKSUM_BYTES
            length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else size
            position = start + length + _CHECKSUM_BYTES
            if position > size:
                raise ValueError(f"{path} ends inside record {len(places)}: copy it again, or it is no TFRecord file")
            places.append((start, length))
    return places


def read_record(path: Path, place: tuple[int, int]) -> bytes:
    """The data of one record.

    Raises:
      Rejected: if the file no longer holds it.
    """
    return read_range(path, *place, "record")
