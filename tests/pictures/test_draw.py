import numpy as np
import pytest

from sirjax.pictures import draw


def canvas(height=80, width=100):
    return np.full((height, width, 3), 30, np.uint8)


def changed(image):
    return np.argwhere((image != 30).any(axis=-1))


def test_each_landmark_gets_a_mark_on_its_pixel():
    points = np.stack(np.meshgrid(np.arange(5, 100, 6), np.arange(6, 70, 12)), axis=-1).reshape(-1, 2)[:68] + 0.0
    marked = draw.draw_landmarks(canvas(), points)
    for u, v in points.astype(int):
        assert marked[v, u].tolist() == list(draw.GREEN)


def test_strokes_stay_between_their_points():
    # All points in the left half: nothing may reach the right one.
    points = np.random.default_rng(0).uniform([10, 10], [40, 70], (68, 2))
    assert changed(draw.draw_landmarks(canvas(), points))[:, 1].max() < 45


def center_of_ink(image):
    ink = image[..., 1].astype(float) - 30
    rows, columns = np.indices(ink.shape)
    return np.array([(ink * rows).sum(), (ink * columns).sum()]) / ink.sum()


def test_marks_are_drawn_at_fractions_of_a_pixel():
    whole, half = (draw.draw_landmarks(canvas(), np.full((68, 2), 40.0 + offset)) for offset in (0.0, 0.5))
    np.testing.assert_allclose(center_of_ink(whole), 40.0, atol=0.25)  # OpenCV's small discs are not quite centered
    np.testing.assert_allclose(center_of_ink(half), 40.5, atol=0.25)


def test_numbers_are_extra():
    points = np.random.default_rng(0).uniform(10, 70, (68, 2))
    plain, numbered = draw.draw_landmarks(canvas(), points), draw.draw_landmarks(canvas(), points, numbered=True)
    assert (plain != numbered).any()


def test_pictures_given_are_left_alone():
    image = canvas()
    draw.draw_landmarks(image, np.full((68, 2), 20.0))
    draw.draw_box(image, np.array([10.0, 10, 50, 50]), label="0")
    assert (image == 30).all()


def test_a_box_is_drawn_on_its_edges():
    marked = draw.draw_box(canvas(), np.array([20.0, 10, 60, 50]), thickness=1)
    for row, column in ((10, 40), (50, 40), (30, 20), (30, 60)):
        assert marked[row, column].tolist() == list(draw.YELLOW)
    assert marked[30, 40].tolist() == [30, 30, 30]


def test_an_unknown_box_is_left_out():
    np.testing.assert_array_equal(draw.draw_box(canvas(), np.full(4, np.nan), label="0"), canvas())


def test_a_caption_is_shrunk_to_its_strip():
    strip = draw.caption("a very long caption that would never fit into so few pixels", 120)
    assert strip.shape == (26, 120, 3)
    inked = np.argwhere((strip != draw.PAPER).any(axis=-1))[:, 1]
    assert inked.min() >= 2
    assert inked.max() <= 117


def test_letters_that_the_font_lacks_become_question_marks():
    np.testing.assert_array_equal(draw.caption("é", 60), draw.caption("?", 60))


@pytest.mark.parametrize(("shape", "inside"), [((50, 100), (20, 40)), ((200, 100), (40, 20)), ((10, 10), (40, 40))])
def test_fit_keeps_the_aspect_and_centers(shape, inside):
    tile = draw.fit(np.zeros((*shape, 3), np.uint8), 40, 40)
    dark = np.argwhere((tile < 100).all(axis=-1))
    assert tuple(dark.max(axis=0) - dark.min(axis=0) + 1) == inside
    np.testing.assert_allclose(dark.mean(axis=0), 19.5, atol=0.5)


def test_numbers_outside_the_unit_interval_are_clipped():
    values = np.array([[[-1.0, 0.5, 2.0]]])
    assert draw.to_uint8(values).tolist() == [[[0, 128, 255]]]


def test_a_blank_image_has_one_color():
    image = draw.blank(3, 2, (1, 2, 3))
    assert image.shape == (3, 2, 3)
    assert image.dtype == np.uint8
    assert (image == (1, 2, 3)).all()
