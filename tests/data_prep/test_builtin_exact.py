import numpy as np
import pytest

from data_prep.builtin_exact import eigenvectors, exact_product, on_grid, orthonormal_columns, principal_modes


def test_products_of_whole_numbers_do_not_depend_on_the_order(rng):
    a, b = rng.integers(-(2**20), 2**20, (5, 64)), rng.integers(-(2**20), 2**20, (64, 7))
    shuffled = rng.permutation(64)
    product = exact_product(a.astype(float), b.astype(float))
    np.testing.assert_array_equal(product, a @ b)  # integers are exact
    np.testing.assert_array_equal(product, exact_product(a[:, shuffled].astype(float), b[shuffled].astype(float)))


def test_products_that_could_round_are_refused():
    with pytest.raises(OverflowError, match=r"sum up to .* exact only below 9.01e\+15: quantize more coarsely"):
        exact_product(np.full((1, 4), 2.0**27), np.full((4, 1), 2.0**26))


def test_grid_steps_are_powers_of_two_that_use_the_bits(rng):
    array = rng.normal(size=1000) * 37
    steps, step = on_grid(array, 12)
    assert np.log2(step) % 1 == 0
    assert 2**11 <= np.abs(steps).max() <= 2**12
    np.testing.assert_array_equal(steps, np.rint(steps))
    np.testing.assert_allclose(steps * step, array, atol=step / 2)


def test_columns_become_orthonormal_without_leaving_their_span(rng):
    columns = rng.normal(size=(50, 6)) @ np.diag(10.0 ** -np.arange(6))
    basis = orthonormal_columns(columns)
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(basis @ (basis.T @ columns), columns, atol=1e-12)


@pytest.mark.parametrize("size", [2, 7, 12])
def test_eigenvectors_are_those_of_lapack(rng, size):
    root = rng.normal(size=(size, size))
    values, vectors = eigenvectors(root @ root.T)
    expected, _ = np.linalg.eigh(root @ root.T)
    np.testing.assert_allclose(values, expected[::-1], rtol=1e-10)
    np.testing.assert_allclose(root @ root.T @ vectors, vectors * values, atol=1e-9)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-12)


def test_principal_modes_are_those_of_the_singular_value_decomposition(rng):
    scales = 500.0 * 0.8 ** np.arange(30)
    data = np.rint(rng.normal(size=(200, 30)) * scales @ np.linalg.qr(rng.normal(size=(60, 30)))[0].T)
    modes, rms = principal_modes(data, 5, spare=10)
    _, singular, rows = np.linalg.svd(data, full_matrices=False)
    np.testing.assert_allclose(np.abs(np.sum(modes * rows[:5], axis=1)), 1, atol=1e-4)
    np.testing.assert_allclose(rms, singular[:5] / np.sqrt(200), rtol=1e-4)
    assert np.abs(modes @ modes.T - np.eye(5)).max() < 1e-5
    assert (modes[np.arange(5), np.abs(modes).argmax(axis=1)] > 0).all()
    np.testing.assert_array_equal(modes, modes.astype(np.float32))
