import dataclasses

import numpy as np
import pytest

from sirjax.data import sample as samples
from tests.data.samples import sample

FULL = sample(3, person="Ada/ä", landmarks=True, truth=True)


def assert_same(left, right):
    for field in dataclasses.fields(left):
        one, other = getattr(left, field.name), getattr(right, field.name)
        if dataclasses.is_dataclass(one):
            assert_same(one, other)
        elif isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other)
        else:
            assert one == other


@pytest.mark.parametrize(
    "given", [FULL, sample(1), sample(2, person="x"), sample(4, landmarks=True), sample(5, truth=True)]
)
def test_a_message_gives_the_sample_back_exactly(given):
    assert_same(samples.from_message(samples.to_message(given)), given)


def test_the_matrix_keeps_all_64_bits():
    # A float32 matrix would move points of a 6,000 px photo by about 1e-4 px each way.
    again = samples.from_message(samples.to_message(FULL))
    assert again.crop_from_photo.dtype == np.float64
    np.testing.assert_array_equal(again.crop_from_photo, FULL.crop_from_photo)


def test_the_same_sample_gives_the_same_bytes():
    assert samples.to_message(FULL) == samples.to_message(sample(3, person="Ada/ä", landmarks=True, truth=True))


def test_the_layout_names_the_fields_and_their_sizes():
    assert samples.layout(sample(0, quality=90)) == {"image": "jpeg"}
    assert samples.layout(FULL) == {
        "image": "png",
        "identity": (),
        "landmarks": (68, 2),
        "truth_shape": (5,),
        "truth_expression": (3,),
        "truth_rotation": (3, 3),
        "truth_landmarks": (68, 2),
    }


def test_an_image_that_is_not_encoded_is_refused():
    with pytest.raises(ValueError, match="'a' is neither JPEG nor PNG"):
        samples.layout(samples.Sample("a", b"raw", np.eye(2, 3)))
