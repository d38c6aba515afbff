"""Ranges of a BCF file, cut where its CSI index says that records begin. Format: the CSI specification of hts-specs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
    """Records that one process reads.

    Attributes:
        path: File.
        ranges: Where they lie: the byte of the BGZF block in which the first one begins and the inflated bytes before it, and the same of
            the first one after the last; None at the end of the file.
        n_samples: People.
        contig_names: As in ``BcfHeader``.
        strings: As there.
        keep: As there.
        regions: As there.
    """

    path: str
    ranges: tuple[tuple[Place, Place | None], ...]
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
    begin = (header.data_start, header.data_skip)
    found: Sequence[tuple[tuple[Place, Place | None], ...]] = [((begin, None),)]
    if index and regions and regions.by_index:
        numbers = {name: number for number, name in enumerate(header.contig_names) if number < len(index.contigs)}
        wanted = {numbers[name]: spans for name, spans in regions.spans.items() if name in numbers}
        found = cuts(index, wanted, target_bytes)
    elif index:
        places = [begin]
        for one in index.starts():
            if one[0] - places[-1][0] >= target_bytes:
                places.append(one)
        found = [(one,) for one in zip(places, [*places[1:], None], strict=True)]
    elif place(header.path).stat().st_size > target_bytes:
        log.warning(
            "%s has no index: one process must read all of it. To read it in parallel: bcftools index '%s'", header.path, header.path
        )
    return [
        BcfSplit(header.path, ranges, len(header.sample_ids), header.contig_names, header.strings, header.keep, regions) for ranges in found
    ]
