"""Which genes are measured so that they say the most about the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_REDUNDANT = 0.02


def correlations(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Correlation of genes over people, averaged over contexts.

    Args:
        values: Standardised expression [genes, contexts, people], missing values 0.

    Returns:
        [genes, genes].
    """
    flat = values.reshape(len(values), -1)
    return (flat @ flat.T).astype(float) / flat.shape[1]


def covering(matrix: NDArray[np.float64], candidates: NDArray[np.int64], explained: NDArray[np.int64], count: int) -> list[int]:
    """Greedy choice: each step takes the gene that explains most of the variance that those before it leave.

    Args:
        matrix: Correlations [genes, genes].
        candidates: Genes to choose from.
        explained: Genes whose variance counts; those that are chosen need no explanation any more.
        count: Genes to choose, at most.

    Returns:
        Indices of the chosen genes, in the order of choice; fewer where nothing is left to explain.
    """
    left = matrix.copy()
    counts = np.zeros(len(matrix), bool)
    counts[explained] = True
    open_ = np.zeros(len(matrix), bool)
    open_[candidates] = True
    chosen: list[int] = []
    for _ in range(min(count, len(candidates))):
        own = np.diag(left).copy()
        gain = (left[counts] ** 2).sum(axis=0) / np.maximum(own, 1e-12)
        # A gene that those before it say nearly exactly adds only noise.
        gain[~open_ | (own < _REDUNDANT)] = -1
        best = int(gain.argmax())
        if gain[best] < 0:
            break
        chosen.append(best)
        open_[best] = False
        left -= np.outer(left[:, best], left[best]) / left[best, best]
    return chosen
