"""From a split to record batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from genospark.core.calls import NUMBERS, SAMPLE_BLOCK, Bytes, nothing, packed_bytes
from genospark.core.tallies import TALLIES, Tallies, statistics, tally
from genospark.ingest.vcf.chunks import Chunk, read_chunks
from genospark.ingest.vcf.faults import BadLinesError, Findings, Wrong, left_out, refusal
from genospark.ingest.vcf.genotypes import Calls, decode_calls
from genospark.ingest.vcf.lines import Ints, Lines, find_lines
from genospark.ingest.vcf.measured import read_measured
from genospark.ingest.vcf.plain import read_shortened
from genospark.ingest.vcf.sites import Sites, read_sites
from genospark.ingest.vcf.splits import Split

KEPT = ("phase", *NUMBERS)
"""Packed columns beside the calls, where they are asked for."""
BLOCK = pa.struct([*((name, pa.binary()) for name in ("calls", "haploid", *KEPT)), *((name, pa.int32()) for name in TALLIES)])
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
        pa.field("blocks", pa.list_(BLOCK), nullable=False),
        pa.field("line", pa.int64(), nullable=False),
    ]
)
"""Columns of ``variants`` as ``genospark.schema`` describes them; what ``genotypes`` says of each block of people; and ``line``, the number
of the record's line in the split, from 0."""
_PHASED_BITS = np.uint8(0b01010101)
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
    # Other fields than GT are in the text alone.
    for chunk in read_chunks(split) if set(split.keep) - {"phase"} else read_shortened(split):
        before = findings.lines
        batch, wrong = _read(chunk, findings)
        if wrong:
            if not quarantine:
                raise refusal(chunk, wrong[0], before)
            findings.bad += [left_out(chunk, entry, before) for entry in wrong]
        # The next chunk is read before these names are bound again.
        del chunk, wrong
        if batch is not None and len(batch):
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
    sites = read_sites(lines)
    if regions := lines.chunk.split.regions:
        note_contigs(findings, sites)
        inside = regions.overlap(sites.contig, sites.start, sites.end)
        lines, sites = lines.only(inside), sites.only(inside)
        if not len(lines):
            return pa.RecordBatch.from_pylist([], PARSED_SCHEMA)
    calls = decode_calls(lines, sites.n_alternates, sites.has_genotypes)
    if lines.chunk.split.keep:
        found = read_measured(lines, sites.n_alternates)
        calls = replace(calls, numbers=found.numbers, warnings={**calls.warnings, **found.warnings})
    return parsed_rows(sites, calls, lines.chunk.split.n_samples, lines.numbers + findings.lines, findings)


def parsed_rows(sites: Sites, calls: Calls, n: int, numbers: Ints, findings: Findings) -> pa.RecordBatch:
    """Rows of ``PARSED_SCHEMA``, whichever format they were read from.

    Args:
        sites: Records.
        calls: Of each alternate allele of the records.
        n: People.
        numbers: (records,) number of each record's line in the split, from 0.
        findings: Takes up what the sites tell of contigs.
    """
    _note(findings, sites)
    findings.warnings.update(calls.warnings)
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
        **block_columns(calls, n),
        "line": pa.array(numbers[record]),
    }
    return pa.record_batch([columns[field.name].cast(field.type) for field in PARSED_SCHEMA], schema=PARSED_SCHEMA)


def _note(findings: Findings, sites: Sites) -> None:
    if sites.n_unusable_ends:
        findings.warnings[END_BEFORE_POS] += sites.n_unusable_ends
    note_contigs(findings, sites)


def note_contigs(findings: Findings, sites: Sites) -> None:
    """Takes up how far records reach on each contig."""
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


def block_columns(calls: Calls, n: int) -> dict[str, pa.Array]:
    """Statistics of each row over all ``n`` people, and its blocks of people."""
    rows = len(calls.packed)
    firsts = range(0, n, SAMPLE_BLOCK)
    blocks = [_block(calls, first, min(SAMPLE_BLOCK, n - first)) for first in firsts]
    found = [counts for _, counts in blocks]
    zeros = np.zeros(rows, np.int64)
    total = Tallies(*(sum((getattr(counts, name) for counts in found), zeros) for name in TALLIES))
    entries = pa.chunked_array([array for array, _ in blocks], BLOCK).combine_chunks()
    if len(blocks) > 1:
        # From one block after another to one row after another.
        entries = entries.take(pa.array(np.arange(rows * len(blocks)).reshape(len(blocks), rows).T.ravel()))
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * len(blocks))
    return statistics(total, n) | {"blocks": pa.ListArray.from_arrays(offsets, entries)}


def _block(calls: Calls, first: int, n: int) -> tuple[pa.StructArray, Tallies]:
    """One block of people, from the first: the rows' structs, and their counts."""
    packed = np.ascontiguousarray(calls.packed[:, first // 4 : first // 4 + packed_bytes(n)])
    bits = np.ascontiguousarray(calls.haploid_bits[:, first // 8 : first // 8 + -(-n // 8)])
    has = bits.any(axis=1)
    rows, bits = calls.haploid_rows[has], bits[has]
    counts = tally(packed, n, rows, bits)
    marks = np.full(len(packed), -1, np.int64)
    marks[rows] = np.arange(len(rows))
    haploid = _binaries(bits).take(pa.array(marks, mask=marks < 0))
    # Where nothing is known of anybody, nothing is stored.
    phase = None if calls.phase is None else calls.phase[:, first // 4 : first // 4 + packed_bytes(n)]
    kept = [_some_binaries(phase, None if phase is None else (phase & _PHASED_BITS != 0).any(axis=1), len(packed))]
    for name, dtype in NUMBERS.items():
        own = None if name not in calls.numbers else np.ascontiguousarray(calls.numbers[name][:, first : first + n], dtype)
        known = None if own is None else (own != nothing(name)).any(axis=1)
        kept.append(_some_binaries(None if own is None else own.view(np.uint8), known, len(packed)))
    columns = [_binaries(packed), haploid, *kept, *(pa.array(getattr(counts, name).astype(np.int32)) for name in TALLIES)]
    return pa.StructArray.from_arrays(columns, [field.name for field in BLOCK]), counts


def _some_binaries(rows: Bytes | None, which: npt.NDArray[np.bool_] | None, n: int) -> pa.BinaryArray:
    """Each of `n` rows as one binary; null where it is not one of them."""
    if rows is None or which is None or not which.any():
        return pa.nulls(n, pa.binary())
    if which.all():
        return _binaries(np.ascontiguousarray(rows))
    places = np.cumsum(which) - 1
    return _binaries(np.ascontiguousarray(rows[which])).take(pa.array(places, mask=~which))


def _binaries(rows: Bytes) -> pa.BinaryArray:
    """Each row as one binary, without a copy."""
    offsets = np.arange(len(rows) + 1, dtype=np.int64) * rows.shape[1]
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(rows)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(rows), buffers)
