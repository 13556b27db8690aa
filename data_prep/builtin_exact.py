"""Linear algebra with the same bits on every machine, so that the shipped model can be rebuilt and compared.

BLAS and LAPACK sum in an order that depends on the processor. Two ways around it are used here: products of integers,
which are exact in any order as long as every sum stays below 2**53; and elementwise arithmetic, which IEEE 754 fixes.
Sums along the first axis of a C-ordered array are elementwise additions of its rows, one after the other.
"""

import numpy as np

_EXACT = 2.0**53


def exact_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a @ b of whole numbers (in float arrays), exact whatever the order of the sums.

    Raises:
      OverflowError: if a sum could reach 2**53.
    """
    bound = float(np.abs(a).max(initial=0)) * float(np.abs(b).max(initial=0)) * a.shape[-1]
    if bound >= _EXACT:
        raise OverflowError(f"products sum up to {bound:.3g}, exact only below {_EXACT:.3g}: quantize more coarsely")
    return a.astype(np.float64, copy=False) @ b.astype(np.float64, copy=False)


def on_grid(array: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """The array in whole steps of a power of two such that the largest entry has `bits` bits, and the step."""
    exponent = int(np.frexp(np.abs(array).max(initial=1e-300))[1]) - bits
    return np.rint(np.ldexp(array, -exponent)), 2.0**exponent


def orthonormal_columns(columns: np.ndarray, passes: int = 2) -> np.ndarray:
    """Gram-Schmidt by elementwise arithmetic and row sums only; two passes for full accuracy."""
    columns = np.ascontiguousarray(columns, np.float64).copy()
    for _ in range(passes):
        for j in range(columns.shape[1]):
            columns[:, j] /= np.sqrt((columns[:, j : j + 1] ** 2).sum(axis=0))
            rest = columns[:, j + 1 :]
            rest -= columns[:, j : j + 1] * (columns[:, j : j + 1] * rest).sum(axis=0)
    return columns


def eigenvectors(matrix: np.ndarray, sweeps: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues in falling order and eigenvectors (columns) of a symmetric matrix: Jacobi's method.

    Each round rotates disjoint pairs of rows and columns at once; a round-robin schedule meets every pair once a sweep.
    """
    size = len(matrix) + len(matrix) % 2
    a = np.zeros((size, size))
    a[: len(matrix), : len(matrix)] = matrix
    vectors = np.eye(size)
    circle = np.arange(1, size)
    for _ in range(sweeps):
        for _ in range(size - 1):
            order = np.concatenate([[0], circle])
            _rotate(a, vectors, order[: size // 2], order[size // 2 :][::-1])
            circle = np.roll(circle, 1)
    values, vectors = np.diagonal(a)[: len(matrix)], vectors[: len(matrix), : len(matrix)]
    order = np.argsort(-values, kind="stable")
    return values[order], vectors[:, order]


def _rotate(a: np.ndarray, vectors: np.ndarray, p: np.ndarray, q: np.ndarray) -> None:
    """Makes a[p, q] zero, in place."""
    off = a[p, q]
    gap = a[q, q] - a[p, p]
    still = np.abs(off) <= 1e-30 * (np.abs(a[p, p]) + np.abs(a[q, q]))  # would overflow, and is zero already
    theta = gap / np.where(still, 1.0, 2 * off)
    tangent = np.where(theta >= 0, 1.0, -1.0) / (np.abs(theta) + np.sqrt(theta * theta + 1))
    tangent = np.where(still, 0.0, tangent)
    cosine = 1 / np.sqrt(tangent * tangent + 1)
    sine = tangent * cosine
    for target in (a, vectors):
        column_p, column_q = target[:, p], target[:, q]
        target[:, p] = cosine * column_p - sine * column_q
        target[:, q] = sine * column_p + cosine * column_q
    row_p, row_q = a[p], a[q]
    a[p] = cosine[:, None] * row_p - sine[:, None] * row_q
    a[q] = sine[:, None] * row_p + cosine[:, None] * row_q


def principal_modes(data: np.ndarray, count: int, *, spare: int = 80, rounds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """The leading modes of whole-number data [N, D], about zero: orthonormal rows [count, D] and their RMS [count].

    Subspace iteration on count + spare columns, then the eigenvectors of the data within that subspace. The sign of a
    mode is such that its largest entry is positive. Entries lie on a grid of 2**-21, hence exact in float32, and
    orthonormal to about 1e-6.
    """
    size = min(count + spare, *data.shape)
    # The first rows are as good a start as any: independent random draws.
    basis = orthonormal_columns(data[:size].T, passes=1)
    for _ in range(rounds):
        coordinates, _ = on_grid(exact_product(data, on_grid(basis, 18)[0]), 18)
        basis = orthonormal_columns(exact_product(coordinates.T, data).T, passes=1)
    basis, _ = on_grid(basis, 20)
    coordinates, _ = on_grid(exact_product(data, basis), 19)
    covariance = exact_product(coordinates.T, coordinates)
    _, vectors = eigenvectors(covariance)
    modes = orthonormal_columns(exact_product(basis, on_grid(vectors[:, :count], 20)[0]))
    modes = np.rint(np.ldexp(modes, 21)) / 2**21
    largest = np.abs(modes).argmax(axis=0)
    modes *= np.sign(modes[largest, np.arange(count)])
    projected, grid = on_grid(exact_product(data, np.ldexp(modes, 21)), 30)
    rms = np.sqrt((projected**2).sum(axis=0) / len(data)) * grid / 2**21
    return modes.T, rms
