"""The reads of a region, whatever kind of file they are in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from genospark.errors import InputError
from genospark.ingest.reads.cram import as_bam
from genospark.ingest.reads.header import AlignmentHeader, bam_start, read_alignment_header
from genospark.ingest.reads.index import first_offset
from genospark.ingest.reads.records import RecordStream
from genospark.ingest.reads.regions import Region


def header_of(region: Region) -> AlignmentHeader:
    """Header of the file that a region is of.

    Raises:
        InputError: The file is damaged or absent, or has no such contig.
    """
    header = read_alignment_header(region.path, region.sample_id)
    if region.contig_name not in header.contigs:
        raise InputError(f"{region.path}: no contig {region.contig_name}", "plan regions from the header of this file")
    return header


@contextmanager
def open_reads(header: AlignmentHeader, region: Region, fasta: str | Path, margin: int = 0) -> Iterator[RecordStream | None]:
    """The reads that overlap a region, some before and after them; None where the index knows of none.

    Args:
        header: Of the region's file.
        region: Region.
        fasta: Reference the reads were aligned to.
        margin: Positions on both sides that belong to the region here.

    Raises:
        InputError: The file or its index is damaged, absent, or does not fit the region.
    """
    contig = list(header.contigs).index(region.contig_name)
    start, end = max(0, region.start - margin), min(region.end, header.contigs[region.contig_name]) + margin
    with ExitStack() as stack:
        path, offset = region.path, None if header.is_cram else first_offset(region.path, contig, start)
        if header.is_cram:
            path = stack.enter_context(as_bam(region.path, str(fasta), region.contig_name, start, end))
            offset = bam_start(path)
        yield None if offset is None else RecordStream(path, offset, contig, end)
