"""Alleles trimmed and aligned to the left on a reference, as ``bcftools norm -f`` and Glow's normaliser do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pysam

from genospark.errors import InputError
from genospark.ingest.reads.reference import open_reference

_WINDOW = 100
"""Bases that are read at once to the left of a record."""


def left_aligned(batches: Iterable[pa.RecordBatch], fasta: str) -> Iterator[pa.RecordBatch]:
    """Trim and left-align the alleles of records; only those with an allele that is longer than one base can change.

    Args:
        batches: Records with the columns of Glow's schema.
        fasta: Reference, with its index.

    Raises:
        InputError: The reference is absent, has no such contig, or has other bases than a record's REF.
    """
    with open_reference(fasta) as reference:
        for batch in batches:
            yield aligned(batch, reference)


def aligned(batch: pa.RecordBatch, reference: pysam.FastaFile) -> pa.RecordBatch:
    """Records of ``left_aligned``, on a reference that is open."""
    alternates = batch.column("alternateAlleles")
    alleles = pc.fill_null(pc.binary_join_element_wise(batch.column("referenceAllele"), pc.binary_join(alternates, ","), ","), "")
    # Bases alone, an alternate allele, and one that is longer than a base: symbolic alleles and * stay as they are.
    which = pc.match_substring_regex(alleles, "^[ACGTNacgtn]+(,[ACGTNacgtn]+)+$").to_numpy(zero_copy_only=False)
    which &= pc.match_substring_regex(alleles, "[ACGTNacgtn]{2}").to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(which)
    if not len(rows):
        return batch
    names = ["contigName", "start", "end", "referenceAllele", "alternateAlleles"]
    columns = {name: batch.column(name).to_pylist() for name in names}
    for row in rows.tolist():
        contig, start, end, ref, alts = (columns[name][row] for name in names)
        start, trimmed, (ref, *alts) = _normal(reference, contig, start, [ref, *alts])
        columns["start"][row], columns["end"][row] = start, end - trimmed
        columns["referenceAllele"][row], columns["alternateAlleles"][row] = ref, alts
    made = {name: pa.array(values, batch.schema.field(name).type) for name, values in columns.items()}
    return pa.record_batch([made.get(name, batch.column(name)) for name in batch.schema.names], schema=batch.schema)


def _normal(reference: pysam.FastaFile, contig: str, start: int, alleles: list[str]) -> tuple[int, int, list[str]]:
    """The start, the bases taken off the end, and the alleles of a record in their normal form.

    The bases on which all alleles end are taken off; where an allele would be empty, all get the base before on their left. Then the bases
    with which all begin are taken off, down to one.
    """
    try:
        found = reference.fetch(contig, max(start, 0), max(start, 0) + len(alleles[0])).upper()
    except (KeyError, ValueError) as error:
        raise InputError(f"{reference.filename.decode()}: no contig {contig}", "give the FASTA that the VCF was made with") from error
    if found != alleles[0].upper():
        raise InputError(
            f"{contig}:{start + 1}: REF {alleles[0][:40]} is not what the reference has there ({found[:40]})",
            "give the FASTA that the VCF was made with",
        )
    trimmed = 0
    left = ""
    while len({allele[-1].upper() for allele in alleles}) == 1 and len({allele.upper() for allele in alleles}) > 1:
        if min(map(len, alleles)) == 1:
            if start == 0:
                break
            if not left:
                left = reference.fetch(contig, max(start - _WINDOW, 0), start).upper()
            alleles = [left[-1] + allele for allele in alleles]
            left, start = left[:-1], start - 1
        alleles = [allele[:-1] for allele in alleles]
        trimmed += 1
    while min(map(len, alleles)) > 1 and len({allele[0].upper() for allele in alleles}) == 1:
        alleles = [allele[1:] for allele in alleles]
        start += 1
    return start, trimmed, alleles
