import numpy as np

from sirjax.data import backgrounds


def test_backdrops_are_pictures_and_differ():
    drawn = [backgrounds.draw_background(np.random.default_rng(seed), (112, 96)) for seed in range(60)]
    for image in drawn:
        assert image.shape == (112, 96, 3)
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert image.max() <= 1
    assert np.std([image.mean() for image in drawn]) > 0.1  # dark and bright ones
    assert np.mean([image.std(axis=(0, 1)).mean() > 0.01 for image in drawn]) > 0.9  # nearly none is flat


def test_the_same_generator_draws_the_same_backdrop():
    first, second = (backgrounds.draw_background(np.random.default_rng(5), (112, 96)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_noise_has_the_size_asked_for(rng):
    coarse, fine = (backgrounds.smooth_noise(rng, (60, 80), cells, 2) for cells in (3, 40))
    assert coarse.shape == fine.shape == (60, 80, 2)
    assert np.abs(np.diff(coarse, axis=1)).mean() < 0.2 * np.abs(np.diff(fine, axis=1)).mean()
