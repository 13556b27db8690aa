"""Pictures are embedded, with a text for those who cannot see them."""

import numpy as np
import pytest

from sirjax.report import Picture, Pictures
from tests.report.pages import parse_part, words

IMAGE = np.zeros((8, 6, 3), np.uint8)


def test_each_row_is_a_card_of_its_pictures():
    section = Pictures(
        "pairs", [[Picture(IMAGE, 'a "b" <c>'), Picture(IMAGE)], [Picture(IMAGE)]], caption="worst first"
    )
    root = parse_part(section.html("s"))
    cards = [card for card in root.iter("div") if card.get("class") == "card"]
    assert [len(card.findall(".//img")) for card in cards] == [2, 1]
    assert [image.get("alt") for image in root.iter("img")] == ['a "b" <c>', "picture", "picture"]
    assert {(i.get("width"), i.get("height"), i.get("src")[:22]) for i in root.iter("img")} == {
        ("6", "8", "data:image/jpeg;base64")
    }
    assert words(root.find(".//p")) == "worst first"
    assert section.figures() is None


def test_a_picture_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"picture 'face' must be uint8 \[H, W, 3\], got float64 \[8, 6, 3\]"):
        Picture(IMAGE / 255.0, "face")
