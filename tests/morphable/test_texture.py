import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.morphable.texture import mirror_albedo, resize_albedo


def test_mirroring_reverses_the_columns(rng):
    albedo = rng.uniform(size=(2, 8, 8, 3))
    mirrored = np.asarray(mirror_albedo(jnp.asarray(albedo)))
    for column in range(8):
        np.testing.assert_allclose(mirrored[:, :, column], albedo[:, :, 7 - column], rtol=1e-6)


def test_mirroring_twice_changes_nothing(rng):
    albedo = jnp.asarray(rng.uniform(size=(8, 8, 3)))
    np.testing.assert_array_equal(mirror_albedo(mirror_albedo(albedo)), albedo)


def test_a_map_of_the_asked_size_is_returned_as_it_is(rng):
    albedo = jnp.asarray(rng.uniform(size=(1, 8, 8, 3)))
    np.testing.assert_array_equal(resize_albedo(albedo, 8), albedo)


def test_enlarging_a_ramp_gives_a_finer_ramp():
    # Texel centers of 8 lie at (j + 0.5) / 8; those of 16 at (j + 0.5) / 16: linear inside, constant at the border.
    ramp = jnp.broadcast_to(((jnp.arange(8) + 0.5) / 8)[None, :, None], (8, 8, 1))
    finer = np.asarray(resize_albedo(ramp, 16))
    np.testing.assert_allclose(finer[4, 1:-1, 0], (np.arange(1, 15) + 0.5) / 16, atol=1e-6)


def test_shrinking_keeps_the_mean(rng):
    albedo = jnp.asarray(rng.uniform(size=(2, 32, 32, 3)))
    small = resize_albedo(albedo, 8)
    assert small.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(small.mean(), albedo.mean(), atol=0.01)


def test_resizing_a_symmetric_map_leaves_it_symmetric(rng):
    half = rng.uniform(size=(32, 16, 3))
    albedo = resize_albedo(jnp.asarray(np.concatenate([half, half[:, ::-1]], axis=1)), 12)
    np.testing.assert_allclose(mirror_albedo(albedo), albedo, atol=1e-6)


def test_sizes_below_one_texel_are_refused():
    with pytest.raises(ValueError, match="an albedo map needs at least 1 texel a side, got size 0"):
        resize_albedo(jnp.zeros((4, 4, 3)), 0)
