import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.data import photo_backgrounds
from sirjax.data.photo_backgrounds import (
    MIN_HEIGHT,
    MIN_WIDTH,
    BackgroundPhoto,
    PhotoBackgrounds,
    draw_patch,
    free_rectangles,
    licence_of_set,
    people,
)
from sirjax.training.licences import is_free

RED, BLUE = (200, 30, 20), (20, 40, 190)


def jpeg(image):
    return cv2.imencode(".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()


def half_red_half_blue(height=160, width=200):
    """Red on the left, where it is free, blue on the right."""
    image = np.full((height, width, 3), BLUE, np.uint8)
    image[:, : width // 2] = RED
    return BackgroundPhoto("half.jpg", jpeg(image), np.array([[0, 0, width // 2 - 8, height]]))


def ramp(height=224, width=192):
    """Red grows to the right and green downward, a level per pixel: a patch says where it comes from."""
    v, u = np.mgrid[:height, :width]
    image = np.stack([u, v, np.full_like(u, 128)], axis=-1).astype(np.uint8)
    return BackgroundPhoto("ramp.jpg", jpeg(image), np.array([[0, 0, width, height]]))


boxes_in_pictures = st.tuples(
    st.integers(60, 130),
    st.integers(50, 130),
    st.lists(st.tuples(st.floats(-30, 140), st.floats(-30, 140), st.floats(0.5, 60), st.floats(0.5, 60)), max_size=5),
)


@settings(max_examples=40)
@given(boxes_in_pictures)
def test_every_free_patch_lies_in_a_rectangle_and_no_rectangle_touches_what_is_blocked(drawn):
    height, width, faces = drawn
    blocked = np.array([(u, v, u + w, v + h) for u, v, w, h in faces], float).reshape(-1, 4)
    rectangles = free_rectangles((height, width), blocked)
    v, u = np.mgrid[:height, :width]
    taken = np.zeros((height, width), bool)
    for left, top, right, bottom in blocked:
        taken |= (u + 1 > left) & (u < right) & (v + 1 > top) & (v < bottom)
    for left, top, right, bottom in rectangles:
        assert 0 <= left <= right - MIN_WIDTH
        assert right <= width
        assert 0 <= top <= bottom - MIN_HEIGHT
        assert bottom <= height
        assert not taken[top:bottom, left:right].any()
    windows = np.lib.stride_tricks.sliding_window_view(taken, (MIN_HEIGHT, MIN_WIDTH))
    for top, left in zip(*np.nonzero(~windows.any(axis=(2, 3))), strict=True):
        corner = np.array([left, top, -left - MIN_WIDTH, -top - MIN_HEIGHT])
        assert (rectangles * (1, 1, -1, -1) <= corner).all(axis=1).any()


def test_a_picture_without_people_is_free_as_a_whole_and_a_small_one_not_at_all():
    nobody = np.zeros((0, 4))
    assert free_rectangles((300, 400), nobody).tolist() == [[0, 0, 400, 300]]
    assert free_rectangles((MIN_HEIGHT - 1, 400), nobody).shape == (0, 4)
    assert free_rectangles((300, MIN_WIDTH - 1), nobody).shape == (0, 4)


def test_people_are_heads_with_hair_and_bodies_to_the_ground():
    # A face of 20 x 30: half a width beside it, 0.6 heights above and 0.4 below; from the chin on 1.1 widths beside it.
    got = people(np.array([[100.0, 50.0, 120.0, 80.0]]))
    np.testing.assert_allclose(got, [[90, 32, 130, 92], [78, 80, 142, 320]])


@settings(max_examples=50)
@given(st.integers(0, 2**32), st.integers(MIN_WIDTH, 300), st.integers(MIN_HEIGHT, 300))
def test_patches_lie_in_the_free_rectangle_and_have_the_proportions_of_crops(seed, width, height):
    free = np.array([[7, 11, 7 + width, 11 + height]])
    left, top, right, bottom = draw_patch(np.random.default_rng(seed), free)
    assert left >= 7
    assert right <= 7 + width
    assert top >= 11
    assert bottom <= 11 + height
    assert right - left >= MIN_WIDTH
    assert abs((bottom - top) - (right - left) * 112 / 96) <= 1


def test_patches_come_from_everywhere_in_all_sizes():
    free = np.array([[0, 0, 240, 280]])
    drawn = np.array([draw_patch(np.random.default_rng(seed), free) for seed in range(400)])
    widths = drawn[:, 2] - drawn[:, 0]
    # Evenly over the logarithm: half of them below the geometric mean of 40 and 240.
    assert 0.4 < np.mean(widths < np.sqrt(40 * 240)) < 0.6
    assert (drawn[:, :2].min(axis=0) < 5).all()
    assert (drawn[:, 2:].max(axis=0) > (235, 275)).all()


def test_larger_rectangles_are_taken_more_often():
    free = np.array([[0, 0, 60, 70], [100, 0, 280, 70]])  # 1 to 3
    first = [draw_patch(np.random.default_rng(seed), free)[0] < 100 for seed in range(600)]
    assert 0.19 < np.mean(first) < 0.31


def test_patches_keep_the_colors_and_show_only_what_is_free():
    lent = PhotoBackgrounds((half_red_half_blue(),), share=1.0)
    for seed in range(40):
        patch = lent.draw(np.random.default_rng(seed))
        assert patch.shape == (112, 96, 3)
        assert patch.dtype == np.float32
        np.testing.assert_allclose(patch * 255, np.broadcast_to(RED, patch.shape), atol=4)


def test_some_patches_are_mirrored_and_none_is_turned():
    lent = PhotoBackgrounds((ramp(),), share=1.0)
    slopes = []
    for seed in range(60):
        patch = lent.draw(np.random.default_rng(seed))
        slopes.append(patch[:, 60, 0].mean() - patch[:, 30, 0].mean())
        assert patch[80, :, 1].mean() > patch[30, :, 1].mean()
    assert 0.3 < np.mean(np.array(slopes) > 0) < 0.7


def test_some_patches_are_blurred(rng, monkeypatch):
    noise = rng.integers(0, 255, (112, 96, 3), np.uint8)
    lent = PhotoBackgrounds((BackgroundPhoto("noise.jpg", jpeg(noise), np.array([[0, 0, 96, 112]])),), share=1.0)

    def sharpness():
        drawn = [lent.draw(np.random.default_rng(seed)) for seed in range(60)]
        return np.array([np.abs(np.diff(patch, axis=0)).mean() for patch in drawn])

    some = sharpness()
    monkeypatch.setattr(photo_backgrounds, "BLURRED", 0.0)
    none = sharpness()
    assert 0.3 < np.mean(some < none) < 0.7
    assert (some[some < none] < 0.9 * none[some < none]).all()


def test_the_share_of_photos_gets_a_patch_and_all_photos_lend():
    photos = (half_red_half_blue(), ramp())
    drawn = [PhotoBackgrounds(photos, share=0.25).draw(np.random.default_rng(seed)) for seed in range(400)]
    lent = [patch for patch in drawn if patch is not None]
    assert 0.19 < len(lent) / 400 < 0.31
    plain = np.mean([patch.std(axis=(0, 1)).max() < 0.02 for patch in lent])
    assert 0.3 < plain < 0.7
    assert PhotoBackgrounds(photos, share=0.0).draw(np.random.default_rng(0)) is None


def test_the_same_generator_draws_the_same_patch():
    lent = PhotoBackgrounds((half_red_half_blue(), ramp()), share=1.0)
    first, second = (lent.draw(np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("face_model", "photos", "together", "free"),
    [
        ("CC0-1.0", "CC0-1.0, my own photos", "CC0-1.0, my own photos", True),
        ("CC0-1.0", "for research", "for research", False),
        ("CC-BY-4.0", "for research", "faces: CC-BY-4.0; backgrounds: for research", False),
        ("research only", "CC0-1.0", "faces: research only; backgrounds: CC0-1.0", False),
        ("", "CC0-1.0", "faces: unknown; backgrounds: CC0-1.0", False),
    ],
)
def test_a_set_is_free_only_if_face_model_and_photos_are(face_model, photos, together, free):
    assert licence_of_set(face_model, photos) == together
    assert is_free(together) is free


def test_photos_of_unknown_terms_are_not_free():
    assert not is_free(photo_backgrounds.UNKNOWN_LICENCE)
