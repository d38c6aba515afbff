"""Byte ranges of a VCF that processes can read independently of each other."""

from __future__ import annotations

from dataclasses import dataclass

from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.header import Compression, VcfHeader
from genospark.ingest.vcf.index import Range, RecordIndex, cuts
from genospark.ingest.vcf.regions import Regions


@dataclass(frozen=True)
class Split:
    """A range of a file, in compressed bytes; picklable.

    Attributes:
        path: File.
        start: First byte.
        stop: Byte after the last.
        compression: As in ``VcfHeader``.
        n_columns: Columns of every record.
        n_samples: People.
        skip: Inflated bytes between ``start`` and the first record; only in the first split.
        first_line: Line number of the first record, from 1; None in all but the first split.
        keep: As in ``VcfHeader``.
        regions: As there.
        ranges: Where an index says where records lie: these alone are read; else None.
    """

    path: str
    start: int
    stop: int
    compression: Compression
    n_columns: int
    n_samples: int
    skip: int = 0
    first_line: int | None = None
    keep: tuple[str, ...] = ()
    regions: Regions | None = None
    ranges: tuple[Range, ...] | None = None

    @property
    def first(self) -> bool:
        """True for the split that holds the first record."""
        return self.first_line is not None


def plan_splits(header: VcfHeader, target_bytes: int) -> list[Split]:
    """Cut the records of a file into ranges of ``target_bytes`` compressed bytes (gzip: one range of any size).

    Where regions are chosen and an index is there, only ranges in which such records lie.

    Raises:
        InputError: A BGZF file is truncated.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    if header.compression == "bgzf":
        bgzf.check_end(header.path)
    size = place(header.path).stat().st_size
    if header.compression == "bgzf" and header.regions and header.regions.by_index and header.index:
        return _by_index(header, header.regions, header.index, target_bytes)
    step = size if header.compression == "gzip" else target_bytes
    # A file without records still makes one split, which holds no rows.
    starts = range(header.data_start, max(size, header.data_start + 1), step)
    return [
        Split(
            path=header.path,
            start=start,
            stop=min(start + step, size),
            compression=header.compression,
            n_columns=header.n_columns,
            n_samples=len(header.sample_ids),
            skip=header.data_skip if start == header.data_start else 0,
            first_line=header.data_line if start == header.data_start else None,
            keep=header.keep,
            regions=header.regions,
        )
        for start in starts
    ]


def _by_index(header: VcfHeader, regions: Regions, index: RecordIndex, target_bytes: int) -> list[Split]:
    wanted = {index.names.index(name): spans for name, spans in regions.spans.items() if name in index.names}
    return [
        Split(
            path=header.path,
            start=ranges[0][0][0] if ranges else 0,
            stop=ranges[-1][1][0] if ranges else 0,
            compression="bgzf",
            n_columns=header.n_columns,
            n_samples=len(header.sample_ids),
            keep=header.keep,
            regions=regions,
            ranges=ranges,
        )
        for ranges in cuts(index, wanted, target_bytes)
    ]
