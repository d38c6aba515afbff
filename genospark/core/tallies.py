"""Counts of calls, and what follows from them about a variant."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.core.calls import MISSING, Bytes, count_codes, unpack
from genospark.core.hwe import hwe_p_values

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tallies:
    """People by their call, of each variant: arrays of one shape, named as the columns of ``genotypes``.

    Attributes:
        nCalled: With a call.
        nHet: Diploid, one copy of the alternate allele.
        nHomAlt: Diploid, two copies.
        nHaploid: With a call of one allele.
        nHaploidAlt: Of these, with the alternate allele.
    """

    nCalled: Ints  # noqa: N815 names of columns
    nHet: Ints  # noqa: N815
    nHomAlt: Ints  # noqa: N815
    nHaploid: Ints  # noqa: N815
    nHaploidAlt: Ints  # noqa: N815


TALLIES = tuple(field.name for field in fields(Tallies))


def tally(packed: Bytes, n: int, haploid_rows: Ints, haploid_bits: Bytes) -> Tallies:
    """Counts the calls of ``n`` people.

    Args:
        packed: (variants, ceil(n / 4)), as in ``core.calls``.
        n: People.
        haploid_rows: (k,) variants that have calls of one allele.
        haploid_bits: (k, ceil(n / 8)) whose calls these are, lowest bit first.
    """
    n_one, n_two, n_missing = count_codes(packed, n).T
    n_haploid, n_haploid_alt = np.zeros_like(n_one), np.zeros_like(n_one)
    if len(haploid_rows):
        haploid = np.unpackbits(haploid_bits, axis=1, count=n, bitorder="little").view(bool)
        codes = unpack(packed[haploid_rows], n)
        n_haploid[haploid_rows] = (haploid & (codes != MISSING)).sum(axis=1)
        n_haploid_alt[haploid_rows] = (haploid & (codes == 1)).sum(axis=1)
    return Tallies(n - n_missing, n_one - n_haploid_alt, n_two, n_haploid, n_haploid_alt)


def statistics(found: Tallies, n: int) -> dict[str, pa.Array]:
    """The columns of ``variants`` that count among ``n`` people."""
    n_hom_ref = found.nCalled - found.nHaploid - found.nHet - found.nHomAlt
    allele_count = found.nHet + found.nHaploidAlt + 2 * found.nHomAlt
    n_alleles = 2 * found.nCalled - found.nHaploid
    with np.errstate(invalid="ignore"):
        frequency, call_rate = allele_count / n_alleles, found.nCalled / np.full_like(found.nCalled, n)
    return {
        "nCalled": pa.array(found.nCalled),
        "callRate": pa.array(call_rate, from_pandas=True),
        "alleleCount": pa.array(allele_count),
        "nAllelesCalled": pa.array(n_alleles),
        "alleleFrequency": pa.array(frequency, from_pandas=True),
        "nHet": pa.array(found.nHet),
        "nHomAlt": pa.array(found.nHomAlt),
        "pValueHwe": pa.array(hwe_p_values(n_hom_ref, found.nHet, found.nHomAlt), from_pandas=True),
    }
