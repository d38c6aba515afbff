"""Fst between populations, Weir and Cockerham's estimator from allele and genotype counts.

Method: Weir & Cockerham 1984, Evolution 38:1358-1370, equations 2 to 4 for two populations: variants' components are summed before they are
divided, over the variants at which both populations have calls.
"""

from __future__ import annotations

import numpy as np

from genospark.core.calls import Bytes
from genospark.quality.hudson import FstSums, allele_counts
from genospark.quality.packed import HET, Doubles, Floats, widen

# Of what is made of some variants and all pairs of populations.
_BLOCK_BYTES = 8 << 20


def weir_cockerham(packed: Bytes, members: Floats) -> FstSums:
    """Sums over some variants.

    Args:
        packed: (variants, bytes).
        members: 1 where a person belongs to a population, (4 x bytes, populations).
    """
    copies, alleles = allele_counts(packed, members)
    return of_counts(copies, alleles / 2, (widen(packed, HET) @ members).astype(float))


def of_counts(copies: Doubles, people: Doubles, het: Doubles) -> FstSums:
    """Sums over some variants.

    Args:
        copies: Copies of the alternate allele of each population, (variants, populations).
        people: People with a call.
        het: Of them, heterozygous.
    """
    n = copies.shape[1]
    at_once = max(1, _BLOCK_BYTES // (8 * n * n))
    total = FstSums(np.zeros((n, n)), np.zeros((n, n)), np.zeros((n, n), np.int64))
    for i in range(0, len(copies), at_once):
        total += _pairs(*(values[i : i + at_once] for values in (copies, people, het)))
    return total


def _pairs(copies: Doubles, people: Doubles, het: Doubles) -> FstSums:
    one, other = people[:, :, None], people[:, None, :]
    both = one + other
    with np.errstate(divide="ignore", invalid="ignore"):
        frequency = copies / (2 * people)
        mean = both / 2
        corrected = both - (one**2 + other**2) / both
        p = (copies[:, :, None] + copies[:, None, :]) / (2 * both)
        variance = (one * (frequency[:, :, None] - p) ** 2 + other * (frequency[:, None, :] - p) ** 2) / mean
        h = (het[:, :, None] + het[:, None, :]) / both
        within = p * (1 - p) - variance / 2
        between_people = mean / corrected * (variance - (within - h / 4) / (mean - 1))
        within_people = mean / (mean - 1) * (within - (2 * mean - 1) / (4 * mean) * h)
        whole = between_people + within_people + h / 2
        usable = (one > 0) & (other > 0) & (both > 2) & (p > 0) & (p < 1)
    numerator, denominator = (np.where(usable, values, 0).sum(axis=0) for values in (between_people, whole))
    return FstSums(numerator, denominator, usable.sum(axis=0))
