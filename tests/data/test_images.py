import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.data import images
from tests.data.samples import picture

SAMPLINGS = (
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
)


def jpeg(image, *options):
    return cv2.imencode(".jpg", image, options)[1].tobytes()


def by_opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def test_png_keeps_every_pixel():
    np.testing.assert_array_equal(images.decode_image(images.encode_image(picture(), quality=None)), picture())


def test_jpeg_keeps_smooth_pictures_and_their_channel_order():
    decoded = images.decode_image(images.encode_image(picture()))
    assert np.abs(decoded.astype(int) - picture()).mean() < 2


def test_saturated_edges_keep_their_color():
    # With chroma subsampling the red stripe of one pixel would bleed: its own column would lose half its color.
    image = np.full((112, 96, 3), 255, np.uint8)
    image[:, 40] = (255, 0, 0)
    decoded = images.decode_image(images.encode_image(image)).astype(int)
    assert decoded[:, 40, 1].mean() < 30


def test_bytes_that_are_no_image_are_refused():
    for data in (b"", b"nonsense"):
        with pytest.raises(ValueError, match=f"{len(data)} bytes that are no readable image"):
            images.decode_image(data)


def test_an_image_of_another_size_is_refused():
    data = cv2.imencode(".png", np.zeros((10, 20, 3), np.uint8))[1].tobytes()
    with pytest.raises(ValueError, match=r"an image of \(10, 20\) pixels \(height, width\), crops have \(112, 96\)"):
        images.decode_image(data)
    with pytest.raises(ValueError, match="a crop is uint8"):
        images.encode_image(np.zeros((10, 20, 3), np.uint8))


@given(
    seed=st.integers(0, 1000),
    quality=st.integers(1, 100),
    sampling=st.sampled_from(SAMPLINGS),
    progressive=st.booleans(),
    gray=st.booleans(),
    noisy=st.booleans(),
)
def test_every_jpeg_has_the_pixels_opencv_gives_it(seed, quality, sampling, progressive, gray, noisy):
    image = np.random.default_rng(seed).integers(0, 256, (112, 96, 3), np.uint8) if noisy else picture(seed)
    data = jpeg(
        image[..., 0] if gray else image,
        *(cv2.IMWRITE_JPEG_QUALITY, quality),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling),
        *(cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)),
    )
    np.testing.assert_array_equal(images.decode_image(data), by_opencv(data))


def test_a_turned_jpeg_is_read_as_opencv_reads_it():
    upright = jpeg(picture())
    # TIFF, big endian: one entry, orientation (0x112, one short) 3, half a turn.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0\0\0\0\0"
    exif = b"\xff\xe1" + (len(tiff) + 8).to_bytes(2, "big") + b"Exif\0\0" + tiff
    turned = images.decode_image(upright[:2] + exif + upright[2:])
    np.testing.assert_array_equal(turned, by_opencv(upright)[::-1, ::-1])


@pytest.mark.parametrize("quality", [95, None])
def test_an_image_is_decoded_into_the_row_it_is_wanted_in(quality):
    rows = np.full((3, 112, 96, 3), 7, np.uint8)
    data = images.encode_image(picture(), quality=quality)
    images.decode_image(data, into=rows[1])
    np.testing.assert_array_equal(rows[1], by_opencv(data))
    assert (rows[[0, 2]] == 7).all()


@pytest.mark.parametrize("shape", [(96, 112), (56, 48), (224, 192)])
def test_a_jpeg_of_another_size_is_refused(shape):
    with pytest.raises(ValueError, match=rf"an image of \({shape[0]}, {shape[1]}\) pixels \(height, width\), crops"):
        images.decode_image(jpeg(np.zeros((*shape, 3), np.uint8)), into=np.empty((112, 96, 3), np.uint8))
