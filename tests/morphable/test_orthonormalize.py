import jax.numpy as jnp
import numpy as np
import pytest

from sirjax.morphable.model import neutral_vertices
from sirjax.morphable.orthonormalize import orthonormality_error, orthonormalize
from tests.face_models import dome_face_model


def trimmed_model(rng):
    """A model whose modes are far from orthonormal, and the vertices that a crop of it keeps."""
    model = dome_face_model()
    basis = np.asarray(model.shape_basis, np.float64)
    mixed = (np.eye(6) + 0.06 * rng.normal(size=(6, 6))) @ basis
    off = np.abs(mixed @ mixed.T - np.eye(6)).max()
    mixed_model = model.replace(shape_basis=jnp.asarray(mixed * 1.0, jnp.float32))
    return mixed_model, np.asarray(model.mean)[:, 1] > -40, off


def gram_error(basis):
    basis = np.asarray(basis, np.float64)
    return np.abs(basis @ basis.T - np.eye(len(basis))).max()


def test_orthonormality_error_is_the_gram_matrix_s_largest_deviation():
    model = dome_face_model()
    assert orthonormality_error(model) < 1e-6
    longer = model.replace(shape_basis=model.shape_basis.at[0].multiply(1.1))
    assert orthonormality_error(longer) == pytest.approx(0.21, abs=1e-4)


def test_basis_becomes_orthonormal_with_falling_deviations(rng):
    model, _, off = trimmed_model(rng)
    assert off > 0.1
    orthonormal, _ = orthonormalize(model)
    assert gram_error(orthonormal.shape_basis) < 1e-6
    assert (np.diff(np.asarray(orthonormal.shape_std)) <= 0).all()


def test_masked_rows_become_orthonormal_from_a_trimmed_basis_that_is_off_by_a_quarter(rng):
    model = dome_face_model()
    basis = np.asarray(model.shape_basis, np.float64).reshape(6, -1, 3)
    # Keep the rows where the modes lose a quarter of their squared length, as a trimmed model does.
    order = rng.permutation(model.num_vertices)
    kept = np.cumsum((basis[:, order] ** 2).sum(axis=(0, 2))) <= 0.75 * 6
    mask = np.zeros(model.num_vertices, bool)
    mask[order[kept]] = True
    rows = basis[:, mask].reshape(6, -1)
    assert np.abs(rows @ rows.T - np.eye(6)).max() == pytest.approx(0.25, abs=0.15)
    orthonormal, _ = orthonormalize(model, jnp.asarray(mask))
    assert gram_error(np.asarray(orthonormal.shape_basis).reshape(6, -1, 3)[:, mask].reshape(6, -1)) < 1e-6


@pytest.mark.parametrize("masked", [False, True])
def test_faces_stay_the_same_on_every_vertex_and_coefficients_map_back(rng, masked):
    model, mask, _ = trimmed_model(rng)
    orthonormal, original = orthonormalize(model, jnp.asarray(mask) if masked else None)
    b = jnp.asarray(rng.normal(size=(5, 6)), jnp.float32)
    alpha = original.from_orthonormal(b)
    np.testing.assert_allclose(
        neutral_vertices(orthonormal, b), neutral_vertices(model, alpha / model.shape_std[None]), atol=1e-3
    )
    np.testing.assert_allclose(original.to_orthonormal(alpha), b, atol=1e-5)


def test_prior_is_preserved(rng):
    model, _, _ = trimmed_model(rng)
    _, original = orthonormalize(model)
    # b ~ N(0, I) exactly when a = alpha / sigma ~ N(0, I): the map between them is orthogonal.
    whitened = np.asarray(original.from_orthonormal(jnp.eye(6)) / original.std[None], np.float64)
    np.testing.assert_allclose(whitened @ whitened.T, np.eye(6), atol=1e-5)
    b = jnp.asarray(rng.normal(size=(5, 6)), jnp.float32)
    a = original.from_orthonormal(b) / original.std[None]
    np.testing.assert_allclose((a**2).sum(axis=1), (b**2).sum(axis=1), rtol=1e-5)


def test_masks_too_small_for_the_modes_are_refused():
    mask = np.zeros(289, bool)
    mask[:1] = True
    with pytest.raises(ValueError, match="1 masked vertices cannot carry 6 orthonormal modes: mask at least 2"):
        orthonormalize(dome_face_model(), jnp.asarray(mask))


def test_dependent_modes_are_refused():
    model = dome_face_model()
    twice = model.replace(shape_basis=model.shape_basis.at[1].set(model.shape_basis[0]))
    with pytest.raises(ValueError, match="linearly dependent on the masked vertices"):
        orthonormalize(twice)
