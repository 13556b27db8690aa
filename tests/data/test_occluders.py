import numpy as np
import pytest

from sirjax.data import occluders, scenes
from tests.face_models import landmark_layout

PERSON = scenes.draw_person(np.random.default_rng(1), 6)
LANDMARKS = landmark_layout() * (40, -40) + (47.5, 60)
KINDS = ["_glasses", "_sunglasses", "_hand", "_strand", "_scarf", "_object"]


def changed(draw, seed, landmarks=LANDMARKS):
    image = np.full((112, 96, 3), 0.5, np.float32)
    return (np.abs(draw(np.random.default_rng(seed), image, landmarks, PERSON, 0.9) - image) > 0.02).any(axis=-1)


@pytest.mark.parametrize("kind", KINDS)
def test_each_thing_covers_part_of_the_picture(kind):
    shares = [changed(getattr(occluders, kind), seed).mean() for seed in range(20)]
    assert 0.005 < np.median(shares) < 0.4
    assert max(shares) < 0.7


@pytest.mark.parametrize("kind", KINDS)
def test_collapsed_and_far_landmarks_are_survived(kind):
    for landmarks in (np.full((68, 2), 40.0), LANDMARKS * 1e4):
        for seed in range(5):
            assert changed(getattr(occluders, kind), seed, landmarks).shape == (112, 96)


def test_sunglasses_darken_the_eyes():
    image = np.full((112, 96, 3), 0.8, np.float32)
    worn = occluders._sunglasses(np.random.default_rng(0), image, LANDMARKS, PERSON, 1.0)
    for eye in (slice(36, 42), slice(42, 48)):
        u, v = np.round(LANDMARKS[eye].mean(axis=0)).astype(int)
        assert worn[v, u].mean() < 0.5


def test_a_scarf_covers_the_mouth_and_leaves_the_eyes():
    for seed in range(10):
        covered = changed(occluders._scarf, seed)
        u, v = np.round(LANDMARKS[57]).astype(int)
        assert covered[v, u]
        for point in LANDMARKS[36:48]:
            u, v = np.round(point).astype(int)
            assert not covered[v, u]


def test_the_same_generator_draws_the_same_thing_in_range():
    image = np.full((112, 96, 3), 0.5, np.float32)
    for seed in range(30):
        first, second = (
            occluders.draw_occluder(np.random.default_rng(seed), image, LANDMARKS, PERSON, 1.0) for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)
        assert first.dtype == np.float32
        assert first.min() >= 0
        assert first.max() <= 1
