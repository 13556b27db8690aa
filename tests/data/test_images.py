import cv2
import numpy as np
import pytest

from sirjax.data import images
from tests.data.samples import picture


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
