"""KING-robust kinship of pairs of people, from packed calls.

Method: Manichaikul et al. 2010, Bioinformatics 26:2867-2873, the estimator between families (equation 11): with the heterozygous
calls of the person who has fewer of them, over the variants at which both have a call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes
from genospark.quality.packed import HET, HOM_SIGN, Doubles, genotype_counts, widen


@dataclass
class PairCounts:
    """Variants by the calls of two people, for every pair of one of `left` and one of `right`: arrays (left, right) of whole numbers.

    Attributes:
        n_left: People of `left`; other places, which nobody has, have missing calls.
        n_right: The same of `right`.
        het_het: Both are heterozygous.
        het_hom: The one of `left` is, the other is homozygous.
        hom_het: The other way round.
        hom_hom: Both are homozygous.
        signs: Homozygous for the same allele, less those for different ones.
    """

    n_left: int
    n_right: int
    het_het: Doubles
    het_hom: Doubles
    hom_het: Doubles
    hom_hom: Doubles
    signs: Doubles

    @classmethod
    def none(cls, left: tuple[int, int], right: tuple[int, int]) -> PairCounts:
        """Of no variants; both sides as number of people and of places."""
        return cls(left[0], right[0], *(np.zeros((left[1], right[1])) for _ in range(5)))

    def add(self, left: Bytes, right: Bytes) -> None:
        """Counts some more variants.

        Args:
            left: (variants, bytes) of some people; fewer than 16 million variants, whose sums are exact in float32.
            right: (variants, bytes) of the same or others.
        """
        complete = (genotype_counts(left).sum(axis=1) == self.n_left) & (genotype_counts(right).sum(axis=1) == self.n_right)
        self._add_complete(left[complete], right[complete])
        self._add_with_gaps(left[~complete], right[~complete])

    def _add_complete(self, left: Bytes, right: Bytes) -> None:
        """Where nobody's call is missing, who is not heterozygous is homozygous."""
        het, other_het = widen(left, HET), widen(right, HET)
        both = het.T @ other_het
        n_het, n_other = het.sum(axis=0)[:, None], other_het.sum(axis=0)
        self.het_het += both
        self.het_hom += n_het - both
        self.hom_het += n_other - both
        self.hom_hom += len(left) - n_het - n_other + both
        self.signs += widen(left, HOM_SIGN).T @ widen(right, HOM_SIGN)

    def _add_with_gaps(self, left: Bytes, right: Bytes) -> None:
        het, sign = (widen(left, values).T for values in (HET, HOM_SIGN))
        other_het, other_sign = (widen(right, values) for values in (HET, HOM_SIGN))
        hom, other_hom = np.abs(sign), np.abs(other_sign)
        self.het_het += het @ other_het
        self.het_hom += het @ other_hom
        self.hom_het += hom @ other_het
        self.hom_hom += hom @ other_hom
        self.signs += sign @ other_sign

    @property
    def n_variants(self) -> Doubles:
        """Variants at which both have a call."""
        return self.het_het + self.het_hom + self.hom_het + self.hom_hom

    @property
    def ibs0(self) -> Doubles:
        """Variants at which they are homozygous for different alleles."""
        return (self.hom_hom - self.signs) / 2

    @property
    def kinship(self) -> Doubles:
        """Kinship coefficients; NaN where one of the two is nowhere heterozygous."""
        fewer = self.het_het + np.minimum(self.het_hom, self.hom_het)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 0.5 - (4 * self.ibs0 + self.het_hom + self.hom_het) / (4 * fewer)
        return np.where(fewer > 0, found, np.nan)


def pairs_above(kinship: Doubles, least: float, same: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Places of the pairs whose kinship is at least that; each pair once where both sides are the `same` people."""
    chosen = kinship >= least
    if same:
        chosen &= np.triu(np.ones(kinship.shape, bool), 1)
    left, right = np.nonzero(chosen)
    return left, right
