import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sirjax.fusion import RunningMean, fuse_shapes
from tests.face_models import dome_face_model

MODEL = dome_face_model(grid=9)


def vertices(shape):
    """Equation 1 in float64."""
    offset = (np.asarray(shape, np.float64) * np.asarray(MODEL.shape_std)) @ np.asarray(MODEL.shape_basis, np.float64)
    return np.asarray(MODEL.mean, np.float64) + offset.reshape(-1, 3)


def test_the_fused_shape_is_the_weighted_mean_and_its_spread_is_measured_on_vertices(rng):
    shapes = rng.normal(size=(4, MODEL.num_shape)).astype(np.float32)
    weights = np.array([1.0, 0.5, 0.0, 0.25])
    fused = fuse_shapes(MODEL, shapes, weights)
    shares = weights / 1.75
    np.testing.assert_allclose(fused.shape, shares @ shapes, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fused.weights, shares, rtol=1e-6)
    np.testing.assert_allclose(fused.vertices, vertices(fused.shape), atol=1e-3)
    squared = np.array([((vertices(own) - vertices(fused.shape)) ** 2).sum(axis=1) for own in shapes])  # [N, V]
    np.testing.assert_allclose(fused.distances_mm, np.sqrt(squared.mean(axis=1)), rtol=1e-4)
    np.testing.assert_allclose(fused.vertex_spread_mm, np.sqrt(shares @ squared), rtol=1e-4)
    np.testing.assert_allclose(fused.spread_mm, np.sqrt((shares @ squared).mean()), rtol=1e-4)


def test_many_noisy_views_of_a_person_beat_a_single_one(rng):
    truth = rng.normal(size=MODEL.num_shape)
    noise = rng.normal(size=(16, MODEL.num_shape)) * np.linspace(0.2, 2.0, 16)[:, None]
    shapes = (truth + noise).astype(np.float32)
    fused = fuse_shapes(MODEL, shapes, 1 / np.linspace(0.2, 2.0, 16) ** 2)
    error = np.linalg.norm(fused.shape - truth)
    singles = np.linalg.norm(shapes - truth, axis=1)
    assert error < np.median(singles) / 3
    assert error < np.linalg.norm(shapes.mean(axis=0) - truth)  # the weights help


def test_one_image_is_its_own_mean():
    shape = np.arange(MODEL.num_shape, dtype=np.float32)[None]
    fused = fuse_shapes(MODEL, shape, np.array([0.3]))
    np.testing.assert_allclose(fused.shape, shape[0])
    assert fused.spread_mm == pytest.approx(0.0, abs=1e-6)


def test_without_any_confidence_all_images_count_the_same(rng):
    shapes = rng.normal(size=(3, MODEL.num_shape)).astype(np.float32)
    fused = fuse_shapes(MODEL, shapes, np.zeros(3))
    np.testing.assert_allclose(fused.shape, shapes.mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("count", "weights", "message"),
    [
        (0, [], "there is no shape to fuse: at least one image"),
        (2, [1.0, -0.5], "confidences must be finite and not negative, got -0.5"),
        (1, [np.nan], "confidences must be finite and not negative, got nan"),
    ],
)
def test_what_cannot_be_fused_is_refused(count, weights, message):
    with pytest.raises(ValueError, match=message):
        fuse_shapes(MODEL, np.zeros((count, MODEL.num_shape), np.float32), np.array(weights))


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 2)), min_size=1, max_size=50))
def test_a_running_mean_is_the_weighted_mean_of_everything_so_far(pairs):
    running = RunningMean()
    for value, weight in pairs:
        running.add(np.array([value, 1.0]), weight)
    values, weights = np.array(pairs).T
    np.testing.assert_allclose(running.mean, [np.average(values, weights=weights), 1.0], rtol=1e-4, atol=1e-5)
    assert running.count == len(pairs)


def test_a_running_mean_of_nothing_is_refused():
    running = RunningMean()
    running.add(np.ones(2), 0.0)
    with pytest.raises(ValueError, match="at least one value of positive weight"):
        _ = running.mean
