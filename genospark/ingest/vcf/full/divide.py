"""Multi-allelic records divided into one row per alternate allele, as ``bcftools norm -m-`` does.

Fields with a value per alternate allele (Number=A), per allele (R) or per genotype (G) keep the values of the reference and the row's own
allele; other fields are repeated. In calls the other alternate alleles become the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from genospark.ingest.vcf.full.spans import Bools, Ints
from genospark.ingest.vcf.full.values import make_lists

REASON = "{} {} has not one value per {}"
"""What is wrong where a field cannot be divided; ``bcftools norm`` stops there, too."""
PER = {"A": "alternate allele", "R": "allele", "G": "genotype"}


@dataclass(frozen=True)
class Division:
    """Rows to be made of values.

    Attributes:
        source: (rows,) which value each is made of.
        allele: (rows,) number of its alternate allele, from 1.
        n_alternates: (rows,) alternate alleles of the record that is divided.
    """

    source: Ints
    allele: Ints
    n_alternates: Ints


def divide_lists(values: pa.ListArray, number: str, how: Division) -> tuple[pa.ListArray, Bools]:
    """Divide a field with ``Number=A``, ``R`` or ``G``.

    Args:
        values: (n,) lists.
        number: Which of the three.
        how: Rows.

    Returns:
        (rows,) lists, and (rows,) which have neither no value nor the number of values that can be divided.
    """
    starts = values.offsets.to_numpy()
    sizes = np.diff(starts)[how.source]
    first = starts[:-1][how.source].astype(np.int64)
    null = values.is_null().to_numpy(zero_copy_only=False)[how.source]
    m, a = how.n_alternates, how.allele
    per_allele = np.column_stack([np.zeros_like(a), a, a])
    if number == "A":
        whole, picks, counts = sizes == m, np.column_stack([a - 1, a - 1, a - 1]), np.ones_like(a)
    elif number == "R":
        whole, picks, counts = sizes == m + 1, per_allele, np.full_like(a, 2)
    else:
        # Genotypes j/k stand at k(k+1)/2 + j; those of one allele in the order of alleles.
        diploid = sizes == (m + 1) * (m + 2) // 2
        one = a * (a + 1) // 2
        picks = np.where(diploid[:, None], np.column_stack([np.zeros_like(a), one, one + a]), per_allele)
        whole, counts = diploid | (sizes == m + 1), np.where(diploid, 3, 2)
    # Several dots are an empty list; divided, one of them is left where a value goes with each alternate allele.
    wrong = ~whole & (sizes > 0)
    null |= (sizes == 0) & (number == "A")
    counts = np.where(whole, counts, 0)
    row = np.repeat(np.arange(len(a)), counts)
    within = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    flat = values.values.take(pa.array(first[row] + picks[row, within]))
    return make_lists(counts, flat, null), wrong


def divide_calls(calls: pa.ListArray, how: Division) -> pa.ListArray:
    """Code the row's own alternate allele as 1, others as 0; what is missing stays so."""
    taken = calls.take(pa.array(how.source))
    offsets = taken.offsets.to_numpy()
    # Taken lists have their own values from the first offset to the last.
    alleles = taken.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    own = np.repeat(how.allele, np.diff(offsets))
    coded = np.where(alleles > 0, alleles == own, alleles).astype(np.int32)
    null = pc.is_null(taken) if taken.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets - offsets[0]), pa.array(coded), mask=null)
