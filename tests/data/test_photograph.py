import numpy as np

from sirjax.data import images
from sirjax.data.photograph import photograph
from tests.data.samples import picture


def test_a_photo_is_a_noisy_copy_of_the_scene():
    scene = (picture() / 255).astype(np.float32)
    errors = []
    for seed in range(30):
        decoded = images.decode_image(photograph(np.random.default_rng(seed), scene))
        errors.append(np.abs(decoded / 255 - scene).mean())
    assert 0.003 < np.median(errors) < 0.06
    assert max(errors) < 0.15


def test_values_beyond_white_and_black_are_clipped(rng):
    decoded = images.decode_image(photograph(rng, np.full((112, 96, 3), 5.0)))
    assert decoded.mean() > 250


def test_the_same_generator_takes_the_same_photo():
    scene = picture() / 255
    assert photograph(np.random.default_rng(1), scene) == photograph(np.random.default_rng(1), scene)
