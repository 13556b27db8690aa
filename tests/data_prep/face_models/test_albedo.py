import numpy as np
import pytest

from data_prep.face_models.albedo import mean_albedo
from data_prep.face_models.raw import EYE, SKIN
from sirjax.morphable.model import landmarks_of
from tests.data_prep.face_models import published

POINTS = np.asarray(landmarks_of(published.MODEL, published.MODEL.mean[None])[0], np.float64)


def paint(colors=None, parts=None, size=64):
    return mean_albedo(
        published.MEAN, published.TRIANGLES, published.UV, published.TRIANGLES, POINTS, colors, parts, size=size
    )


def at(albedo, place):
    """The texel at a place (x, y) of the dome, whose layout is its frontal view."""
    u, v = 0.5 + 0.475 * np.asarray(place) / 75 * [1, -1]
    return albedo[int(v * len(albedo)), int(u * len(albedo))]


@pytest.fixture(scope="module")
def painted():
    return paint()


def test_lips_are_red_and_brows_dark(painted):
    albedo, _ = painted
    skin, lips, brow = (at(albedo, place) for place in ((0, 60), POINTS[48:60, :2].mean(axis=0), POINTS[19, :2]))
    assert lips[0] - lips[1] > skin[0] - skin[1]
    assert brow.mean() < 0.8 * skin.mean()


def test_eyes_of_skin_have_a_white_and_a_pupil(painted):
    albedo, _ = painted
    eye = POINTS[36:42, :2]
    pupil, white = at(albedo, eye.mean(axis=0)), at(albedo, 0.25 * eye.mean(axis=0) + 0.75 * eye[0])
    assert pupil.mean() < 0.5 * white.mean()
    assert white[2] > at(albedo, (0, 60))[2]  # less red than skin


def test_the_map_is_symmetric_and_filled_everywhere(painted):
    albedo, mask = painted
    np.testing.assert_allclose(albedo, albedo[:, ::-1], atol=1e-6)
    np.testing.assert_array_equal(mask, mask[:, ::-1])
    assert albedo.min() > 0
    np.testing.assert_array_equal(mask[0], False)
    assert mask[2:-2, 2:-2].all()


def test_colors_of_vertices_are_spread(painted):
    y = published.MEAN[:, 1:2]
    colors = np.concatenate([0.5 + y / 200, np.full_like(y, 0.25), 0.5 - y / 200], axis=1)
    albedo, _ = paint(colors=colors)
    rows = 75 * (0.5 - (np.arange(64) + 0.5) / 64) / 0.475
    inside = np.s_[4:-4]
    np.testing.assert_allclose(albedo[inside, 32, 0], 0.5 + rows[inside] / 200, atol=5e-3)
    np.testing.assert_allclose(albedo[..., 1], 0.25, atol=1e-6)


def test_eyes_have_a_pupil_in_the_middle():
    middle = np.array([30.0, 20.0])
    near = np.abs(published.MEAN[:, :2]) - middle
    parts = np.where((np.linalg.norm(near, axis=1) < 20) & (published.MEAN[:, 1] > 0), EYE, SKIN)
    ball = published.MEAN[(parts == EYE) & (published.MEAN[:, 0] > 0)]
    center = ((ball.min(axis=0) + ball.max(axis=0)) / 2)[:2]
    albedo, _ = paint(parts=parts, size=128)
    assert at(albedo, center).max() < 0.1
    assert at(albedo, center * [-1, 1]).max() < 0.1
