import numpy as np
import pytest

from data_prep.face_models.uv_layout import computed_layout, flipped, symmetric_layout
from tests.data_prep.face_models import published


def test_the_computed_layout_folds_nothing_and_is_symmetric_to_the_last_bit():
    uv = computed_layout(published.MEAN, published.TRIANGLES, published.MIRROR)
    assert flipped(uv, published.TRIANGLES) == 0
    np.testing.assert_array_equal(uv[published.MIRROR], uv * [-1, 1] + [1, 0])
    assert 0.0 <= uv.min() <= 0.02
    assert 0.98 <= uv.max() <= 1.0


def test_the_face_stands_upright_in_the_computed_layout():
    uv = computed_layout(published.MEAN, published.TRIANGLES, published.MIRROR)
    assert np.corrcoef(uv[:, 0], published.MEAN[:, 0])[0, 1] > 0.9
    assert np.corrcoef(uv[:, 1], -published.MEAN[:, 1])[0, 1] > 0.9


def test_holes_are_no_hindrance():
    kept = np.ones(len(published.TRIANGLES), bool)
    middle = published.MEAN[published.TRIANGLES].mean(axis=1)
    kept[(np.abs(middle[:, 0]) < 20) & (np.abs(middle[:, 1] + 35) < 6)] = False  # a mouth
    uv = computed_layout(published.MEAN, published.TRIANGLES[kept], published.MIRROR)
    assert flipped(uv, published.TRIANGLES[kept]) == 0


def test_other_pieces_lie_below_in_mirrored_places():
    ball = np.array([[-35.0, 20, 60], [-25, 20, 60], [-30, 30, 60]])
    tooth = np.array([[-2.0, -40, 50], [2, -40, 50], [0, -36, 50]])
    mean = np.concatenate([published.MEAN, ball, ball * [-1, 1, 1], tooth])
    n = published.COUNT
    triangles = np.concatenate([published.TRIANGLES, [[n, n + 1, n + 2], [n + 4, n + 3, n + 5], [n + 6, n + 7, n + 8]]])
    mirror = np.concatenate([published.MIRROR, [n + 3, n + 4, n + 5, n, n + 1, n + 2, n + 7, n + 6, n + 8]])
    uv = computed_layout(mean, triangles, mirror)
    assert flipped(uv, triangles) == 0
    np.testing.assert_allclose(uv[mirror], uv * [-1, 1] + [1, 0], atol=1e-12)
    assert uv[:n, 1].max() < uv[n:, 1].min()
    assert uv[n : n + 3, 0].max() < uv[n + 6 :, 0].min() < uv[n + 6 :, 0].max() < uv[n + 3 : n + 6, 0].min()


def test_a_whole_head_keeps_its_face_in_the_middle_and_large():
    # A ball of rings of 24 vertices around the vertical axis, open at the neck.
    polar, turn = np.meshgrid(np.linspace(0.05, 2.7, 30), np.arange(24) * np.pi / 12, indexing="ij")
    ball = [np.sin(polar) * np.sin(turn), np.cos(polar), np.sin(polar) * np.cos(turn)]
    mean = 90 * np.stack(ball, axis=-1).reshape(-1, 3)
    index = np.arange(30 * 24).reshape(30, 24)
    a, b, c, d = (index[:-1], index[1:], np.roll(index, -1, 1)[1:], np.roll(index, -1, 1)[:-1])
    crown = np.column_stack([index[0, 1:-1], index[0, 2:], np.full(22, index[0, 0])])
    triangles = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))] + [crown])
    mirror = index[:, -np.arange(24) % 24].ravel()
    uv = computed_layout(mean, triangles, mirror)
    front = triangles[mean[triangles, 2].min(axis=1) > 0]
    assert flipped(uv, front) == 0
    assert np.ptp(uv[np.unique(front)], axis=0).min() > 0.35
    np.testing.assert_allclose(uv[mirror], uv * [-1, 1] + [1, 0], atol=1e-12)


def test_a_closed_surface_is_refused():
    mean = np.array([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, 0, 1]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    with pytest.raises(ValueError, match="the mesh has no rim"):
        computed_layout(mean, triangles, np.array([1, 0, 2, 3]))


def test_a_nearly_symmetric_layout_becomes_exact(rng):
    noisy = published.UV + rng.uniform(-0.004, 0.004, size=published.UV.shape)
    uv, off = symmetric_layout(noisy, published.TRIANGLES, published.TRIANGLES, published.MIRROR)
    assert 0.001 < off < 0.01
    np.testing.assert_allclose(uv[published.MIRROR], uv * [-1, 1] + [1, 0], atol=1e-12)
    np.testing.assert_allclose(uv, noisy, atol=0.01)


def test_seams_are_paired_by_place():
    # Each triangle with texture vertices of its own: partners are told by where they lie.
    uv = published.UV[published.TRIANGLES].reshape(-1, 2)
    corners = np.arange(len(uv)).reshape(-1, 3)
    made, off = symmetric_layout(uv, corners, published.TRIANGLES, published.MIRROR)
    assert off < 1e-6
    np.testing.assert_allclose(made, uv, atol=1e-5)


def test_another_layout_is_told_apart():
    uv, off = symmetric_layout(published.UV * [0.5, 1], published.TRIANGLES, published.TRIANGLES, published.MIRROR)
    assert uv is None
    assert off == pytest.approx(0.5, abs=0.01)
