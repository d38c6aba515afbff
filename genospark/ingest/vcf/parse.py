"""From a split to record batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from genospark.core.calls import SAMPLE_BLOCK, Bytes, packed_bytes
from genospark.ingest.vcf.chunks import Chunk, read_chunks
from genospark.ingest.vcf.faults import BadLinesError, Findings, Wrong, left_out, refusal
from genospark.ingest.vcf.genotypes import Calls, decode_calls
from genospark.ingest.vcf.hwe import hwe_p_values
from genospark.ingest.vcf.lines import Ints, Lines, find_lines
from genospark.ingest.vcf.sites import Sites, read_sites
from genospark.ingest.vcf.splits import Split

PARSED_SCHEMA = pa.schema(
    [
        pa.field("contigName", pa.string(), nullable=False),
        pa.field("start", pa.int64(), nullable=False),
        pa.field("end", pa.int64(), nullable=False),
        pa.field("names", pa.list_(pa.string()), nullable=False),
        pa.field("referenceAllele", pa.string(), nullable=False),
        pa.field("alternateAlleles", pa.list_(pa.string()), nullable=False),
        pa.field("qual", pa.float64()),
        pa.field("filters", pa.list_(pa.string()), nullable=False),
        pa.field("splitFromMultiAllelic", pa.bool_(), nullable=False),
        pa.field("nCalled", pa.int32(), nullable=False),
        pa.field("callRate", pa.float64()),
        pa.field("alleleCount", pa.int32(), nullable=False),
        pa.field("nAllelesCalled", pa.int32(), nullable=False),
        pa.field("alleleFrequency", pa.float64()),
        pa.field("nHet", pa.int32(), nullable=False),
        pa.field("nHomAlt", pa.int32(), nullable=False),
        pa.field("pValueHwe", pa.float64()),
        pa.field("calls", pa.list_(pa.binary()), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
    ]
)
"""Columns of ``variants`` as ``genospark.schema`` describes them; ``calls``, one binary for each block of people; and ``line``, the number
of the record's line in the split, from 0."""
END_BEFORE_POS = "INFO END lies before POS: the length of REF is used"


def parse_split(split: Split, findings: Findings | None = None, quarantine: bool = False) -> Iterator[pa.RecordBatch]:
    """Read the records of a split, one row per biallelic variant, in the order of the file.

    Multi-allelic records are split as ``bcftools norm -m-`` does: the other alternate alleles of a genotype count as the
    reference. A record without an alternate allele keeps one row with an empty list. All counts are over full calls, so they agree
    with ``calls``; ``bcftools`` also counts the called allele of a half call (``./1``) in AC and AN. A haploid call of the alternate
    allele is one copy; it is in neither ``nHet`` nor ``nHomAlt`` nor the Hardy-Weinberg test.

    Args:
        split: The split.
        findings: Takes up what is found besides the rows; complete once all batches are read.
        quarantine: Leave bad records out and add them to ``findings``, instead of ending with the first.

    Yields:
        Batches of ``PARSED_SCHEMA``, each of about 16 MiB of text.

    Raises:
        InputError: The file is damaged or, without ``quarantine``, a line cannot be read; the message names file, line and reason.
    """
    findings = Findings() if findings is None else findings
    for chunk in read_chunks(split):
        before = findings.lines
        batch, wrong = _read(chunk, findings)
        if wrong:
            if not quarantine:
                raise refusal(chunk, wrong[0], before)
            findings.bad += [left_out(chunk, entry, before) for entry in wrong]
        # The next chunk is read before these names are bound again.
        del chunk, wrong
        if batch is not None:
            yield batch
        del batch


def _read(chunk: Chunk, findings: Findings) -> tuple[pa.RecordBatch | None, list[Wrong]]:
    """The rows of the lines that can be read, and what is wrong with the others, in the order of the file.

    A check refuses all lines that it finds wrong at once, so what is left is read again a few times at most, and only where there are
    bad lines.
    """
    lines, wrong, n_lines = find_lines(chunk)
    findings.records += len(lines) + len(wrong)
    batch = None
    while len(lines) and batch is None:
        try:
            batch = _batch(lines, findings)
        except BadLinesError as bad:
            wrong += bad.wrong
            lines = lines.without(bad.wrong)
    findings.lines += n_lines
    return batch, sorted(wrong, key=lambda entry: entry.start)


def _batch(lines: Lines, findings: Findings) -> pa.RecordBatch:
    n = lines.chunk.split.n_samples
    sites = read_sites(lines)
    calls = decode_calls(lines, sites.n_alternates, sites.has_genotypes)
    _note(findings, sites)
    record, alternates = _rows(sites)
    take = pa.array(record)
    columns: dict[str, pa.Array] = {
        "contigName": sites.contig.take(take),
        "start": pa.array(sites.start[record]),
        "end": pa.array(sites.end[record]),
        "names": sites.names.take(take),
        "referenceAllele": sites.reference.take(take),
        "alternateAlleles": alternates,
        "qual": sites.qual.take(take),
        "filters": sites.filters.take(take),
        "splitFromMultiAllelic": pa.array(sites.n_alternates[record] > 1),
        **_statistics(calls, n),
        "calls": _blocks(calls.packed, n),
        "line": pa.array(lines.numbers[record] + findings.lines),
    }
    return pa.record_batch([columns[field.name].cast(field.type) for field in PARSED_SCHEMA], schema=PARSED_SCHEMA)


def _note(findings: Findings, sites: Sites) -> None:
    if sites.n_unusable_ends:
        findings.warnings[END_BEFORE_POS] += sites.n_unusable_ends
    contigs = sites.contig.dictionary_encode()
    last = np.full(len(contigs.dictionary), -1, np.int64)
    np.maximum.at(last, contigs.indices.to_numpy(), sites.start)
    for name, position in zip(contigs.dictionary.to_pylist(), last.tolist(), strict=True):
        findings.contigs[name] = max(position, findings.contigs.get(name, -1))


def _rows(sites: Sites) -> tuple[Ints, pa.ListArray]:
    """Record of each row, and the list of its one alternate allele (none in a monomorphic record)."""
    n = sites.n_alternates
    record = np.repeat(np.arange(len(n)), np.maximum(n, 1))
    offsets = np.concatenate([[0], np.cumsum(n[record] > 0)]).astype(np.int32)
    return record, pa.ListArray.from_arrays(pa.array(offsets), sites.alternates.flatten())


def _statistics(calls: Calls, n: int) -> dict[str, pa.Array]:
    n_one, n_hom_alt, n_missing = calls.counts.T
    n_haploid, n_haploid_alt = calls.haploid.T
    n_called = n - n_missing
    allele_count, n_alleles = n_one + 2 * n_hom_alt, 2 * n_called - n_haploid
    n_het = n_one - n_haploid_alt
    n_hom_ref = n_called - n_haploid - n_het - n_hom_alt
    with np.errstate(invalid="ignore"):
        frequency, call_rate = allele_count / n_alleles, n_called / np.full_like(n_called, n)
    return {
        "nCalled": pa.array(n_called),
        "callRate": pa.array(call_rate, from_pandas=True),
        "alleleCount": pa.array(allele_count),
        "nAllelesCalled": pa.array(n_alleles),
        "alleleFrequency": pa.array(frequency, from_pandas=True),
        "nHet": pa.array(n_het),
        "nHomAlt": pa.array(n_hom_alt),
        "pValueHwe": pa.array(hwe_p_values(n_hom_ref, n_het, n_hom_alt), from_pandas=True),
    }


def _blocks(packed: Bytes, n: int) -> pa.ListArray:
    """Cut each row of packed calls into blocks of people, without a copy."""
    rows, row_bytes = packed.shape
    within = np.minimum(np.arange(-(-n // SAMPLE_BLOCK)) * packed_bytes(SAMPLE_BLOCK), row_bytes)
    offsets = np.append(np.add.outer(np.arange(rows) * row_bytes, within).ravel(), packed.size).astype(np.int32)
    data = pa.py_buffer(np.ascontiguousarray(packed))
    binaries = pa.BinaryArray.from_buffers(pa.binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), data])
    return pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * len(within)), binaries)
