import dataclasses

import numpy as np
import pytest

from sirjax.evaluation.codes import Codes, check_codes, gram, vertex_descriptors, whitened


def some_codes(rng, count=5, modes=3):
    return Codes(
        names=[f"{i}.jpg" for i in range(count)],
        shape=rng.normal(size=(count, modes)).astype(np.float32),
        shape_std=np.array([3.0, 2.0, 0.5], np.float32),
    )


def test_whitened_codes_count_standard_deviations(rng):
    codes = dataclasses.replace(some_codes(rng, 1), shape=np.array([[6.0, -1.0, 0.5]], np.float32))
    np.testing.assert_allclose(whitened(codes), [[2.0, -0.5, 1.0]])


def test_whitened_codes_without_known_deviations_are_refused(rng):
    codes = dataclasses.replace(some_codes(rng), shape_std=None)
    with pytest.raises(ValueError, match=r"which these codes lack: put them in as `shape_std` \[S\] \(mm\)"):
        whitened(codes)


def test_vertex_descriptors_have_the_distances_and_angles_of_vertices(rng):
    basis = rng.normal(size=(6, 30)).astype(np.float32)
    basis[5] = basis[0]  # linearly dependent modes are no obstacle
    shape = rng.normal(size=(9, 6))
    vertices, descriptors = shape @ basis.astype(np.float64), vertex_descriptors(shape, basis)
    np.testing.assert_allclose(descriptors @ descriptors.T, vertices @ vertices.T, atol=1e-9)


def test_gram_matrix_of_a_basis_of_several_parts(rng, monkeypatch):
    monkeypatch.setattr("sirjax.evaluation.codes._COLUMNS", 7)
    basis = rng.normal(size=(4, 30)).astype(np.float32)
    np.testing.assert_allclose(gram(basis), basis.astype(np.float64) @ basis.T.astype(np.float64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": np.zeros(3)}, r"shape codes must be \[N, S\] with a row per image, got \[3\]"),
        ({"shape": np.zeros((0, 3))}, r"shape codes must be \[N, S\] with a row per image, got \[0, 3\]"),
        ({"names": ["a"]}, "1 names for 5 codes: give one name per row"),
        ({"names": ["a", "b", "c", "b", "d"]}, "the name 'b' is given to several codes: names must be unique"),
        ({"shape_std": np.ones(2)}, r"shape_std must be \[3\] for these codes, got \[2\]"),
        ({"shape_std": np.array([1.0, 0.0, 2.0])}, "1 of 3 standard deviations are not positive"),
        ({"expression": np.ones((4, 2))}, r"expression must be \[5, any\] for these codes, got \[4, 2\]"),
        ({"landmarks": np.ones((5, 5, 2))}, r"landmarks must be \[5, 68, 2\] for these codes, got \[5, 5, 2\]"),
        (
            {"shape": np.diag([1, 1, np.nan])[[0, 1, 2, 0, 1]]},
            "1 of 5 rows of shape are not finite",
        ),
        ({"rotation": np.full((5, 3, 3), np.inf)}, "5 of 5 rows of rotation are not finite, the first is row 0"),
    ],
)
def test_codes_that_cannot_be_evaluated_are_refused(rng, change, message):
    with pytest.raises(ValueError, match=message):
        check_codes(dataclasses.replace(some_codes(rng), **change))
