"""Fst between populations, Hudson's estimator from allele counts.

Method: Bhatia et al. 2013, Genome Research 23:1514-1521, equation 10: variants' numerators and denominators are summed before they are
divided, over the variants at which both populations have at least two alleles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes
from genospark.quality.packed import COPIES, KNOWN, Doubles, Floats, genotype_counts, widen


def allele_counts(packed: Bytes, members: Floats) -> tuple[Doubles, Doubles]:
    """Copies of the alternate allele, and called alleles, of each population.

    Args:
        packed: (variants, bytes).
        members: 1 where a person belongs to a population, (4 x bytes, populations).

    Returns:
        Two arrays (variants, populations).
    """
    copies = widen(packed, COPIES) @ members
    n = np.repeat(2 * members.sum(axis=0, dtype=float)[None], len(packed), axis=0)
    gaps = np.flatnonzero(genotype_counts(packed).sum(axis=1) < members.sum())
    n[gaps] = 2 * (widen(packed[gaps], KNOWN) @ members)
    return copies.astype(float), n


@dataclass
class FstSums:
    """Sums over variants, arrays (populations, populations).

    Attributes:
        numerator: Of Fst.
        denominator: Of Fst.
        n_variants: Variants at which both have enough alleles, and not all of them the same one.
    """

    numerator: Doubles
    denominator: Doubles
    n_variants: NDArray[np.int64]

    @classmethod
    def of(cls, copies: Doubles, n: Doubles) -> FstSums:
        """Sums over some variants.

        Args:
            copies: Copies of the alternate allele, (variants, populations).
            n: Called alleles.
        """
        enough = (n >= 2).astype(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            p = np.where(n > 0, copies / n, 0)
            within = np.where(n >= 2, p * (1 - p) / (n - 1), 0)
        # (p1 - p2)^2 - within1 - within2 and p1 (1 - p2) + p2 (1 - p1), summed over the variants that both have.
        p *= enough
        square = (p**2 - within).T @ enough
        product = p.T @ p
        single = p.T @ enough
        alike = [fixed.T @ fixed for fixed in (enough * (p == allele) for allele in (0, 1))]
        n_variants = np.rint(enough.T @ enough - alike[0] - alike[1]).astype(np.int64)
        return cls(square + square.T - 2 * product, single + single.T - 2 * product, n_variants)

    def __add__(self, other: FstSums) -> FstSums:
        return FstSums(self.numerator + other.numerator, self.denominator + other.denominator, self.n_variants + other.n_variants)

    @property
    def fst(self) -> Doubles:
        """Ratios of the sums, NaN where no variant tells."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.denominator > 0, self.numerator / self.denominator, np.nan)


def hudson(packed: Bytes, members: Floats) -> FstSums:
    """Sums over some variants.

    Args:
        packed: (variants, bytes).
        members: 1 where a person belongs to a population, (4 x bytes, populations).
    """
    return FstSums.of(*allele_counts(packed, members))
