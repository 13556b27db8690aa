import dataclasses

import numpy as np
import pytest

from sirjax.data import heads, scenes
from tests.face_models import dome_face_model

PERSON = scenes.draw_person(np.random.default_rng(1), 6)
LIGHT = np.concatenate([np.full((1, 3), 1.128), np.zeros((8, 3))])


@pytest.fixture(scope="module")
def landmarks():
    model = dome_face_model()
    corners = np.asarray(model.mean)[np.asarray(model.landmark_vertices)]
    return (corners * np.asarray(model.landmark_weights)[..., None]).sum(axis=1).astype(float)


def paint(landmarks, rotation=None, **changes):
    rotation = np.eye(3) if rotation is None else rotation
    person = dataclasses.replace(PERSON, **changes)
    skull = heads.skull(landmarks)
    return heads.draw_head(np.random.default_rng(0), person, skull, rotation, 0.45, np.array([47.5, 60.0]), LIGHT)


def test_the_skull_lies_behind_the_face_between_the_ears(landmarks):
    skull = heads.skull(landmarks)
    assert skull.center[0] == pytest.approx(0, abs=1e-3)
    assert skull.center[2] < landmarks[30, 2]
    assert skull.width == pytest.approx(np.linalg.norm(landmarks[16] - landmarks[0]))
    assert skull.hairline > landmarks[19:25, 1].max()


def test_layers_are_premultiplied_pictures(landmarks):
    for layer in dataclasses.astuple(paint(landmarks, hair_length=0.9)):
        assert layer.shape == (4, 112, 96)
        assert layer.dtype == np.float32
        assert layer[3].min() >= 0
        assert layer[3].max() <= 1 + 1e-5
        assert np.abs(layer[:3, layer[3] == 0]).max() == 0


def test_hair_grows_above_the_face_and_not_over_eyes_and_mouth(landmarks):
    front = paint(landmarks, hair_length=0.3, hairline=0.0).front[3]
    pixels = landmarks[:, :2] * (0.45, -0.45) + (47.5, 60)
    for u, v in np.round(pixels[27:]).astype(int):  # nose, eyes, mouth
        assert front[v, u] < 0.02
    top = np.clip(np.round(60 - 0.45 * (landmarks[19, 1] + 60)).astype(int), 0, 111)
    assert front[top, 47] > 0.9


def test_bald_heads_have_no_hair(landmarks):
    layers = paint(landmarks, hair_length=0.0)
    assert layers.front[3].max() == 0
    assert layers.behind[3].max() > 0.9


def test_long_hair_falls_beside_the_neck(landmarks):
    short, long = (paint(landmarks, hair_length=length).behind[3].sum() for length in (0.2, 1.0))
    assert long > 1.1 * short


def test_the_outline_is_that_of_the_projected_ellipsoid(rng):
    rotation = scenes.rotation_from_degrees(10, 40, 5)
    center, radii, scale, shift = rng.normal(0, 5, 3), np.array([60.0, 80, 70]), 0.5, np.array([48.0, 55])
    mask, point, normal = heads._ellipsoid(center, radii, (rotation, scale, shift))
    # Oracle: 200,000 points of the surface, projected; the mask must cover exactly the pixels they reach.
    sphere = rng.normal(size=(200_000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    seen = ((center + radii * sphere) @ rotation.T)[:, :2] * (scale, -scale) + shift
    reached = np.zeros((112, 96), bool)
    inside = np.round(seen).astype(int)
    inside = inside[(inside >= 0).all(axis=1) & (inside < (96, 112)).all(axis=1)]
    reached[inside[:, 1], inside[:, 0]] = True
    assert ((mask > 0.5) != reached).mean() < 0.02
    hit = np.stack(point, axis=-1)[mask > 0.5]
    np.testing.assert_allclose((((hit - center) / radii) ** 2).sum(axis=1), 1, atol=1e-3)
    outward = np.stack(normal, axis=-1)[mask > 0.5] @ rotation  # back to the model frame
    expected = (hit - center) / radii**2
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(outward, expected, atol=2e-3)
