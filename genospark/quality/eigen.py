"""Leading eigenvectors of the relationship matrix ZZ' / M of standardised calls Z (people, M variants), exact or by few passes over them.

Method of the passes: block Lanczos with full reorthogonalisation, the randomised Krylov method of Galinsky et al. 2016 (Am J Hum Genet
98:456-472) and Halko et al. 2011 (SIAM Rev 53:217-288) without numbers that grow: after each pass the best eigenvectors in what all
passes have spanned are known, with the length of what is left over.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg

from genospark.quality.packed import Doubles, Floats

_NEGLIGIBLE = 1e-10


def exact(matrix: Doubles, count: int) -> tuple[Doubles, Doubles]:
    """Largest eigenvalues of a symmetric matrix, the first the largest, and their eigenvectors as columns."""
    n = len(matrix)
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=(max(n - count, 0), n - 1))
    return values[::-1], oriented(vectors[:, ::-1])


def by_passes(
    product: Callable[[Doubles], Doubles], n: int, count: int, seed: int, tolerance: float, most: int
) -> tuple[Doubles, Doubles, int]:
    """The same of a symmetric matrix that is only multiplied with few columns at a time.

    Args:
        product: Matrix times columns, (n, columns).
        n: Rows of the matrix.
        count: Eigenvectors.
        seed: Of the columns it begins with.
        tolerance: Ends where what the matrix makes of each vector beside itself is at most this share of its eigenvalue.
        most: Products, at most.

    Returns:
        Eigenvalues, eigenvectors and the number of products.
    """
    width = min(count + 2, n)
    basis = np.linalg.qr(np.random.default_rng(seed).normal(size=(n, width)))[0]
    made = np.zeros((n, 0))
    values, vectors = np.zeros(0), np.zeros((n, 0))
    for number in range(1, most + 1):
        fresh = product(basis[:, made.shape[1] :])
        made = np.hstack([made, fresh])
        small = basis.T @ made
        values, inner = scipy.linalg.eigh((small + small.T) / 2)
        values, inner = values[::-1][:count], inner[:, ::-1][:, :count]
        vectors = basis @ inner
        left = np.linalg.norm(made @ inner - vectors * values, axis=0)
        fresh = _beside(fresh, basis)
        fresh = fresh[:, : n - basis.shape[1]]
        if fresh.shape[1] == 0 or (left <= tolerance * np.abs(values)).all():
            return values, oriented(vectors), number
        basis = np.hstack([basis, fresh])
    return values, oriented(vectors), most


def _beside(columns: Doubles, basis: Doubles) -> Doubles:
    """Orthonormal directions of columns that a basis does not have."""
    scale = np.linalg.norm(columns, axis=0).max(initial=0)
    for _ in range(2):
        # Twice is enough (Kahan, in Parlett 1998).
        columns = columns - basis @ (basis.T @ columns)
        columns, sizes, _ = scipy.linalg.qr(columns, mode="economic", pivoting=True)
        kept = np.abs(np.diag(sizes)) > _NEGLIGIBLE * max(scale, 1e-300)
        columns, scale = columns[:, kept], 1.0
    return columns


def oriented(vectors: Doubles) -> Doubles:
    """Vectors whose largest entry is positive: their direction has no meaning."""
    if not vectors.size:
        return vectors
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    turned: Doubles = vectors * np.where(largest < 0, -1, 1)
    return turned


def times(values: Floats, columns: Floats) -> Floats:
    """Of some variants what they add to ZZ' times columns.

    Args:
        values: Standardised calls, (variants, people).
        columns: (people, columns).
    """
    return values.T @ (values @ columns)
