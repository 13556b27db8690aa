"""Whatever text, numbers and arrays contain, a page stays a page."""

import base64
import json

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sirjax.report import markup
from tests.report.pages import parse_part, words


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_any_text_comes_back_from_elements_and_attributes(content):
    root = parse_part(f'<p title="{markup.text(content)}">{markup.text(content)}</p>')
    shown = markup._FORBIDDEN.sub("\ufffd", content).replace("\r\n", "\n").replace("\r", "\n")
    paragraph = root.find(".//p")
    assert words(paragraph) == shown
    assert paragraph.get("title") == shown
    words(paragraph).encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.945, "0.945"),
        (94.53123, "94.53"),
        (12345.678, "12,346"),
        (1e-5, "1e-05"),
        (-0.0123456, "-0.01235"),
        (6000, "6,000"),
        (np.int32(7), "7"),
        (np.float32(0.5), "0.5"),
        (1.0, "1"),
        (float("nan"), "n/a"),
        (-np.inf, "n/a"),
    ],
)
def test_numbers_are_short(value, shown):
    assert markup.number(value) == shown


def test_truth_values_are_no_numbers():
    assert not markup.is_number(True)
    assert not markup.is_number(np.bool_(False))
    assert markup.is_number(np.float32(1))


def test_json_is_strict_and_stays_inside_its_element():
    value = {"</script>": np.array([1.5, np.nan]), 2: (np.float32(np.inf), None, True), "path": object}
    encoded = markup.to_json(value)
    assert "<" not in encoded
    decoded = json.loads(encoded)
    assert decoded["</script>"] == [1.5, None]
    assert decoded["2"] == [None, None, True]


def test_bytes_are_little_endian_row_by_row():
    array = np.arange(6, dtype=">u2").reshape(2, 3).T
    assert base64.b64decode(markup.to_base64(array)) == b"\0\0\3\0\1\0\4\0\2\0\5\0"


def test_pictures_keep_their_colors():
    image = np.zeros((16, 24, 3), np.uint8)
    image[:, :12], image[:, 12:] = (200, 30, 30), (20, 40, 190)
    prefix, data = markup.image_source(image).split(",")
    assert prefix == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_allclose(decoded.astype(int), image, atol=8)


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), "x"])
def test_what_is_no_picture_is_refused(image):
    with pytest.raises(ValueError, match=r"picture 'face' must be uint8 \[H, W, 3\], got .*; scale to 0 ... 255"):
        markup.require_picture(image, "face")


def test_plain_values_are_figures_or_the_words_themselves():
    assert [markup.plain(value) for value in (1234.5678, "a < b", np.float32(0.5))] == ["1,235", "a < b", "0.5"]
