import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sirjax.export.maps import sixteen_bits, write_map

DEPTH = np.array([[0.0, 12.345, np.nan], [-50.0, 400.0, -400.0]], np.float32)
NORMALS = np.array([[[0, 0, 1], [1, 0, 0], [np.nan] * 3], [[0, -1, 0], [0.6, 0.8, 0], [0, 0, -1]]], np.float32)


def decoded_png(data):
    """16-bit RGB pixels by the PNG specification, where common readers give 8 bits."""
    position, packed, size = 8, b"", None
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
            assert tuple(body[8:13]) == (16, 2, 0, 0, 0)  # 16 bits, RGB, not interlaced
        packed += body if kind == b"IDAT" else b""
        position += 12 + length
    width, height = size
    lines, above, rows, step = zlib.decompress(packed), bytes(6 * width), [], 6
    for i in range(height):
        kind, line = lines[i * (6 * width + 1)], bytearray(lines[i * (6 * width + 1) + 1 : (i + 1) * (6 * width + 1)])
        for k in range(len(line)):
            left, up, corner = (line[k - step] if k >= step else 0), above[k], (above[k - step] if k >= step else 0)
            nearest = min((left, up, corner), key=lambda byte: abs(left + up - corner - byte))
            line[k] = (line[k] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        rows.append(line)
        above = bytes(line)
    return np.frombuffer(b"".join(rows), ">u2").reshape(height, width, 3)


def test_depth_counts_hundredths_of_a_millimeter_from_the_middle(tmp_path):
    with Image.open(write_map(tmp_path / "depth.png", DEPTH)) as image:
        pixels = np.asarray(image).astype(int)
    assert pixels.tolist() == [[32768, 34002, 0], [27768, 65535, 1]]  # 1234.5 rounds to even
    back = (pixels[0, :2] - 32768) / 100
    np.testing.assert_allclose(back, DEPTH[0, :2], atol=0.006)


def test_normals_are_red_right_green_up_blue_to_the_viewer(tmp_path):
    pixels = decoded_png(write_map(tmp_path / "normals.png", NORMALS).read_bytes())
    assert pixels[0].tolist() == [[32768, 32768, 65535], [65535, 32768, 32768], [0, 0, 0]]
    np.testing.assert_allclose((pixels[1].astype(float) - 32768) / 32767, NORMALS[1], atol=2e-5)


def test_numbers_themselves_are_kept_as_npy(tmp_path):
    for name, values in (("depth", DEPTH), ("normals", NORMALS)):
        read = np.load(write_map(tmp_path / f"{name}.npy", values), allow_pickle=False)
        np.testing.assert_array_equal(read, values)
        assert read.dtype == np.float32


def test_nothing_is_zero_and_nothing_else_is():
    assert sixteen_bits(np.array([[-1e9, np.nan]], np.float32)).tolist() == [[1, 0]]


def test_another_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"maps are written as \.png or \.npy, got 'depth\.exr'"):
        write_map(tmp_path / "depth.exr", DEPTH)
