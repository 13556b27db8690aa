import numpy as np
import pytest

from sirjax.pictures import window
from sirjax.pictures.window import Window, surface
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)
SQUARE = np.array([[10.4, 20.4, 1.0], [100.0, 20.4, 1.0], [10.4, 90.0, 3.0], [100.0, 90.0, 3.0]])
TRIANGLES = np.array([[0, 2, 1], [1, 2, 3]], np.int32)


def test_the_window_holds_all_vertices():
    around = Window.around(SQUARE)
    assert (around.low.tolist(), around.side, around.step) == ([9, 19], 128, 1.0)
    np.testing.assert_allclose(around.placed(SQUARE), SQUARE - [9, 19, 0])


def test_what_is_larger_than_any_window_is_drawn_smaller(monkeypatch):
    monkeypatch.setattr(window, "SIDES", (32, 64))
    around = Window.around(SQUARE)
    assert around.side == 64
    assert around.step == pytest.approx((100.0 - 9 + 2) / 64)
    # The center of the first photo pixel of the window lies half a photo pixel from its edge, also when drawn smaller.
    corner = around.placed(np.array([[9.0, 19.0, 4.0]]))
    np.testing.assert_allclose(corner, [[0.5 / around.step - 0.5, 0.5 / around.step - 0.5, 4.0 / around.step]])
    image, mask = around.enlarged(np.ones((64, 64, 2), np.float32), np.ones((64, 64), np.float32))
    assert image.shape == (93, 93, 2)
    assert mask.shape == (93, 93)


@pytest.mark.parametrize(
    ("low", "expected"),
    [
        ((5, 7), (5, 7, 10, 10)),
        ((-4, -3), (0, 0, 7, 6)),  # height, width of what is inside
        ((95, 75), (95, 75, 5, 5)),
        ((200, 0), (200, 0, 10, 0)),
    ],
)
def test_only_what_lies_in_the_photo_is_kept(low, expected):
    left, top, inside = Window(np.array(low), 10, 1.0).inside((10, 10), (80, 100))
    assert (left, top, *np.zeros((10, 10))[inside].shape) == expected


def test_values_between_vertices_are_interpolated_and_empty_pixels_are_zero():
    values, mask = surface(SQUARE, SQUARE[:, :2], TRIANGLES, (128, 128))
    v, u = np.nonzero(mask)
    assert (u.min(), u.max(), v.min(), v.max()) == (11, 99, 21, 89)
    np.testing.assert_allclose(values[v, u], np.stack([u, v], axis=1), atol=1e-3)
    assert (values[~mask] == 0).all()


def test_the_nearer_surface_is_seen():
    behind = SQUARE - [0, 0, 5]
    both = np.concatenate([behind, SQUARE])
    values, _ = surface(both, both[:, 2:], np.concatenate([TRIANGLES, TRIANGLES + 4]), (128, 128))
    assert values[50, 50, 0] > 1
