from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from data_prep.face_models import building
from data_prep.face_models.building import build
from data_prep.face_models.raw import Landmarks, RawModel
from sirjax.morphable.model import landmarks_of
from sirjax.morphable.orthonormalize import orthonormality_error
from sirjax.morphable.storage import fingerprint, load_face_model, save_face_model
from tests.data_prep.face_models import published

SIZE = 32


def dome(**changes):
    whole = RawModel(
        name="dome",
        licence="CC0-1.0",
        provenance="made up by the tests",
        unit_mm=10.0,
        mean=published.MEAN,
        shape_basis=published.SHAPE,
        shape_std=published.SHAPE_STD,
        expression_basis=published.EXPRESSION,
        expression_std=published.EXPRESSION_STD,
        triangles=published.TRIANGLES,
        landmarks=Landmarks(
            np.asarray(published.MODEL.landmark_vertices), np.asarray(published.MODEL.landmark_weights)
        ),
        uv=published.UV,
        uv_triangles=published.TRIANGLES,
    )
    return replace(whole, **changes)


@pytest.fixture(scope="module")
def built():
    return build(dome(), uv_size=SIZE)


def test_a_built_model_is_a_model_file(built, tmp_path):
    model, _ = built
    save_face_model(model, tmp_path / "model.npz")
    assert fingerprint(load_face_model(tmp_path / "model.npz")) == fingerprint(model)


def test_shapes_and_landmarks_are_kept_and_the_origin_moves(built):
    model, _ = built
    shift = np.asarray(model.mean) - published.MEAN
    np.testing.assert_allclose(shift, np.tile(shift[:1], (len(shift), 1)), atol=1e-4)
    assert abs(shift[0, 0]) < 1e-6
    np.testing.assert_allclose(model.shape_basis, published.MODEL.shape_basis, atol=1e-6)
    expected = landmarks_of(published.MODEL, published.MODEL.mean[None])[0] + shift[:1]
    np.testing.assert_allclose(landmarks_of(model, model.mean[None])[0], expected, atol=1e-4)


def test_mirror_map_and_layout_are_those_of_the_dome(built):
    model, report = built
    np.testing.assert_array_equal(model.mirror_vertices, published.MIRROR)
    np.testing.assert_allclose(model.uv[model.uv_triangles], published.UV[published.TRIANGLES], atol=1e-5)
    assert "UV layout the model's own, made exactly symmetric (was off by 0.0000)" in report.notes
    assert "the files' unit is 10 mm" in model.provenance


def test_without_a_layout_one_is_computed(built):
    model, report = build(dome(uv=None, uv_triangles=None), uv_size=SIZE)
    assert "UV layout computed, 0.00% of the triangles flipped" in report.notes
    uv = np.asarray(model.uv)
    np.testing.assert_array_equal(uv[published.MIRROR], uv * [-1, 1] + [1, 0])


def test_a_layout_that_is_not_symmetric_is_replaced():
    model, report = build(dome(uv=published.UV * [0.5, 1.0]), uv_size=SIZE)
    assert "the model's own UV layout is not symmetric (off by 0.50)" in report.notes
    assert np.ptp(np.asarray(model.uv)[:, 0]) > 0.9


def test_vertices_that_nothing_uses_are_dropped(built):
    more = [[500.0, 0, 0], [0, 500, 0]]
    raw = dome(
        mean=np.concatenate([more, published.MEAN]),
        shape_basis=np.pad(published.SHAPE, ((0, 0), (2, 0), (0, 0))),
        expression_basis=np.pad(published.EXPRESSION, ((0, 0), (2, 0), (0, 0))),
        triangles=published.TRIANGLES + 2,
        landmarks=Landmarks(dome().landmarks.vertices + 2, dome().landmarks.weights),
        parts=np.zeros(len(published.MEAN) + 2, int),
    )
    assert fingerprint(build(raw, uv_size=SIZE)[0]) == fingerprint(built[0])


def test_trimming_keeps_the_first_modes():
    model, _ = build(dome(), num_shape=4, num_expression=1, uv_size=SIZE)
    np.testing.assert_allclose(model.shape_std, published.SHAPE_STD[:4], rtol=1e-6)
    np.testing.assert_allclose(model.expression_basis, published.MODEL.expression_basis[:1], atol=1e-6)


def test_trimming_expressions_without_order_keeps_the_strongest_mixtures():
    rng = np.random.default_rng(0)
    weak = published.EXPRESSION[:1] * 0.01
    units = np.concatenate([weak, np.tensordot(rng.normal(size=(4, 2)), published.EXPRESSION[1:], 1)])
    std = np.ones(5)
    basis, kept = building._strongest(units, std, 2)
    flat, scaled = basis.reshape(2, -1), units.reshape(5, -1)
    np.testing.assert_allclose(flat @ flat.T, np.eye(2), atol=1e-9)
    # The same covariance as all five together, up to the weak one.
    np.testing.assert_allclose((flat.T * kept**2) @ flat, scaled.T @ scaled, atol=2e-3)


def test_orthonormal_on_request():
    skewed = published.SHAPE.copy()
    skewed[1] += 0.2 * skewed[0]
    assert orthonormality_error(build(dome(shape_basis=skewed), uv_size=SIZE)[0]) > 0.1
    model, _ = build(dome(shape_basis=skewed), uv_size=SIZE, orthonormal=True)
    assert orthonormality_error(model) < 1e-5
    before = skewed.reshape(6, -1) * published.SHAPE_STD[:, None]
    after = np.asarray(model.shape_basis, float) * np.asarray(model.shape_std, float)[:, None]
    np.testing.assert_allclose(after.T @ after, before.T @ before, atol=1e-2)


def test_colors_of_the_model_become_its_albedo():
    model, report = build(dome(colors=np.tile([0.2, 0.4, 0.6], (len(published.MEAN), 1))), uv_size=SIZE)
    np.testing.assert_allclose(model.mean_albedo, np.broadcast_to([0.2, 0.4, 0.6], (SIZE, SIZE, 3)), atol=1e-5)
    assert "mean albedo from the model" in report.notes
    assert model.mean_albedo.dtype == jnp.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_shape": 7}, "7 shape modes were asked for, dome has 1 to 6"),
        ({"num_expression": 0}, "0 expression modes were asked for, dome has 1 to 3"),
    ],
)
def test_counts_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        build(dome(), **options)


def test_another_unit_is_named():
    with pytest.raises(
        ValueError, match="the outer eye corners of dome lie 0.0.* mm apart, expected 60 to 130: the file is"
    ):
        build(dome(mean=published.MEAN / 1000))


def test_a_face_that_looks_elsewhere_is_named():
    with pytest.raises(ValueError, match="dome does not look toward the viewer .x right, y up, z forward."):
        build(dome(mean=published.MEAN * [1, -1, 1]))


def test_a_mesh_without_symmetry_is_refused():
    lopsided = published.MEAN * np.where(published.MEAN[:, :1] > 0, [1.0, 1.6, 1.0], 1.0)
    with pytest.raises(ValueError, match="dome is not symmetric: mirrored vertices miss each other by"):
        build(dome(mean=lopsided, mirror=published.MIRROR))


def test_landmarks_outside_the_mesh_are_named():
    vertices = dome().landmarks.vertices.copy()
    vertices[3] = len(published.MEAN)
    raw = dome(
        mean=np.concatenate([published.MEAN, np.zeros((1, 3))]),
        shape_basis=np.pad(published.SHAPE, ((0, 0), (0, 1), (0, 0))),
        expression_basis=np.pad(published.EXPRESSION, ((0, 0), (0, 1), (0, 0))),
        landmarks=Landmarks(vertices, dome().landmarks.weights),
    )
    with pytest.raises(ValueError, match="the landmarks 3 lie on vertices outside the mesh"):
        build(raw)
