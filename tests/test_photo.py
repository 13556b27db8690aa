import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from sirjax import photo
from sirjax.photo import PhotoError, list_photos, read_header, read_photo


def scene():
    """Four colors, a different one in each corner, so that every turn shows."""
    image = np.zeros((40, 64, 3), np.uint8)
    image[:20, :32], image[:20, 32:] = (200, 30, 10), (10, 180, 40)
    image[20:, :32], image[20:, 32:] = (10, 60, 220), (240, 240, 200)
    return image


def encoded(image, format, **options):
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def written(tmp_path, data, name="photo.bin"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_come_back_exactly(tmp_path, format):
    options = {"lossless": True} if format == "WEBP" else {}
    got = read_photo(written(tmp_path, encoded(scene(), format, **options)))
    np.testing.assert_array_equal(got.image, scene())
    assert got.notes == ()


def test_jpeg_comes_back_closely(tmp_path):
    got = read_photo(written(tmp_path, encoded(scene(), "JPEG", quality=98, subsampling=0)))
    np.testing.assert_allclose(got.image.astype(int), scene(), atol=6)


def test_names_with_any_letters_are_read(tmp_path):
    got = read_photo(written(tmp_path, encoded(scene(), "PNG"), "Ünïcode 写真 .png"))
    np.testing.assert_array_equal(got.image, scene())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_applied(tmp_path, format, orientation):
    exif = Image.Exif()
    exif[0x112] = orientation
    options = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    data = encoded(scene(), format, exif=exif, **options)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    got = read_photo(written(tmp_path, data)).image
    assert got.shape == upright.shape
    np.testing.assert_allclose(got.astype(int), upright, atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_points_turn_with_the_pixels(format, orientation):
    stored = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    exif = Image.Exif()
    exif[0x112] = orientation
    got = photo.decode_photo(encoded(stored, format, exif=exif))
    v, u = np.mgrid[:5, :7].reshape(2, -1)
    turned = photo.turn_points(np.stack([u, v], axis=1).astype(float), got).astype(int)
    np.testing.assert_array_equal(got.image[turned[:, 1], turned[:, 0]], stored[v, u])


def test_damaged_exif_does_not_cost_the_photo(tmp_path):
    data = encoded(scene(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f", quality=98, subsampling=0)
    assert read_photo(written(tmp_path, data)).header.orientation == 1


def test_grey_and_one_bit_images_become_rgb(tmp_path):
    grey = scene()[..., 0]
    for data, expected in [
        (encoded(grey, "PNG"), grey),
        (encoded(grey, "JPEG", quality=100), grey),
        (encoded(Image.fromarray(grey > 100), "PNG"), np.where(grey > 100, 255, 0)),
    ]:
        got = read_photo(written(tmp_path, data))
        assert got.notes == ("grey",)
        np.testing.assert_allclose(got.image.astype(int), np.repeat(expected[..., None], 3, axis=2), atol=1)


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    # 257 is one step of 8 bits: 128 more rounds down, 129 more rounds up.
    deep = np.array([[[0, 257, 65535], [257 * 9 + 128, 257 * 9 + 129, 257 * 254]]], np.uint16)
    data = cv2.imencode(".png", deep[..., ::-1])[1].tobytes()
    got = read_photo(written(tmp_path, data))
    assert got.notes == ("16-bit",)
    np.testing.assert_array_equal(got.image, [[[0, 1, 255], [9, 10, 254]]])


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_blended_with_the_background(tmp_path, format):
    rgba = np.dstack([scene(), np.full((40, 64), 255, np.uint8)])
    rgba[:20, :32, 3], rgba[20:, 32:, 3] = 0, 128
    data = encoded(Image.fromarray(rgba), format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    got = read_photo(written(tmp_path, data), background=(100, 110, 120))
    assert got.notes == ("transparent, blended with the background",)
    opacity = rgba[..., 3:] / 255
    expected = opacity * scene() + (1 - opacity) * [100, 110, 120]
    np.testing.assert_allclose(got.image, expected, atol=1.01)


def test_opaque_alpha_changes_nothing(tmp_path):
    rgba = np.dstack([scene(), np.full((40, 64), 255, np.uint8)])
    got = read_photo(written(tmp_path, encoded(rgba, "PNG")))
    assert got.notes == ()
    np.testing.assert_array_equal(got.image, scene())


def test_a_palette_with_a_transparent_color_is_blended(tmp_path):
    indices = (scene()[..., 0] > 100).astype(np.uint8)
    palette = Image.fromarray(indices, mode=None).convert("P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    got = read_photo(written(tmp_path, encoded(palette, "PNG", transparency=0)))
    expected = np.where(indices[..., None] == 1, [200, 100, 50], 255)
    np.testing.assert_array_equal(got.image, expected)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    data = encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=98, subsampling=0)
    got = read_photo(written(tmp_path, data))
    assert got.notes == ("CMYK, converted without its color profile",)
    np.testing.assert_allclose(got.image.astype(int), scene(), atol=8)


def test_animations_give_their_first_frame(tmp_path):
    frames = [Image.fromarray(np.full((30, 30, 3), value, np.uint8)) for value in (200, 20)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    np.testing.assert_allclose(read_photo(written(tmp_path, data)).image.astype(int), 200, atol=1)


def huge_png(width, height):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


def test_enormous_images_are_refused_before_decoding(tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "_decode", lambda data: pytest.fail("decoded"))
    path = written(tmp_path, huge_png(60000, 40000))
    with pytest.raises(
        PhotoError, match=r"60000 x 40000 pixels are 2400\.0 megapixels, the limit is 100: shrink"
    ) as error:
        read_photo(path)
    assert error.value.status == "too_large"
    assert str(path) in str(error.value)


def test_the_size_limit_can_be_moved(tmp_path):
    path = written(tmp_path, encoded(scene(), "PNG"))  # 2,560 pixels
    assert read_photo(path, max_megapixels=0.00256).image.shape == (40, 64, 3)
    with pytest.raises(PhotoError, match=r"the limit is 0\.0025"):
        read_photo(path, max_megapixels=0.0025)


def test_a_large_file_is_refused_before_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "MAX_FILE_MEBIBYTES", 0.001)
    path = written(tmp_path, b"\xff\xd8\xff" + bytes(2000))
    with pytest.raises(PhotoError, match=r"the limit is 0\.001: shrink the photo") as error:
        read_photo(path)
    assert error.value.status == "too_large"


NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
BAD_FILES = {
    "empty": (b"", "the file is empty: copy or download it again"),
    "text": (b"hello, I am text", r"not an image format that sirjax reads \(starts with b'hello, I'\): convert it to"),
    "heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC is not read: convert it to JPEG"),
    "video": (b"\0\0\0\x18ftypisom\0\0\0\0", "MP4 video is not read"),
    "wave": (b"RIFF\x24\0\0\0WAVEfmt ", "RIFF data of type b'WAVE' is not an image"),
    "stub": (b"\xff\xd8\xff", "cut off inside its header"),
    "cut jpeg": (encoded(NOISE, "JPEG")[:2000], "the JPEG file is cut off before its end"),
    "cut png": (encoded(NOISE, "PNG")[:2000], "the PNG file is cut off before its end"),
    "cut webp": (encoded(NOISE, "WEBP")[:1000], "the WebP file is cut off before its end"),
    "cut gif": (encoded(NOISE, "GIF")[:9], "cut off inside its header"),
    "cut tiff": (encoded(NOISE, "TIFF")[:6], "cut off inside its header"),
    "no size": (b"\xff\xd8\xff\xe0\0\x04ab\xff\xd9", "the JPEG header holds no image size"),
    "zero size": (huge_png(0, 40), "the PNG header promises 0 x 40 pixels"),
    "damaged": (huge_png(64, 40), "the PNG data is damaged: save the photo again"),
    "float": (cv2.imencode(".tiff", NOISE.astype(np.float32))[1].tobytes(), "float32 samples are not read"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_say_what_is_wrong(tmp_path, name):
    data, message = BAD_FILES[name]
    path = written(tmp_path, data, f"{name}.jpg")
    with pytest.raises(PhotoError, match=message) as error:
        read_photo(path)
    assert error.value.status == "unreadable"
    assert str(error.value).startswith(f"{path}: ")


def test_a_wrong_suffix_does_not_matter(tmp_path):
    path = written(tmp_path, encoded(scene(), "PNG"), "photo.jpg")
    assert read_photo(path).header.format == "PNG"


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(PhotoError, match="no such file") as error:
        read_photo(tmp_path / "nobody.jpg")
    assert error.value.status == "missing"
    with pytest.raises(PhotoError, match="is a folder, not a photo"):
        read_photo(tmp_path)


def test_header_sizes_match_the_files():
    for format in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        header = read_header(encoded(NOISE[:50, :33], format))
        assert (header.width, header.height) == (33, 50), format
    lossy = Image.fromarray(np.dstack([NOISE[:50, :33], NOISE[:50, :33, :1]]))
    assert read_header(encoded(lossy, "WEBP")).width == 33  # the extended header, for alpha


def test_folders_become_their_photos_in_order(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "sub/c.webp", ".hidden/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list_photos([tmp_path / "a.png", tmp_path, tmp_path / "nobody.jpg"])
    names = [str(path.relative_to(tmp_path)) for path in found]
    assert names == ["a.png", "b.JPG", "sub/c.webp", "nobody.jpg"]
