"""Writes MXNet RecordIO packs for tests, by the format's description."""

import struct

MAGIC = struct.pack("<I", 0xCED7230A)


def part(flag, data):
    return MAGIC + struct.pack("<I", flag << 29 | len(data)) + data + bytes(-len(data) % 4)


def record(data):
    """One record; the data is split at every aligned magic number, as dmlc-core does."""
    cuts = [i for i in range(0, len(data) - 3, 4) if data[i : i + 4] == MAGIC]
    pieces = [data[start:end] for start, end in zip([0, *(cut + 4 for cut in cuts)], [*cuts, len(data)], strict=True)]
    if len(pieces) == 1:
        return part(0, data)
    flags = [1, *[2] * (len(pieces) - 2), 3]
    return b"".join(part(flag, piece) for flag, piece in zip(flags, pieces, strict=True))


def packed(label, number, image=b""):
    """The data of a record: one label, or a list of them."""
    if isinstance(label, list):
        return struct.pack("<IfQQ", len(label), 0.0, number, 0) + struct.pack(f"<{len(label)}f", *label) + image
    return struct.pack("<IfQQ", 0, label, number, 0) + image


def write_pack(folder, records, size="3,112,112"):
    """train.rec, train.idx and property of a list of (number, record data)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, content = [], b""
    for number, data in records:
        lines.append(f"{number}\t{len(content)}\n")
        content += record(data)
    (folder / "train.rec").write_bytes(content)
    (folder / "train.idx").write_text("".join(lines))
    (folder / "property").write_text(size)
