"""From the reads of a batch to the evidence at each position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.alternates import describe
from genospark.ingest.reads.bases import IGNORED, Runs, Tiles, coverage, effective_qualities, sum_bases, tile_bases
from genospark.ingest.reads.channels import Evidence
from genospark.ingest.reads.cigars import ALIGNED, CLIP, INDEL, Bools, Pieces
from genospark.ingest.reads.filters import KEPT, LOW_MAPPING_QUALITY, ReadFilters
from genospark.ingest.reads.indels import Indels, find_indels, left_align, propose
from genospark.ingest.reads.mates import Overlaps, expand, find_overlaps
from genospark.ingest.reads.realign import MARGIN, NEAR_BP, Realigned, Realigner
from genospark.ingest.reads.records import Ints, Records
from genospark.ingest.reads.reference import Codes, Fasta, reference_codes

_REVERSE = 0x10
_KNOWN_BP = 1024
"""Reference bases on both sides of the positions, at least."""


@dataclass(frozen=True)
class Batch:
    """Reads that are piled up together.

    Attributes:
        records: Reads, among them all that overlap the positions.
        pieces: Their alignments.
        end: (reads,) exclusive end of each alignment, 0-based.
        state: (reads,) what ``classify`` says.
    """

    records: Records
    pieces: Pieces
    end: Ints
    state: Ints


def gather(batch: Batch, start: int, end: int, fasta: Fasta, contig_name: str, filters: ReadFilters) -> tuple[Evidence, int, int]:
    """Gather the evidence at positions ``[start, end)``, 0-based.

    Returns:
        Evidence, number of bases below the least quality, and number of bases given up for those of mates.
    """
    return _Gatherer(batch, start, end, filters).gather(fasta, contig_name)


class _Gatherer:
    def __init__(self, batch: Batch, start: int, end: int, filters: ReadFilters) -> None:
        self.records, self.batch, self.filters = batch.records, batch, filters
        self.start, self.end, self.n = start, end, end - start
        self.reverse: Bools = batch.records.flag & _REVERSE != 0
        self.here: Bools = (batch.records.start < end) & (batch.end > start)
        near = (batch.records.start < end + MARGIN) & (batch.end > start - MARGIN)
        self.kept: Bools = near & (batch.state == KEPT)
        self.pieces = batch.pieces.among(self.kept)

    def gather(self, fasta: Fasta, contig_name: str) -> tuple[Evidence, int, int]:
        indels = find_indels(self.pieces, self.start - NEAR_BP, self.end + NEAR_BP)
        first = int(min(self.start, indels.floor.min(initial=self.start))) - _KNOWN_BP
        last = int(max(self.end, (indels.anchor + indels.deleted).max(initial=0) + 1)) + _KNOWN_BP
        reference = reference_codes(fasta, contig_name, first, last)
        indels = left_align(indels, self.records, reference, first)
        realigned = self._realign(indels, reference, first)

        aligned = np.flatnonzero(self.pieces.kind == ALIGNED)
        aligned = aligned[(self.pieces.start[aligned] < self.end) & (self.pieces.end[aligned] > self.start)]
        spans_to = self.pieces.end - 1
        spans_to[indels.run] = np.maximum(indels.anchor, self.pieces.start[indels.run])
        gaps = np.flatnonzero((self.pieces.kind == INDEL) & (self.pieces.reference_bp > 0))
        tiles, runs = self._tile(aligned)
        deletions = self._by_strand(gaps, self.pieces.end[gaps])
        spanning = self._by_strand(aligned, spans_to[aligned])

        lost_bases = 0
        overlaps = find_overlaps(self.records, self.batch.end, self.kept, self.start, self.end) if self.filters.mates_once else None
        indels = indels.take((indels.anchor >= self.start) & (indels.anchor < self.end))
        if overlaps is not None:
            lost_bases = self._settle(overlaps, tiles, runs, gaps, spans_to[aligned], deletions, spanning)
            indels = indels.take(~overlaps.lost(indels.read, indels.anchor))
        bases, qualities, below = sum_bases(tiles, self.reverse, self.start, self.n, self.filters.min_base_quality)
        covering = np.concatenate([aligned, gaps])
        at = np.unique(realigned.candidates.position)
        spanning[at - self.start] = realigned.reference[np.searchsorted(realigned.position, at)]
        whole = Runs(runs.read, self.pieces.start[aligned], self.pieces.end[aligned], self.pieces.query[aligned])
        least = self.filters.min_base_quality
        evidence = Evidence(
            reference=reference[self.start - first : self.end - first],
            bases=bases,
            qualities=qualities,
            reads=self._cover(self.pieces, covering),
            mapping_qualities=self._cover(self.pieces, covering, self.records.mapping_quality),
            deletions=deletions,
            clips=self._clips(),
            low_mapping_quality=self._low_mapping_quality(),
            indel_at=indels.anchor - self.start,
            indel_growth=indels.inserted - indels.deleted,
            spanning=spanning,
            candidates=realigned.candidates,
            alternates=describe(tiles, whole, self.records, reference, first, self.start, self.n, least),
        )
        return evidence, below, lost_bases

    def _realign(self, indels: Indels, reference: Codes, reference_start: int) -> Realigned:
        """Proposes indels of all reads, those of mates included, and lays the reads along them."""
        proposed = propose(indels, self.records, reference, reference_start)
        reads = np.flatnonzero(self.kept)
        starts, ends = np.sort(self.records.start[reads]), np.sort(self.batch.end[reads])
        depth = np.searchsorted(starts, proposed.position, side="right") - np.searchsorted(ends, proposed.position, side="right")
        least = np.minimum(self.filters.min_indel_support, self.filters.min_indel_share * depth)
        proposed = proposed.take(np.flatnonzero(proposed.support >= least))
        realigner = Realigner(self.records, self.pieces, self.batch.end, self.kept, self.filters)
        return realigner.realign(proposed, self.start, self.end, self.reverse, reference, reference_start)

    def _tile(self, aligned: Ints) -> tuple[Tiles, Runs]:
        start = np.maximum(self.pieces.start[aligned], self.start)
        query = self.pieces.query[aligned] + start - self.pieces.start[aligned]
        runs = Runs(self.pieces.read[aligned], start, np.minimum(self.pieces.end[aligned], self.end), query)
        return tile_bases(self.records, runs), runs

    def _by_strand(self, which: Ints, end: Ints) -> Ints:
        """(n, 2) intervals from the starts of pieces to ``end`` that cover each position, by strand."""
        reverse = self.reverse[self.pieces.read[which]]
        start = self.pieces.start[which]
        strands = [coverage(start[mask] - self.start, end[mask] - self.start, self.n) for mask in (~reverse, reverse)]
        return np.stack(strands, axis=1)

    def _cover(self, pieces: Pieces, which: Ints, weights: Ints | None = None) -> Ints:
        of_pieces = None if weights is None else weights[pieces.read[which]]
        return coverage(pieces.start[which] - self.start, pieces.end[which] - self.start, self.n, of_pieces)

    def _clips(self) -> Ints:
        clips = np.flatnonzero(self.pieces.kind == CLIP)
        read = self.pieces.read[clips]
        place = np.where(self.pieces.query[clips] == 0, self.records.start[read], self.batch.end[read] - 1) - self.start
        return np.bincount(place[(place >= 0) & (place < self.n)], minlength=self.n)

    def _low_mapping_quality(self) -> Ints:
        pieces = self.batch.pieces.among(self.here & (self.batch.state == LOW_MAPPING_QUALITY))
        covering = (pieces.kind == ALIGNED) | ((pieces.kind == INDEL) & (pieces.reference_bp > 0))
        return self._cover(pieces, np.flatnonzero(covering))

    def _settle(self, overlaps: Overlaps, tiles: Tiles, runs: Runs, gaps: Ints, spans_to: Ints, deletions: Ints, spanning: Ints) -> int:
        """Take what reads give up for their mates out of tiles, deletions and spanning; returns the number of bases."""
        stored = effective_qualities(self.filters.min_base_quality)
        run, position = expand(*overlaps.part(runs.read, runs.start, runs.end))
        read = runs.read[run]
        place = tiles.first[run] + position - runs.start[run]
        qualities, codes = tiles.qualities.reshape(-1), tiles.codes.reshape(-1)
        overlaps.observe(read, position, np.where(codes[place] == UNKNOWN_BASE, 0, stored[qualities[place]] + 1))

        gap, gap_position = expand(*overlaps.part(self.pieces.read[gaps], self.pieces.start[gaps], self.pieces.end[gaps]))
        gap_read = self.pieces.read[gaps[gap]]
        before = np.maximum(self.pieces.query[gaps[gap]] - 1, 0)
        beside = stored[self.records.buffer[self.records.qualities[gap_read] + before]]
        overlaps.observe(gap_read, gap_position, np.minimum(beside, self.records.mapping_quality[gap_read]) + 1)

        lost = overlaps.lost(read, position)
        qualities[place[lost]] = IGNORED
        spans = lost & (position < spans_to[run])
        np.subtract.at(spanning, (position[spans] - self.start, self.reverse[read[spans]].astype(np.int64)), 1)
        lost_gaps = overlaps.lost(gap_read, gap_position)
        np.subtract.at(deletions, (gap_position[lost_gaps] - self.start, self.reverse[gap_read[lost_gaps]].astype(np.int64)), 1)
        return int(lost.sum())
