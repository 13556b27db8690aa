import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_prep.cropping import MAX_ENLARGEMENT, crop_matrix, cut, open_photo
from data_prep.source import Entry, RawImage, Rejected
from sirjax.data import alignment
from sirjax.data.images import decode_image
from tests.data_prep.photos import drawn_face, jpeg, template_landmarks

ENTRY = Entry("a/1.jpg", "a")


def prepared(raw, quality=None):
    photo = open_photo(raw, max_megapixels=100)
    return cut(photo, crop_matrix(photo), ENTRY, quality)


def small_photo(size=(60, 80)):
    return jpeg(np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8))


@given(
    scale=st.floats(0.3, 60),
    angle=st.floats(-3.1, 3.1),
    shift=st.tuples(st.floats(0, 6000), st.floats(0, 6000)),
    seed=st.integers(0, 99),
)
def test_landmarks_carried_to_the_crop_and_back_agree_to_a_thousandth_of_a_pixel(scale, angle, shift, seed):
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    jitter = np.random.default_rng(seed).normal(scale=1.0, size=(68, 2))
    landmarks = (template_landmarks() + jitter) @ turn.T
    landmarks += np.array(shift) - landmarks.min(axis=0)
    # A tiny stand-in for the photo: `cut` needs pixels, their number does not matter to the geometry.
    photo = open_photo(RawImage(data=small_photo()), max_megapixels=100)
    photo = type(photo)(photo.image, photo.digest, landmarks)
    sample = cut(photo, crop_matrix(photo), ENTRY, None)
    back = alignment.transform_points(alignment.invert(sample.crop_from_photo), sample.landmarks)
    np.testing.assert_allclose(back, landmarks, atol=1e-3)


def test_bright_landmarks_of_the_photo_are_bright_in_the_crop():
    image, landmarks = drawn_face(3)
    sample = prepared(RawImage(data=jpeg(image, 100), landmarks=landmarks))
    crop = decode_image(sample.image).mean(axis=2)
    inner = np.rint(sample.landmarks[17:]).astype(int)
    assert crop[inner[:, 1], inner[:, 0]].mean() > crop.mean() + 60


def test_five_points_land_on_the_template():
    _, landmarks = drawn_face(4)
    sample = prepared(RawImage(data=jpeg(drawn_face(4)[0]), landmarks=landmarks))
    got = alignment.five_points(sample.landmarks)
    np.testing.assert_allclose(got, alignment.TEMPLATE, atol=3)
    points = alignment.five_points(landmarks)
    by_points = prepared(RawImage(data=jpeg(drawn_face(4)[0]), five_points=points))
    np.testing.assert_array_equal(by_points.crop_from_photo, sample.crop_from_photo)
    assert by_points.landmarks is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_landmarks_turn_with_the_photo(orientation, format):
    image, landmarks = drawn_face(5)
    exif = Image.Exif()
    exif[0x112] = orientation
    file = io.BytesIO()
    Image.fromarray(image).save(file, format, exif=exif)
    photo = open_photo(RawImage(data=file.getvalue(), landmarks=landmarks, near=landmarks[30]), max_megapixels=100)
    stored = np.rint(landmarks).astype(int)
    upright = np.rint(photo.landmarks).astype(int)
    np.testing.assert_array_equal(
        photo.image[upright[:, 1], upright[:, 0]], image[stored[:, 1], stored[:, 0]], strict=True
    )
    np.testing.assert_allclose(photo.near, photo.landmarks[30])


def test_a_box_stays_a_box_when_the_photo_is_turned():
    exif = Image.Exif()
    exif[0x112] = 6  # stored lying on its left side: 80 wide, 60 high, upright 60 wide
    file = io.BytesIO()
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(file, "PNG", exif=exif)
    photo = open_photo(RawImage(data=file.getvalue(), near=np.array([10.0, 20, 30, 25])), max_megapixels=100)
    # (u, v) -> (59 - v, u): the corners (10, 20), (30, 25) become (39, 10), (34, 30).
    np.testing.assert_allclose(photo.near, [34, 10, 39, 30])


def test_pixels_do_as_well_as_a_file():
    image, landmarks = drawn_face(6)
    by_pixels = prepared(RawImage(pixels=image, landmarks=landmarks))
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    np.testing.assert_array_equal(
        decode_image(by_pixels.image), decode_image(prepared(RawImage(data=file.getvalue(), landmarks=landmarks)).image)
    )


def spoiled(change):
    _, landmarks = drawn_face(7)
    landmarks = landmarks.copy()
    change(landmarks)
    return landmarks


def test_jaws_cut_off_by_the_edge_are_kept():
    image, landmarks = drawn_face(7)
    top = int(landmarks[6:11, 1].min())  # the chin is below the last row
    photo = open_photo(RawImage(pixels=image[:top], landmarks=landmarks), max_megapixels=100)
    assert np.sum(photo.landmarks[:, 1] > top - 0.5) >= 4


@pytest.mark.parametrize(
    ("landmarks", "reason"),
    [
        (spoiled(lambda p: p.__setitem__(3, np.nan)), "1 of 68 landmarks are not finite"),
        (spoiled(lambda p: p.__setitem__((5, 1), np.inf)), "1 of 68 landmarks are not finite"),
        (spoiled(lambda p: p.__iadd__(500)), "68 of 68 landmarks are outside the image of 140 x 160 pixels, by up to"),
        (spoiled(lambda p: p.__setitem__(8, [70, 400])), "1 of 68 landmarks are outside the image"),
        (spoiled(lambda p: p.__itruediv__(450)), "the face is about 0.2 pixels wide, the limit is 14"),
        (spoiled(lambda p: p.__setitem__(slice(None), 50.0)), "the face cannot be aligned: a face box needs"),
        (np.zeros((5, 2)), r"landmarks of shape \[5, 2\], expected \[68, 2\]"),
    ],
    ids=["nan", "infinite", "outside", "one far outside", "divided", "all alike", "five"],
)
def test_landmarks_that_mark_no_face_are_rejected(landmarks, reason):
    with pytest.raises(Rejected, match=reason):
        prepared(RawImage(pixels=drawn_face(7)[0], landmarks=landmarks))


def test_no_image_and_no_place_are_rejected():
    with pytest.raises(Rejected, match="holds no image for this entry"):
        open_photo(RawImage(), max_megapixels=100)
    for near in (np.array([1.0, np.nan]), np.zeros(3)):
        with pytest.raises(Rejected, match="the place of the face is .* expected 2 or 4 finite numbers"):
            open_photo(RawImage(pixels=drawn_face(0)[0], near=near), max_megapixels=100)


def test_an_empty_identity_is_rejected():
    with pytest.raises(Rejected, match="the identity is empty"):
        cut(open_photo(RawImage(pixels=drawn_face(0)[0]), max_megapixels=100), np.eye(2, 3), Entry("/1.jpg", ""), 95)


def test_the_smallest_face_is_the_one_the_message_names():
    matrix = np.array([[MAX_ENLARGEMENT * 0.99, 0, 0], [0, MAX_ENLARGEMENT * 0.99, 0]])
    photo = open_photo(RawImage(pixels=drawn_face(0)[0]), max_megapixels=100)
    assert cut(photo, matrix, ENTRY, 95).identity == "a"
    with pytest.raises(Rejected, match="the face is about 13.5 pixels wide, the limit is 14"):
        cut(photo, matrix * 1.02, ENTRY, 95)
