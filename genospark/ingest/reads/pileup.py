"""Pile up the reads of a region."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import CHANNELS, INDEX, UNKNOWN_BASE, WINDOW_BP
from genospark.ingest.reads import context, quality
from genospark.ingest.reads.candidates import Candidates
from genospark.ingest.reads.channels import to_bytes
from genospark.ingest.reads.cigars import read_cigars
from genospark.ingest.reads.evidence import Batch, gather
from genospark.ingest.reads.filters import CROWDED, CROWDED_LOW, DROP_REASONS, KEPT, LOW_MAPPING_QUALITY, ReadFilters, classify
from genospark.ingest.reads.realign import MARGIN
from genospark.ingest.reads.recalibration import Recalibration, recalibrate
from genospark.ingest.reads.records import Records, RecordStream
from genospark.ingest.reads.reference import Fasta, open_reference, reference_codes
from genospark.ingest.reads.region_reads import header_of, open_reads
from genospark.ingest.reads.regions import Region

SLICE_BP = 1 << 16
"""Positions whose counts are held as wide numbers at once."""


@dataclass(frozen=True)
class Pileup:
    """Evidence of a region.

    Attributes:
        region: Region.
        tensor: (positions, CHANNELS) uint8, see ``genospark.core.pileup``.
        candidates: Indels with enough support.
        reads: Reads that begin in the region, and for each of ``DROP_REASONS`` how many of them were dropped. A read counts
            in the region it begins in, so regions add up.
        bases: Bases that count.
        bases_of_reference: Those of them that are the reference's.
        bases_below_quality: Bases of kept reads below the least quality.
        bases_of_mates: Bases given up for those of the other read of the pair.
        inserts: Pairs that begin in the region by the length of their template, see ``quality.insert_sizes``.
        sums: What ``quality.base_sums`` and ``quality.slip_sums`` count; nothing where there are no reads.
    """

    region: Region
    tensor: npt.NDArray[np.uint8]
    candidates: Candidates
    reads: dict[str, int]
    bases: int
    bases_of_reference: int
    bases_below_quality: int
    bases_of_mates: int
    inserts: npt.NDArray[np.int64]
    sums: quality.Sums

    @property
    def mean_depth(self) -> float:
        """Bases that count per position of the region."""
        return self.bases / len(self.tensor)


def pile_up(region: Region, fasta: str | Path, filters: ReadFilters | None = None, recalibration: Recalibration | None = None) -> Pileup:
    """Pile up the reads over each position of a region.

    What is found at a position does not depend on where the region begins and ends. Memory: the reads of a batch (2 MiB of
    records), those that overlap its last position, and the tensor.

    Args:
        region: Region of an indexed BAM or CRAM that is sorted by coordinate.
        fasta: Reference the reads were aligned to, with a ``.fai`` index.
        filters: Which reads and bases count.
        recalibration: Gives bases other qualities.

    Raises:
        InputError: The file, its index or the reference is damaged, absent, or does not fit the region.
    """
    filters = filters or ReadFilters()
    header = header_of(region)
    with open_reference(fasta) as reference:
        piler = _Piler(region, reference, filters, header.contigs[region.contig_name], recalibration)
        with open_reads(header, region, fasta, MARGIN) as stream:
            return piler.run(stream)


def windows(pileup: Pileup) -> npt.NDArray[np.uint8]:
    """(windows, WINDOW_BP, CHANNELS) the tensor as windows, without a copy."""
    return pileup.tensor.reshape(-1, WINDOW_BP, len(CHANNELS))


class _Piler:
    def __init__(self, region: Region, reference: Fasta, filters: ReadFilters, contig_bp: int, recalibration: Recalibration | None) -> None:
        self.region, self.reference, self.filters = region, reference, filters
        self.end = min(region.end, contig_bp)
        self.qualities = None if recalibration is None else recalibration.table()
        self.tensor = np.zeros((region.end - region.start, len(CHANNELS)), np.uint8)
        self.candidates: list[Candidates] = []
        around = (region.start - context.MARGIN, region.end + context.MARGIN)
        self.codes = reference_codes(reference, region.contig_name, *around)
        self.inserts = np.zeros(quality.INSERT_BINS, np.int64)
        self.sums: quality.Sums = {}
        self.unit, self.length = context.repeats(self.codes)
        self.begins = context.begins(self.codes, self.unit)
        self.seen = 0
        self.dropped = np.zeros(len(DROP_REASONS) + 1, np.int64)
        self.bases = self.of_reference = self.below = self.of_mates = 0

    def run(self, stream: RecordStream | None) -> Pileup:
        if stream is not None:
            self._read(stream)
        codes = self.codes
        self.tensor[:, INDEX["reference"]] = codes[context.MARGIN : -context.MARGIN]
        self.tensor[:, INDEX["homopolymer"]] = context.homopolymers(codes)
        self.tensor[:, INDEX["repeat_unit"]], self.tensor[:, INDEX["repeat_length"]] = self.unit, self.length
        return Pileup(
            region=self.region,
            tensor=self.tensor,
            candidates=Candidates.joined(self.candidates),
            reads={"seen": self.seen, **dict(zip(DROP_REASONS, self.dropped[1:].tolist(), strict=True))},
            bases=self.bases,
            bases_of_reference=self.of_reference,
            bases_below_quality=self.below,
            bases_of_mates=self.of_mates,
            inserts=self.inserts,
            sums=self.sums,
        )

    def _read(self, stream: RecordStream) -> None:
        done, carried, n_carried = self.region.start, b"", 0
        while not stream.finished:
            records = stream.read(carried)
            if self.qualities is not None:
                recalibrate(records, n_carried, self.qualities)
            pieces, end = read_cigars(records)
            state = classify(records, end, self.filters)
            self._count(records, state, n_carried)
            # All reads over the positions before the start of the last one are known; those near a position are needed too.
            known = self.end if stream.finished else min(self.end, int(records.start[-1]) - MARGIN if len(records) else done)
            for start in range(done, known, SLICE_BP):
                self._pile(Batch(records, pieces, end, state), start, min(start + SLICE_BP, known))
            done = max(done, known)
            kept = np.flatnonzero((end > done - MARGIN) & ((state == KEPT) | (state == LOW_MAPPING_QUALITY)))
            data = memoryview(records.buffer.data)
            carried = b"".join(data[at:after] for at, after in zip(records.at[kept].tolist(), records.after[kept].tolist(), strict=True))
            n_carried = len(kept)

    def _count(self, records: Records, state: npt.NDArray[np.int64], n_carried: int) -> None:
        new = (records.start >= self.region.start) & (records.start < self.end)
        new[:n_carried] &= state[:n_carried] == CROWDED
        self.seen += int(np.count_nonzero(new[n_carried:]))
        fresh = new & (state == KEPT)
        fresh[:n_carried] = False
        self.inserts += quality.insert_sizes(records, fresh)
        reason = np.where(state == CROWDED_LOW, LOW_MAPPING_QUALITY, state)
        self.dropped += np.bincount(reason[new], minlength=len(self.dropped))

    def _pile(self, batch: Batch, start: int, end: int) -> None:
        evidence, below, of_mates = gather(batch, start, end, self.reference, self.region.contig_name, self.filters)
        self.candidates.append(evidence.candidates)
        here = slice(start - self.region.start, end - self.region.start)
        self.tensor[here] = to_bytes(evidence, start)
        slips = quality.slip_sums(evidence, self.unit[here], self.length[here], self.begins[here])
        for name, value in (quality.base_sums(evidence) | slips).items():
            self.sums[name] = self.sums.get(name, 0) + value
        self.bases += int(evidence.bases.sum())
        known = np.flatnonzero(evidence.reference < UNKNOWN_BASE)
        self.of_reference += int(evidence.bases[known, :, evidence.reference[known]].sum())
        self.below += below
        self.of_mates += of_mates
