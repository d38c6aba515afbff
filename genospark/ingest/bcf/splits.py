"""Ranges of a BCF file, cut where its CSI index says that records begin. Format: the CSI specification of hts-specs."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from genospark.core.paths import place
from genospark.errors import InputError
from genospark.ingest.bcf.header import BcfHeader
from genospark.ingest.vcf import bgzf
from genospark.ingest.vcf.index import Place, cuts, find_index
from genospark.ingest.vcf.regions import Regions

log = logging.getLogger("genospark.ingest.vcf")


@dataclass(frozen=True)
class BcfSplit:
    """A range of records.

    Attributes:
        path: File.
        start: Byte of the BGZF block in which the first record begins.
        skip: Inflated bytes of it before that record.
        stop: Byte of the block in which the first record after the last begins; None at the end of the file.
        stop_skip: Inflated bytes of that block before it.
        n_samples: People.
        contig_names: As in ``BcfHeader``.
        strings: As there.
        keep: As there.
        regions: As there.
    """

    path: str
    start: int
    skip: int
    stop: int | None
    stop_skip: int
    n_samples: int
    contig_names: tuple[str, ...]
    strings: tuple[str, ...]
    keep: tuple[str, ...]
    regions: Regions | None = None


def plan_bcf(header: BcfHeader, target_bytes: int) -> list[BcfSplit]:
    """Cuts the records of a file into ranges of about ``target_bytes`` compressed bytes, or one where there is no index.

    Where regions are chosen, and an index is there, only ranges in which such records lie.

    Raises:
        InputError: The file is truncated, or its index is of another one.
    """
    if target_bytes < 1:
        raise InputError(f"a split cannot have {target_bytes} bytes", "give a positive number of bytes")
    bgzf.check_end(header.path)
    regions, index = header.regions, find_index(header.path)
    begin, end = (header.data_start, header.data_skip), (None, 0)
    found: list[tuple[Place, tuple[int | None, int]]] = [(begin, end)]
    if index and regions and regions.by_index:
        numbers = {name: number for number, name in enumerate(header.contig_names) if number < len(index.contigs)}
        wanted = [(numbers[name], *span) for name, spans in regions.spans.items() if name in numbers for span in spans]
        found = list(cuts(index, wanted, target_bytes))
    elif index:
        places = [begin]
        for one in index.starts():
            if one[0] - places[-1][0] >= target_bytes:
                places.append(one)
        found = list(zip(places, [*places[1:], end], strict=True))
    elif place(header.path).stat().st_size > target_bytes:
        log.warning(
            "%s has no index: one process must read all of it. To read it in parallel: bcftools index '%s'", header.path, header.path
        )
    return [
        BcfSplit(header.path, *first, *last, len(header.sample_ids), header.contig_names, header.strings, header.keep, regions)
        for first, last in found
    ]
