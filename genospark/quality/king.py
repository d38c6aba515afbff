"""KING-robust kinship of pairs of people, from packed calls.

Method: Manichaikul et al. 2010, Bioinformatics 26:2867-2873, the estimator between families (equation 11): with the heterozygous
calls of the person who has fewer of them, over the variants at which both have a call.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.core.calls import Bytes
from genospark.quality.packed import HET, HOM_SIGN, Doubles, gaps, widen


@dataclass
class PairCounts:
    """Variants by the calls of two people, for every pair of one of `left` and one of `right`: arrays (left, right) of whole numbers.

    Attributes:
        het_het: Both are heterozygous.
        het_hom: The one of `left` is, the other is homozygous.
        hom_het: The other way round.
        hom_hom: Both are homozygous.
        signs: Homozygous for the same allele, less those for different ones.
    """

    het_het: Doubles
    het_hom: Doubles
    hom_het: Doubles
    hom_hom: Doubles
    signs: Doubles

    @classmethod
    def none(cls, left: int, right: int) -> PairCounts:
        """Of no variants; with so many places on both sides."""
        return cls(*(np.zeros((left, right)) for _ in range(5)))

    def add(self, left: Bytes, right: Bytes) -> None:
        """Counts some more variants.

        Who is neither heterozygous nor without a call is homozygous: only what is the same of both is counted pair by pair.

        Args:
            left: (variants, bytes) of some people; fewer than 16 million variants, whose sums are exact in float32.
            right: (variants, bytes) of the same or others.
        """
        if not len(left):
            return
        (het, sign), (gone, some) = (widen(left, values) for values in (HET, HOM_SIGN)), gaps(left)
        other_het, other_sign, other_gone, other_some = het, sign, gone, some
        if right is not left:
            (other_het, other_sign), (other_gone, other_some) = (widen(right, values) for values in (HET, HOM_SIGN)), gaps(right)
        both = het.T @ other_het
        het_gone, gone_het = (other_gone.T @ het).T, gone.T @ other_het
        without = [np.asarray(one.sum(axis=0)).ravel() for one in (het, other_het, gone, other_gone)]
        n_het, n_other, n_gone, n_other_gone = without[0][:, None], without[1], without[2][:, None], without[3]
        homozygous = len(left) - n_het - n_other - n_gone - n_other_gone + both + het_gone + gone_het + (gone.T @ other_gone).toarray()
        self.het_het += both
        self.het_hom += (n_het - both - het_gone) * other_some
        self.hom_het += (n_other - both - gone_het) * some[:, None]
        self.hom_hom += homozygous * some[:, None] * other_some
        self.signs += sign.T @ other_sign

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
