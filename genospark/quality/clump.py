"""Clumping of linked variants by p-value, one contig after the other, as ``plink1.9 --clump``.

The variant of the smallest p-value stays and takes those away that are linked with it in a window around it; then the one of the smallest
p-value among those that are left, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genospark.core.calls import Bytes
from genospark.quality.linkage import linked_pairs

Places = NDArray[np.int64]
_BLOCK = 128


@dataclass
class Linker:
    """Variants of one contig, taken in order of their position; those behind the window are forgotten.

    Attributes:
        bases: How far apart linked variants may be.
        r2: Squared correlations above this are linked.
        n_people: People that correlations are over; places of others have missing calls.
    """

    bases: int
    r2: float
    n_people: int
    _starts: Places = field(default_factory=lambda: np.zeros(0, np.int64))
    _calls: list[Bytes] = field(default_factory=list)
    _pairs: list[NDArray[np.int64]] = field(default_factory=list)

    def add(self, starts: Places, packed: Bytes) -> None:
        """Takes the next variants.

        Args:
            starts: Positions, (variants,).
            packed: Calls, (variants, bytes).
        """
        for i in range(0, len(starts), _BLOCK):
            begin, new = len(self._starts), starts[i : i + _BLOCK]
            first = int(np.searchsorted(self._starts, new[0] - self.bases, "left"))
            self._calls = [*self._calls[len(self._calls) - (begin - first) :], *packed[i : i + _BLOCK]]
            self._starts = np.append(self._starts, new)
            one, other = (side + first for side in linked_pairs(np.stack(self._calls), begin - first, self.r2, self.n_people))
            near = self._starts[other] - self._starts[one] <= self.bases
            self._pairs.append(np.stack([one[near], other[near]]))

    @property
    def linked(self) -> sparse.csr_matrix:
        """Which variants are linked, (variants, variants), symmetric."""
        n = len(self._starts)
        one, other = np.concatenate([np.zeros((2, 0), np.int64), *self._pairs], axis=1)
        half = sparse.csr_matrix((np.ones(len(one), bool), (one, other)), (n, n))
        return (half + half.T).tocsr()


def clump(p_values: NDArray[np.float64], linked: sparse.csr_matrix) -> NDArray[np.bool_]:
    """Variants that stay.

    Args:
        p_values: (variants,), NaN for those that are none of the candidates; of equal ones the earlier variant comes first.
        linked: Of ``Linker.linked``.

    Returns:
        A mask (variants,).
    """
    free = ~np.isnan(p_values)
    stays = np.zeros(len(p_values), bool)
    for one in np.argsort(p_values, kind="stable")[: free.sum()].tolist():
        if free[one]:
            stays[one] = True
            free[linked.indices[linked.indptr[one] : linked.indptr[one + 1]]] = False
    return stays
