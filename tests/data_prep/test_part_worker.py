import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_prep import part_worker
from data_prep.landmark_files import LandmarkFiles
from data_prep.part_worker import Settings, make_rows
from data_prep.source import Entry, RawImage
from sirjax.data.images import decode_image
from tests.data_prep.photos import drawn_face, jpeg, landmark_tree, pts


def encoded(image, format, **options):
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def png_bomb():
    """A valid PNG header that promises 40,000 x 40,000 pixels, in a few bytes."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 40000, 40000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def hostile_files():
    """File name -> (bytes, what the manifest must say, or None where it becomes a sample)."""
    image, _ = drawn_face(0)
    rgba = np.dstack([image, np.full(image.shape[:2], 200, np.uint8)])
    deep = io.BytesIO()
    Image.fromarray(image[..., 0].astype(np.uint16) * 257).save(deep, "PNG")
    good = jpeg(image)
    return {
        "truncated.jpg": (good[: len(good) // 2], "the JPEG file is cut off before its end"),
        "truncated.png": (encoded(image, "PNG")[:-40], "the PNG file is cut off before its end"),
        "header-only.jpg": (good[:12], "the file is cut off inside its header"),
        "empty.jpg": (b"", "the file is empty"),
        "text.jpg": (b"<html>404 not found</html>", "not an image format that sirjax reads"),
        "bomb.png": (png_bomb(), "40000 x 40000 pixels are 1600.0 megapixels, the limit is 100"),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a git-LFS pointer"),
        "mislabelled.jpg": (encoded(image, "PNG"), None),
        "mislabelled.png": (good, None),
        "grey.jpg": (encoded(image[..., 0], "JPEG"), None),
        "alpha.png": (encoded(rgba, "PNG"), None),
        "cmyk.jpg": (encoded(Image.fromarray(image).convert("CMYK"), "JPEG"), None),
        "16-bit.png": (deep.getvalue(), None),
        "übergröße 写真 .jpg": (good + b"\0", None),
    }


@pytest.fixture(scope="module")
def hostile_rows(tmp_path_factory):
    root = tmp_path_factory.mktemp("hostile")
    _, landmarks = drawn_face(0)
    for name, (data, _) in hostile_files().items():
        (root / name).write_bytes(data)
        (root / name).with_suffix(".pts").write_text(pts(landmarks))
    undecodable = os.fsencode(root) + b"/\xff\xfe.jpg"
    with open(undecodable, "wb") as file:
        file.write(jpeg(drawn_face(0)[0]))
    with open(undecodable[:-4] + b".pts", "w") as file:
        file.write(pts(landmarks))
    source = LandmarkFiles(root)
    return {row.name: row for row in make_rows(source, source.entries(), Settings())}


@pytest.mark.parametrize("name", hostile_files())
def test_a_hostile_file_becomes_a_sample_or_a_reason(hostile_rows, name):
    row, reason = hostile_rows[name], hostile_files()[name][1]
    if reason is None:
        assert row.reason == ""
        assert decode_image(row.sample.image).shape == (112, 96, 3)
    else:
        assert row.sample is None
        assert reason in row.reason


def test_a_name_that_is_no_text_becomes_one(hostile_rows):
    assert hostile_rows[r"\udcff\udcfe.jpg"].sample is not None


def test_rows_keep_the_order_of_entries_over_groups(tmp_path, monkeypatch):
    source = LandmarkFiles(landmark_tree(tmp_path, 7))
    (tmp_path / "afw" / "0001.jpg").write_bytes(b"")
    whole = make_rows(source, source.entries(), Settings())
    monkeypatch.setattr(part_worker, "GROUP_PHOTOS", 2)
    grouped = make_rows(source, source.entries(), Settings())
    assert [row.name for row in grouped] == [entry.name for entry in source.entries()]
    assert [row.digest for row in grouped] == [row.digest for row in whole]
    assert [row.name for row in grouped if row.sample is None] == ["afw/0001.jpg"]


def test_what_is_read_is_told_while_it_is_read(tmp_path, monkeypatch):
    source = LandmarkFiles(landmark_tree(tmp_path, 3))
    monkeypatch.setattr(part_worker, "GROUP_PHOTOS", 2)
    told = []
    make_rows(source, source.entries(), Settings(), told.append)
    # "" before faces are searched for: an image is not to blame for what happens then.
    assert told == ["afw/0001.jpg", "afw/0002.jpg", "", "helen/train/0000.jpg", ""]


class Troublesome:
    """A source in which everything goes wrong that nobody foresaw."""

    def read(self, entry):
        if entry.name == "bug":
            raise KeyError("pt2d")
        if entry.name == "disk":
            raise OSError(5, "Input/output error")
        if entry.name == "wrong":
            return RawImage(pixels=np.zeros((4, 4)))
        image, landmarks = drawn_face(1)
        return RawImage(pixels=image, landmarks=landmarks)


def test_what_nobody_foresaw_costs_one_image():
    rows = make_rows(Troublesome(), [Entry(name) for name in ("bug", "disk", "good", "wrong")], Settings())
    assert [row.sample is not None for row in rows] == [False, False, True, False]
    assert rows[0].reason == "unexpected KeyError: 'pt2d'"
    assert rows[1].reason == "the file cannot be read (Input/output error)"
    assert rows[3].reason == "float64 pixels of shape [4, 4], expected uint8 [H, W, 3]"
    assert [row.unreadable for row in rows] == [False, True, False, False]


def test_quality_png_loses_nothing(tmp_path):
    source = LandmarkFiles(landmark_tree(tmp_path, 1))
    (row,) = make_rows(source, source.entries(), Settings(quality=None))
    assert row.sample.image.startswith(b"\x89PNG")
