import numpy as np

from data_prep.builtin_alignment import align_heads


def turned(points, angles, scale, shift):
    """A similarity with rotations about x, then y, then z."""
    for axis, angle in enumerate(angles):
        i, j = (axis + 1) % 3, (axis + 2) % 3
        rotation = np.eye(3)
        rotation[i, i] = rotation[j, j] = np.cos(angle)
        rotation[i, j], rotation[j, i] = -np.sin(angle), np.sin(angle)
        points = points @ rotation.T
    return scale * points + shift


def test_copies_of_one_head_fall_onto_each_other(rng):
    head = np.rint(rng.normal(size=(80, 3)) * 5000)
    heads = [turned(head, rng.normal(size=3) * 0.2, rng.uniform(0.8, 1.2), rng.normal(size=3) * 9e3) for _ in range(9)]
    aligned = align_heads(np.rint(heads).astype(np.float32), np.ones(80, bool), head)
    assert np.abs(aligned - aligned.mean(axis=0)).max() < 10  # of 5,000: rounding of what went in
    np.testing.assert_allclose(aligned.mean(axis=0), head - head.mean(axis=0), atol=10)


def test_only_stable_vertices_decide(rng):
    head = np.rint(rng.normal(size=(80, 3)) * 5000)
    heads = np.repeat(head[None], 6, axis=0)
    heads[:, 60:] += np.rint(rng.normal(size=(6, 20, 3)) * 3000)
    stable = np.arange(80) < 60
    aligned = align_heads(heads.astype(np.float32), stable, head)
    np.testing.assert_allclose(aligned[:, stable], np.repeat(aligned[:1, stable], 6, axis=0), atol=1)
    offset = aligned - heads
    np.testing.assert_allclose(offset, np.broadcast_to(offset[:, :1], offset.shape), atol=2)


def test_results_are_whole_numbers_about_the_stable_center(rng):
    heads = np.rint(rng.normal(size=(12, 40, 3)) * 300 + rng.normal(size=(40, 3)) * 5000).astype(np.float32)
    aligned = align_heads(heads, np.ones(40, bool), heads[0].astype(float))
    assert aligned.dtype == np.float32
    np.testing.assert_array_equal(aligned, np.rint(aligned))
    np.testing.assert_allclose(aligned.mean(axis=1), 0, atol=1)
