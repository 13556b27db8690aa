import numpy as np
import pytest

from sirjax.evaluation import scan_alignment
from sirjax.evaluation.closest_point import Surface
from sirjax.evaluation.scan_alignment import Alignment, fit_alignment, icp
from sirjax.geometry.similarity import fit_similarity
from sirjax.morphable import builtin_face_model
from tests.reconstructions import rotation


@pytest.fixture(scope="module")
def builtin():
    model = builtin_face_model()
    return np.asarray(model.mean, np.float64), np.asarray(model.triangles)


def test_the_fit_agrees_with_the_one_in_single_precision(rng):
    source, target = rng.normal(size=(2, 20, 3))
    mine, other = fit_alignment(source, target), fit_similarity(source.astype(np.float32), target.astype(np.float32))
    np.testing.assert_allclose(mine.scale, other.scale, rtol=1e-4)
    np.testing.assert_allclose(mine.rotation, other.rotation, atol=1e-4)
    np.testing.assert_allclose(mine.translation, other.translation, atol=1e-4)
    assert np.linalg.det(mine.rotation) == pytest.approx(1)
    np.testing.assert_allclose(mine.invert(mine.apply(source)), source, atol=1e-12)


def on_the_surface(vertices, triangles, count, rng):
    corners = vertices[triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weights = rng.dirichlet(np.ones(3), size=count)
    return np.einsum("nk,nkc->nc", weights, corners[rng.choice(len(corners), size=count, p=area / area.sum())])


@pytest.mark.parametrize(("scale", "angles"), [(0.5, (10, 15, -5)), (1.7, (-12, 8, 12)), (100.0, (0, -20, 4))])
def test_known_similarities_of_a_face_are_recovered_to_1e4(builtin, rng, scale, angles):
    # Other points of the same surface, so that no vertex pairs with itself; enough for both stages.
    vertices, triangles = builtin
    true = Alignment(scale, rotation(*angles), np.array([30.0, -20.0, 400.0]))
    points = true.apply(on_the_surface(vertices, triangles, 9000, rng))
    near = Alignment(
        1.06 * scale, rotation(4, -4, 3) @ true.rotation, true.translation + scale * np.array([4, -3, 5.0])
    )
    fit = icp(points, Surface(vertices, triangles, use_fcpw=True), near)
    assert fit.converged
    assert fit.alignment.scale == pytest.approx(scale, rel=1e-4)
    np.testing.assert_allclose(fit.alignment.rotation, true.rotation, atol=1e-4)
    np.testing.assert_allclose(fit.alignment.translation, true.translation, atol=1e-4 * 100 * scale)
    assert fit.closest.distance.max() < 1e-4


def test_outliers_and_a_missing_half_hardly_matter_with_trimming(builtin, rng):
    vertices, triangles = builtin
    whole = on_the_surface(vertices, triangles, 6000, rng)
    points = whole[(whole[:, 0] < 25) | (whole[:, 1] < -20)]  # a part of one side is missing
    points = points + 0.1 * rng.normal(size=points.shape)
    stray = rng.choice(len(points), len(points) // 20, replace=False)
    points[stray] += 25 * rng.normal(size=(len(stray), 3))
    near = Alignment(1.05, rotation(5, -5, 3), np.array([2.0, 3.0, -4.0]))
    fit = icp(points, Surface(vertices, triangles, use_fcpw=True), near, trim=0.08)
    assert fit.alignment.scale == pytest.approx(1, abs=2e-3)
    np.testing.assert_allclose(fit.alignment.rotation, np.eye(3), atol=2e-3)


def test_the_first_stages_change_the_time_not_the_result(builtin, rng, monkeypatch):
    vertices, triangles = builtin
    bent = vertices + 0.8 * np.sin(vertices[:, [1, 2, 0]] / 15)
    points = on_the_surface(vertices, triangles, 9000, rng)
    near, surface = (
        Alignment(1.05, rotation(5, -5, 3), np.array([2.0, 3.0, -4.0])),
        Surface(bent, triangles, use_fcpw=True),
    )
    staged = icp(points, surface, near, tolerance=1e-7)
    monkeypatch.setattr(scan_alignment, "SAMPLES", ())
    direct = icp(points, surface, near, tolerance=1e-7)
    rmse = [fit.alignment.scale * np.sqrt(np.mean(fit.closest.distance**2)) for fit in (staged, direct)]
    assert rmse[0] == pytest.approx(rmse[1], rel=1e-6)
    np.testing.assert_allclose(staged.alignment.rotation, direct.alignment.rotation, atol=1e-4)


def test_the_result_is_a_fixed_point_of_the_closed_form(builtin, rng):
    # Where the pairs are refitted by the closed form, nothing moves any more: point-to-point ICP would stop here, too.
    vertices, triangles = builtin
    bent = vertices + 0.8 * np.sin(vertices[:, [1, 2, 0]] / 15)
    points = on_the_surface(vertices, triangles, 3000, rng)
    fit = icp(points, Surface(bent, triangles, use_fcpw=True), Alignment(1.02, np.eye(3), np.zeros(3)), tolerance=1e-12)
    again = fit_alignment(fit.closest.points, points)
    assert again.scale == pytest.approx(fit.alignment.scale, abs=1e-4)
    np.testing.assert_allclose(again.rotation, fit.alignment.rotation, atol=1e-4)
