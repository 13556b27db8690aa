"""Reads a photo from disk into upright 8-bit RGB, or says exactly why not.

Formats: JPEG, PNG, WebP, BMP, GIF (first frame) and TIFF (first page). The header is read before any pixel is decoded,
so a small file that would unpack into gigabytes is refused. Handled on the way: EXIF orientation, grey, palette, alpha,
CMYK and 16-bit images, and any file name.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Shaped, UInt8

MAX_MEGAPIXELS = 100.0
MAX_FILE_MEBIBYTES = 512
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")

_ORIENTATION_TAG, _WIDTH_TAG, _HEIGHT_TAG = 0x112, 0x100, 0x101
_UNSUPPORTED = {
    b"ftypavif": "AVIF",
    b"ftypavis": "AVIF",
    b"ftyphei": "HEIC",
    b"ftypmif1": "HEIC",
    b"ftypmsf1": "HEIC",
    b"ftypqt": "QuickTime video",
    b"ftypisom": "MP4 video",
    b"ftypmp4": "MP4 video",
}


class PhotoError(ValueError):
    """A photo that cannot be used; `status` is one word for tables: missing, unreadable or too_large."""

    def __init__(self, message: str, status: str = "unreadable"):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class PhotoHeader:
    """What a file says about its image before decoding."""

    format: str
    width: int  # pixels as stored, before the orientation is applied
    height: int
    orientation: int = 1  # EXIF, 1 to 8
    channels: int | None = None  # where the format's fixed header tells


@dataclass(frozen=True)
class Photo:
    """An upright photo."""

    image: np.ndarray  # u8 [H, W, 3] RGB
    header: PhotoHeader
    notes: tuple[str, ...]  # what had to be done to the stored pixels, in words


def read_photo(
    path: str | Path,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    background: tuple[int, int, int] = (255, 255, 255),
) -> Photo:
    """Reads a photo; transparent pixels are blended with `background`.

    Raises:
      PhotoError: naming the file, what is wrong with it and what to do.
    """
    path = Path(path)
    data = _read_bytes(path)
    try:
        return decode_photo(data, max_megapixels=max_megapixels, background=background)
    except PhotoError as error:
        raise PhotoError(f"{path}: {error}", error.status) from None


def decode_photo(
    data: bytes,
    *,
    max_megapixels: float = MAX_MEGAPIXELS,
    background: tuple[int, int, int] = (255, 255, 255),
) -> Photo:
    """Decodes the bytes of a photo's file, whatever it is called; see `read_photo`.

    Raises:
      PhotoError: what is wrong with it and what to do.
    """
    header = read_header(data)
    megapixels = header.width * header.height / 1e6
    if megapixels > max_megapixels:
        raise PhotoError(
            f"{header.width} x {header.height} pixels are {megapixels:.1f} megapixels, the limit is "
            f"{max_megapixels:g}: shrink the photo, or raise the limit if you trust the file",
            "too_large",
        )
    pixels = _decode(np.frombuffer(data, np.uint8))
    if pixels is None:
        raise PhotoError(f"the {header.format} data is damaged: save the photo again from its source")
    if pixels.shape[:2] != (header.height, header.width):
        raise PhotoError(
            f"the {header.format} header promises {header.width} x {header.height} pixels but the data holds "
            f"{pixels.shape[1]} x {pixels.shape[0]}: save the photo again from its source"
        )
    image, notes = _to_rgb(pixels, header, background)
    return Photo(image, header, notes)


def turn_points(points: Float[np.ndarray, "N 2"], photo: Photo) -> Float[np.ndarray, "N 2"]:
    """Carries points (u, v) of the pixels as stored to the upright photo, as its EXIF orientation asks."""
    u, v = np.asarray(points, np.float64).T
    if photo.header.orientation in (5, 6, 7, 8):
        u, v = v, u
    last_v, last_u = photo.image.shape[0] - 1, photo.image.shape[1] - 1
    u = last_u - u if photo.header.orientation in (2, 3, 6, 7) else u
    v = last_v - v if photo.header.orientation in (3, 4, 7, 8) else v
    return np.stack([u, v], axis=1)


def list_photos(paths: list[Path]) -> list[Path]:
    """Files as given; folders become the photos below them (by suffix, hidden files left out), in sorted order."""
    photos = []
    for path in paths:
        if path.is_dir():
            below = (p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            photos += sorted(p for p in below if not any(part.startswith(".") for part in p.relative_to(path).parts))
        else:
            photos.append(path)
    return list(dict.fromkeys(photos))


def read_header(data: bytes) -> PhotoHeader:
    """Format, size and orientation of an encoded image, without decoding it.

    Raises:
      PhotoError: if the data is empty, cut off or in no format that sirjax reads.
    """
    if not data:
        raise PhotoError("the file is empty: copy or download it again")
    for magic, parse in _PARSERS.items():
        if data.startswith(magic):
            try:
                header = parse(data)
            except (struct.error, IndexError):
                raise PhotoError("the file is cut off inside its header: copy or download it again") from None
            if header.width <= 0 or header.height <= 0:
                raise PhotoError(f"the {header.format} header promises {header.width} x {header.height} pixels")
            return header
    known = next((name for magic, name in _UNSUPPORTED.items() if data[4:].startswith(magic)), None)
    what = f"{known} is not read" if known else f"not an image format that sirjax reads (starts with {data[:8]!r})"
    raise PhotoError(f"{what}: convert it to JPEG, PNG, WebP, BMP, GIF or TIFF")


def _read_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise PhotoError(f"{path}: is a folder, not a photo")
    if not path.exists():
        raise PhotoError(f"{path}: no such file", "missing")
    if not path.is_file():
        raise PhotoError(f"{path}: is not a regular file")
    try:
        mebibytes = path.stat().st_size / 2**20
        if mebibytes > MAX_FILE_MEBIBYTES:
            raise PhotoError(
                f"{path}: the file has {mebibytes:.0f} MiB, the limit is {MAX_FILE_MEBIBYTES}: shrink the photo",
                "too_large",
            )
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read ({error.strerror})") from None


def _decode(data: UInt8[np.ndarray, " N"]) -> Shaped[np.ndarray, "H W *C"] | None:
    """The stored pixels; None if OpenCV gives up, which some of its versions say by an exception."""
    try:
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None


def _to_rgb(
    pixels: Shaped[np.ndarray, "H W *C"], header: PhotoHeader, background: tuple[int, int, int]
) -> tuple[UInt8[np.ndarray, "H2 W2 3"], tuple[str, ...]]:
    notes = []
    premultiplied = header.format == "TIFF" and pixels.dtype == np.uint8  # libtiff's RGBA interface
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
        notes.append("16-bit")
    elif pixels.dtype != np.uint8:
        raise PhotoError(f"{pixels.dtype} samples are not read: save the photo with 8 or 16 bits")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        image = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
        notes.append("grey")
    elif pixels.shape[2] == 3:
        image = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
        if header.channels == 4:
            notes.append("CMYK, converted without its color profile")
    elif pixels.shape[2] == 4:
        rgba = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
        image, alpha = np.ascontiguousarray(rgba[..., :3]), rgba[..., 3:]
        if alpha.min() < 255:
            opacity = alpha.astype(np.float32) / 255
            own = image if premultiplied else image * opacity
            image = np.rint(own + (1 - opacity) * np.asarray(background, np.float32)).clip(0, 255).astype(np.uint8)
            notes.append("transparent, blended with the background")
    else:
        raise PhotoError(f"{pixels.shape[2]} channels are not read: save the photo as RGB")
    if header.orientation != 1 and header.format != "TIFF":  # libtiff turns the pixels itself
        image = np.ascontiguousarray(_upright(image, header.orientation))
        notes.append(f"turned by its EXIF orientation {header.orientation}")
    return image, tuple(notes)


def _upright(image: UInt8[np.ndarray, "H W 3"], orientation: int) -> UInt8[np.ndarray, "H2 W2 3"]:
    turned = image.transpose(1, 0, 2) if orientation in (5, 6, 7, 8) else image
    turned = turned[:, ::-1] if orientation in (2, 3, 6, 7) else turned
    return turned[::-1] if orientation in (3, 4, 7, 8) else turned


def _parse_jpeg(data: bytes) -> PhotoHeader:
    size, orientation, position = None, 1, 2
    while True:
        while data[position] != 0xFF:  # stray bytes between segments
            position += 1
        marker, position = data[position + 1], position + 2
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:  # padding and markers without a length
            position -= marker == 0xFF
            continue
        if marker in (0xD9, 0xDA):  # the coded pixels
            break
        (length,) = struct.unpack_from(">H", data, position)
        segment = data[position + 2 : position + length]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            size = struct.unpack_from(">xHHB", segment)
        elif marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _orientation(segment[6:])
        position += length
    if size is None:
        raise PhotoError("the JPEG header holds no image size: save the photo again from its source")
    if data.rfind(b"\xff\xd9") < position:
        raise PhotoError("the JPEG file is cut off before its end: copy or download it again")
    return PhotoHeader("JPEG", width=size[1], height=size[0], orientation=orientation, channels=size[2])


def _parse_png(data: bytes) -> PhotoHeader:
    size, orientation, complete, position = None, 1, False, 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, position + 8)
        elif kind == b"eXIf":
            orientation = _orientation(data[position + 8 : position + 8 + length])
        elif kind == b"IEND":
            complete = True
            break
        position += 12 + length
    if size is None or not complete:
        raise PhotoError("the PNG file is cut off before its end: copy or download it again")
    return PhotoHeader("PNG", width=size[0], height=size[1], orientation=orientation)


def _parse_riff(data: bytes) -> PhotoHeader:
    (promised,) = struct.unpack_from("<I", data, 4)
    if data[8:12] != b"WEBP":
        raise PhotoError(f"RIFF data of type {data[8:12]!r} is not an image: convert it to JPEG or PNG")
    if len(data) < promised + 8:
        raise PhotoError("the WebP file is cut off before its end: copy or download it again")
    size, orientation = None, 1
    for kind, body in _riff_chunks(data):
        if kind == b"VP8X":
            size = tuple(int.from_bytes(body[i : i + 3], "little") + 1 for i in (4, 7))
        elif kind == b"VP8L" and size is None:
            (bits,) = struct.unpack_from("<I", body, 1)
            size = ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
        elif kind == b"VP8 " and size is None:
            size = tuple(side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        elif kind == b"EXIF":
            orientation = _orientation(body.removeprefix(b"Exif\0\0"))
    if size is None:
        raise PhotoError("the WebP file holds no image: save the photo again from its source")
    return PhotoHeader("WebP", width=size[0], height=size[1], orientation=orientation)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        yield kind, data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _parse_gif(data: bytes) -> PhotoHeader:
    width, height = struct.unpack_from("<HH", data, 6)
    return PhotoHeader("GIF", width=width, height=height)


def _parse_bmp(data: bytes) -> PhotoHeader:
    (header_size,) = struct.unpack_from("<I", data, 14)
    width, height = struct.unpack_from("<HH" if header_size == 12 else "<ii", data, 18)
    return PhotoHeader("BMP", width=width, height=abs(height))  # negative: rows stored from the top


def _parse_tiff(data: bytes) -> PhotoHeader:
    tags = _first_ifd(data)
    if _WIDTH_TAG not in tags or _HEIGHT_TAG not in tags:
        raise PhotoError("the TIFF header holds no image size (BigTIFF is not read): convert it to PNG")
    width, height, orientation = tags[_WIDTH_TAG], tags[_HEIGHT_TAG], tags.get(_ORIENTATION_TAG, 1)
    if orientation in (5, 6, 7, 8):
        width, height = height, width  # libtiff turns the pixels while decoding
    return PhotoHeader("TIFF", width=width, height=height, orientation=orientation)


def _orientation(exif: bytes) -> int:
    """EXIF orientation, or 1 where the block is damaged: a photo is not worth losing over its metadata."""
    try:
        value = _first_ifd(exif).get(_ORIENTATION_TAG, 1)
    except struct.error:
        return 1
    return value if 1 <= value <= 8 else 1


def _first_ifd(data: bytes) -> dict[int, int]:
    """The integer tags of a TIFF block's first directory (also the format of EXIF)."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return {}
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    tags = {}
    for i in range(count):
        tag, kind, _ = struct.unpack_from(f"{order}HHI", data, start + 2 + 12 * i)
        if kind in (3, 4):  # SHORT, LONG
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, start + 10 + 12 * i)
    return tags


_PARSERS = {
    b"\xff\xd8\xff": _parse_jpeg,
    b"\x89PNG\r\n\x1a\n": _parse_png,
    b"RIFF": _parse_riff,
    b"GIF87a": _parse_gif,
    b"GIF89a": _parse_gif,
    b"BM": _parse_bmp,
    b"II*\0": _parse_tiff,
    b"MM\0*": _parse_tiff,
}
