"""Known genotypes as labels of pileup windows: which of the genotypes that a network can choose is the true one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from genospark.core.calls import MISSING
from genospark.core.pileup import BASES, WINDOW_BP, alternate_bases
from genospark.core.sites import evident

UNKNOWN = -1
# Copies of allele 1 and allele 2 -> genotype; what cannot be is not known.
_GENOTYPE = np.full((3, 3), UNKNOWN, np.int8)
_GENOTYPE[0, 0], _GENOTYPE[1, 0], _GENOTYPE[2, 0], _GENOTYPE[1, 1] = 0, 1, 2, 3
_CODE = {base: code for code, base in enumerate(BASES)}


@dataclass(frozen=True)
class Labels:
    """Of windows.

    Attributes:
        snv, indel: Genotype of the best-supported bases and indels, -1 for not known, int8 [windows, 1000].
        missed_snv, missed_indel: True genotypes that cannot be chosen, [windows].
        evident: Where a read leaves a choice, [windows, 1000].
    """

    snv: NDArray[np.int8]
    indel: NDArray[np.int8]
    missed_snv: NDArray[np.int64]
    missed_indel: NDArray[np.int64]
    evident: NDArray[np.bool_]


def label(batch: pa.RecordBatch, pileup: NDArray[np.uint8]) -> Labels:
    """Labels of a batch of windows; where no read leaves a choice, homozygous reference is not learnt.

    Args:
        batch: Columns start, indels (see ``readWindows``), and truth: genotypes in the window that are not homozygous
            reference, structs of start, referenceAllele, alternateAllele and copies (3 for missing), or null.
        pileup: The windows of `pileup`, [windows, 1000, channels].
    """
    start = batch.column("start").to_numpy()
    truth = _events(batch.column("truth"), start)
    snv, missed_snv = _snv_labels(pileup, *truth)
    indel, missed_indel = _indel_labels(batch, start, *truth)
    sites = evident(pileup)
    for labels in (snv, indel):
        labels[~sites & (labels == 0)] = UNKNOWN
    return Labels(snv, indel, missed_snv, missed_indel, sites)


Events = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.object_], NDArray[np.object_], NDArray[np.int64]]


def _events(column: pa.ListArray, start: NDArray[np.int64]) -> Events:
    """Row, offset in the window, alleles and copies of each known genotype."""
    column = column.fill_null([]) if column.null_count else column
    row = np.repeat(np.arange(len(column)), column.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64))
    parts = column.flatten()
    begin, reference, alternate, copies = (parts.field(i) for i in range(4))
    offset = begin.to_numpy(zero_copy_only=False) - start[row]
    alleles = (values.to_numpy(zero_copy_only=False).astype(object) for values in (reference, alternate))
    return row, offset.astype(np.int64), *alleles, copies.to_numpy(zero_copy_only=False).astype(np.int64)


def _snv_labels(
    pileup: NDArray[np.uint8],
    row: NDArray[np.int64],
    offset: NDArray[np.int64],
    reference: NDArray[np.object_],
    alternate: NDArray[np.object_],
    copies: NDArray[np.int64],
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Labels [windows, 1000] and, for each window, the true genotypes that the two best-supported bases cannot tell."""
    labels = np.zeros(pileup.shape[:2], np.int8)
    single = np.array([len(ref) == len(alt) == 1 for ref, alt in zip(reference, alternate, strict=True)], bool)
    row, offset, copies = row[single], offset[single], copies[single]
    code = np.array([_CODE.get(alt, -1) for alt in alternate[single]], np.int64)
    best = alternate_bases(pileup[row, offset])
    of_alleles = np.zeros((*labels.shape, 2), np.int8)
    for rank in (0, 1):
        shown = (best[:, rank] == code) & (copies != MISSING)
        np.add.at(of_alleles[..., rank], (row[shown], offset[shown]), copies[shown].astype(np.int8))
    touched = (row, offset)
    labels[touched] = _GENOTYPE[tuple(np.minimum(of_alleles[touched], 2).T)]
    lost = (best != code[:, None]).all(axis=1) & (copies != MISSING)
    labels[row[lost | (copies == MISSING)], offset[lost | (copies == MISSING)]] = UNKNOWN
    return labels, np.bincount(row[lost], minlength=len(labels))


def _indel_labels(
    batch: pa.RecordBatch,
    start: NDArray[np.int64],
    row: NDArray[np.int64],
    offset: NDArray[np.int64],
    reference: NDArray[np.object_],
    alternate: NDArray[np.object_],
    copies: NDArray[np.int64],
) -> tuple[NDArray[np.int8], NDArray[np.int64]]:
    """Labels [windows, 1000] and, for each window, the true genotypes that the two ranked indels cannot tell."""
    labels = np.zeros((batch.num_rows, WINDOW_BP), np.int8)
    column = batch.column("indels")
    window = np.repeat(np.arange(len(column)), column.value_lengths().to_numpy().astype(np.int64))
    position, rank, ref, alt = (column.flatten().field(i).to_numpy(zero_copy_only=False) for i in range(4))
    ranked = {
        (w, p - start[w], r, a): k - 1 for w, p, k, r, a in zip(window, position, rank, ref, alt, strict=True)
    }  # indels are few: some a window
    of_alleles = np.zeros((*labels.shape, 2), np.int8)
    unknown = np.zeros(labels.shape, bool)
    missed = np.zeros(batch.num_rows, np.int64)
    for w, at, r, a, n in zip(row, offset, reference, alternate, copies, strict=True):
        if len(r) == len(a) == 1:
            continue
        place = ranked.get((w, at, r, a))
        if n == MISSING or place is None:
            unknown[w, at] = True
            missed[w] += n != MISSING
        else:
            of_alleles[w, at, place] += n
    found = of_alleles.any(axis=2)
    labels[found] = _GENOTYPE[tuple(np.minimum(of_alleles[found], 2).T)]
    labels[unknown] = UNKNOWN
    return labels, missed
