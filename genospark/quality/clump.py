"""Clumping of linked variants by p-value, one contig after the other, as ``plink1.9 --clump``.

The variant of the smallest p-value stays and takes those away that are linked with it in a window around it; then the one of the smallest
p-value among those that are left, and so on. As there, the squared correlation is that of alleles on haplotypes, whose frequencies are the
most likely ones given the genotypes (Excoffier and Slatkin 1995, Mol Biol Evol 12:921-927).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from genospark.core.calls import Bytes
from genospark.quality.packed import widen

Places = NDArray[np.int64]
Doubles = NDArray[np.float64]
_BLOCK = 128
# Bytes of packed calls that are widened at once: counts of their people are exact in float32.
_SLICE = 4096
_CODES = np.arange(256)[:, None] >> np.arange(0, 8, 2) & 3
_HAS = [np.equal(_CODES, copies).astype(np.float32) for copies in range(3)]
_PASSES, _PRECISION = 1000, 1e-10


@dataclass
class Linker:
    """Variants of one contig, taken in order of their position; those behind the window are forgotten.

    Attributes:
        bases: How far apart linked variants may be.
        r2: Squared correlations above this are linked.
    """

    bases: int
    r2: float
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
            one, other = (side + first for side in linked_pairs(np.stack(self._calls), begin - first, self.r2))
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


def linked_pairs(calls: Bytes, n_earlier: int, r2: float) -> tuple[Places, Places]:
    """Pairs of variants whose alleles are correlated, over people who have both calls.

    Args:
        calls: (variants, bytes).
        n_earlier: Variants that are not compared with each other any more: the second of each pair stands behind these.
        r2: Squared correlations above this are linked.

    Returns:
        First and second variant of each pair.
    """
    counts = np.zeros((3, 3, len(calls), len(calls) - n_earlier))
    for i in range(0, calls.shape[1], _SLICE):
        part = [widen(calls[:, i : i + _SLICE], has) for has in _HAS]
        for one in range(3):
            for other in range(3):
                counts[one, other] += part[one] @ part[other][n_earlier:].T
    first, second = np.indices(counts.shape[2:])
    pairs = first < second + n_earlier
    linked = haplotype_r2(counts[:, :, pairs], r2) > r2
    return first[pairs][linked], second[pairs][linked] + n_earlier


def haplotype_r2(counts: Doubles, least: float = 0.0) -> Doubles:
    """Squared correlation of the alleles of two variants on the same haplotype.

    Args:
        counts: People by their copies at the one and at the other variant, (3, 3, pairs).
        least: Where no phase of those who are heterozygous at both could give more than this, 0 stands for it.

    Returns:
        (pairs,); 0 where a variant does not vary.
    """
    n, double = 2 * counts.sum(axis=(0, 1)), counts[1, 1]
    # Haplotypes of which the phase is known: no copy on both, a copy of the other, of the one, of both.
    none = 2 * counts[0, 0] + counts[0, 1] + counts[1, 0]
    others = 2 * counts[0, 2] + counts[0, 1] + counts[1, 2]
    ones = 2 * counts[2, 0] + counts[1, 0] + counts[2, 1]
    both = 2 * counts[2, 2] + counts[1, 2] + counts[2, 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = (none + others + double) / n, (none + ones + double) / n
        variances = p * (1 - p) * q * (1 - q)
        most = np.maximum((none / n - p * q) ** 2, ((none + double) / n - p * q) ** 2) / variances
        found = np.where((double > 0) | ~(variances > 0), 0.0, most)
    # Of the double heterozygotes the share whose haplotypes are alike: with no copy, and with both.
    left = np.flatnonzero((double > 0) & (variances > 0) & (most > least))
    none, others, ones, both, double, n, p, q, variances = (
        values[left] for values in (none, others, ones, both, double, n, p, q, variances)
    )
    share, moving = np.full(len(left), 0.5), np.arange(len(left))
    for _ in range(_PASSES):
        now = share[moving]
        alike = (none[moving] + now * double[moving]) * (both[moving] + now * double[moving])
        apart = (others[moving] + (1 - now) * double[moving]) * (ones[moving] + (1 - now) * double[moving])
        share[moving] = alike / (alike + apart)
        moving = moving[np.abs(share[moving] - now) > _PRECISION]
        if not len(moving):
            break
    found[left] = ((none + share * double) / n - p * q) ** 2 / variances
    return found
