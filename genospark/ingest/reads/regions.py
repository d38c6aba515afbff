"""Regions of the genome that are piled up each on its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from genospark.core.pileup import WINDOW_BP
from genospark.errors import InputError
from genospark.ingest.reads.header import AlignmentHeader


@dataclass(frozen=True)
class Region:
    """Positions of one person.

    Attributes:
        path: BAM file.
        sample_id: Person.
        contig_name: Contig.
        start: First position, 0-based; a multiple of ``WINDOW_BP``.
        end: Exclusive end; a multiple of ``WINDOW_BP``, so the last region of a contig can reach beyond it.
    """

    path: str
    sample_id: str
    contig_name: str
    start: int
    end: int


def plan_regions(
    header: AlignmentHeader,
    region_bp: int,
    contigs: Iterable[str] | None = None,
    intervals: Iterable[tuple[str, int, int]] | None = None,
) -> list[Region]:
    """Cut contigs into regions of ``region_bp`` positions; what is piled up at a position does not depend on the cuts.

    Args:
        header: Header of the BAM.
        region_bp: Positions of a region, a multiple of ``WINDOW_BP``.
        contigs: Contigs to use; all of them where None.
        intervals: (contig, start, end), 0-based and half-open, to use instead of whole contigs; widened to whole windows, and
            joined where they then meet.

    Raises:
        InputError: A contig is not in the file, or an interval is empty or outside its contig.
    """
    if region_bp < 1 or region_bp % WINDOW_BP:
        raise InputError(f"a region cannot have {region_bp} positions", f"give a multiple of {WINDOW_BP}")
    if intervals is None:
        names = list(header.contigs) if contigs is None else list(dict.fromkeys(contigs))
        intervals = [(name, 0, length) for name in names if (length := header.contigs.get(name, 1))]
    spans = _windows(header, list(intervals))
    return [
        Region(header.path, header.sample_id, name, start, min(start + region_bp, stop))
        for name, first, stop in spans
        for start in range(first, stop, region_bp)
    ]


def _windows(header: AlignmentHeader, intervals: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    for name, start, end in intervals:
        if name not in header.contigs:
            raise InputError(f"{header.path}: no contig {name}", f"its contigs are {', '.join(list(header.contigs)[:10])}")
        if not 0 <= start < end <= header.contigs[name]:
            raise InputError(
                f"{header.path}: {name}:{start}-{end} (0-based, half-open) is not within the {header.contigs[name]} bp of the contig",
                "give start < end within the contig",
            )
    order = {name: number for number, name in enumerate(header.contigs)}
    joined: list[tuple[str, int, int]] = []
    for name, start, end in sorted(intervals, key=lambda interval: (order[interval[0]], *interval[1:])):
        first, stop = start // WINDOW_BP * WINDOW_BP, -(-end // WINDOW_BP) * WINDOW_BP
        if joined and joined[-1][0] == name and first <= joined[-1][2]:
            joined[-1] = (name, joined[-1][1], max(stop, joined[-1][2]))
        else:
            joined.append((name, first, stop))
    return joined
