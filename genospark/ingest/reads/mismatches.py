"""Mismatches of reads at places that are no variants: what base qualities are recalibrated by."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genospark.core.pileup import INDEX, UNKNOWN_BASE, base_counts, depth
from genospark.ingest.reads.bases import TILE, coverage, cut
from genospark.ingest.reads.cigars import ALIGNED, Bools, read_cigars
from genospark.ingest.reads.filters import KEPT, ReadFilters, classify
from genospark.ingest.reads.pileup import Pileup, pile_up
from genospark.ingest.reads.recalibration import CELLS, describe
from genospark.ingest.reads.records import Ints, Records
from genospark.ingest.reads.reference import Codes
from genospark.ingest.reads.region_reads import header_of, open_reads
from genospark.ingest.reads.regions import Region

_AGREE, _SHARE = 2, 0.2
_LEAST_DEPTH = 4
"""Where fewer reads are, a variant may show in one of them alone."""
_NEAR_INDEL_BP = 10
"""On either side of an indel that several reads show."""
_CLEAR_BP = 3


def count_mismatches(region: Region, fasta: str | Path, filters: ReadFilters, known: Bools | None = None) -> tuple[Ints, Ints]:
    """Bases of each kind in a region, and those of them that are not the reference's; (CELLS,) each.

    Left out are positions with few reads, with several that agree on another base, and near indels. Memory is a batch of reads and the
    region's pileup.

    Args:
        region: Region.
        fasta: Reference the reads were aligned to.
        filters: Which reads count.
        known: (positions,) further ones to leave out.

    Raises:
        InputError: As of ``pile_up``.
    """
    piled = pile_up(region, fasta, filters)
    left_out = _doubtful(piled)
    if known is not None:
        left_out |= known
    reference = np.where(left_out, UNKNOWN_BASE, piled.tensor[:, INDEX["reference"]]).astype(np.uint8)
    bases, errors = np.zeros(CELLS, np.int64), np.zeros(CELLS, np.int64)
    with open_reads(header_of(region), region, fasta) as stream:
        while stream is not None and not stream.finished:
            _count(stream.read(b""), region, reference, filters, bases, errors)
    return bases, errors


def _doubtful(piled: Pileup) -> Bools:
    """(positions,) where mismatches may be variants, or a read's bases may lie in the wrong place."""
    counts, total = base_counts(piled.tensor), depth(piled.tensor)
    reference = piled.tensor[:, INDEX["reference"]]
    counts[reference[:, None] == np.arange(UNKNOWN_BASE)] = 0
    most = counts.max(axis=1)
    variants = (most >= _AGREE) & (most >= _SHARE * total)
    gaps = np.flatnonzero(piled.tensor[:, INDEX["indels"]] >= _AGREE)
    near = coverage(gaps - _NEAR_INDEL_BP, gaps + _NEAR_INDEL_BP + 1, len(total)) > 0
    doubtful: Bools = (total < _LEAST_DEPTH) | variants | near
    return doubtful


def _count(records: Records, region: Region, reference: Codes, filters: ReadFilters, bases: Ints, errors: Ints) -> None:
    pieces, end = read_cigars(records)
    kept = classify(records, end, filters) == KEPT
    aligned = np.flatnonzero((pieces.kind == ALIGNED) & kept[pieces.read])
    # The ends of an aligned run may belong behind an indel that the aligner did not see.
    first = np.maximum(pieces.start[aligned] + _CLEAR_BP, region.start)
    last = np.minimum(pieces.end[aligned] - _CLEAR_BP, region.end)
    inside = first < last
    aligned, first, last = aligned[inside], first[inside], last[inside]
    run, offset = cut(last - first, TILE)
    start = first[run] + offset
    query = pieces.query[aligned][run] + start - pieces.start[aligned][run]
    cells, codes = describe(records, pieces.read[aligned][run], query)
    padded = np.append(reference, np.full(TILE, UNKNOWN_BASE, np.uint8))
    shown = np.lib.stride_tricks.sliding_window_view(padded, TILE)[start - region.start]
    counted = (np.arange(TILE) < (last[run] - start)[:, None]) & (codes != UNKNOWN_BASE) & (shown != UNKNOWN_BASE)
    bases += np.bincount(cells[counted], minlength=CELLS)
    errors += np.bincount(cells[counted & (codes != shown)], minlength=CELLS)
