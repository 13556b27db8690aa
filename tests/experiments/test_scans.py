"""Made scans are as far from the truth as their noise, and from others as those are wrong."""

import numpy as np
import pytest

from experiments.common import scans
from sirjax.morphable.builtin import builtin_face_model


@pytest.fixture(scope="module")
def shape():
    model = builtin_face_model()
    return np.random.default_rng(1).normal(size=model.num_shape) * np.asarray(model.shape_std)


@pytest.fixture(scope="module")
def scan(shape):
    return scans.make_scan(builtin_face_model(), shape, np.random.default_rng(2))


def test_the_truth_is_as_far_from_its_scan_as_the_noise(scan, shape):
    figures, protocol = scans.measure(builtin_face_model(), scan, shape)
    assert figures.plane_rmse == pytest.approx(scans.NOISE, rel=0.2)
    assert figures.vertex_rmse > 3 * figures.plane_rmse  # its vertices are not met again
    assert "landmarks" in protocol


def test_the_mean_face_is_farther(scan, shape):
    figures = [scans.measure(builtin_face_model(), scan, factor * shape)[0].plane_rmse for factor in (1.0, 0.5, 0.0)]
    assert figures[0] < figures[1] < figures[2]


def test_a_scan_has_no_back_of_the_head(scan):
    assert np.linalg.norm(scan.vertices - scan.nose_tip, axis=1).max() < 110
    assert np.unique(scan.triangles).size == len(scan.vertices)


def test_finer_triangles_cover_the_same_surface(rng):
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1]])
    triangles = np.array([[0, 1, 2], [1, 3, 2]])
    finer, parts = scans.subdivide(vertices, triangles)

    def normals(v, t):
        return np.cross(v[t[:, 1]] - v[t[:, 0]], v[t[:, 2]] - v[t[:, 0]])

    assert len(finer) == 4 + 5  # as many more as there are edges
    for coarse in range(2):
        whole = normals(vertices, triangles)[coarse]
        np.testing.assert_allclose(normals(finer, parts)[coarse::2], np.tile(whole / 4, (4, 1)))


def test_measured_errors_are_kept(tmp_path, shape):
    model = builtin_face_model()
    truth, identity = np.stack([shape, shape]), np.array([7, 7])
    first = scans.measure_all(model, truth, identity, truth * 0.5, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace(str(first[0][0].plane_rmse), "42.0"))
    assert scans.measure_all(model, truth, identity, truth * 0.5, tmp_path)[0][0].plane_rmse == 42.0
    assert scans.measure_all(model, truth, identity, truth, tmp_path)[0][0].plane_rmse < 1.0


def test_the_curve_counts_errors_up_to_each_limit():
    np.testing.assert_allclose(scans.error_curve([1.0, 2.0, 2.0, 5.0], np.array([0.5, 1, 2, 9])), [0, 0.25, 0.75, 1])
