"""Indels of reads: left-aligned, so that equal ones meet at one position, then counted and ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.bases import CODES_OF_BAM
from genospark.ingest.reads.candidates import RANKS, Candidates
from genospark.ingest.reads.cigars import ALIGNED, INDEL, Bools, Pieces
from genospark.ingest.reads.filters import Hashes, mix
from genospark.ingest.reads.mates import expand
from genospark.ingest.reads.records import Ints, Records
from genospark.ingest.reads.reference import LETTERS, Codes

_LETTERS = np.frombuffer(LETTERS.encode(), np.uint8)


@dataclass(frozen=True)
class Indels:
    """Indels with aligned bases on both sides; arrays of length ``indels``.

    Insertions and deletions next to each other are one indel that has both; it is not shifted.

    Attributes:
        read: Number of the read in the batch.
        run: Number of the piece before it, the run it is anchored in.
        anchor: Position before the first deleted or inserted base, 0-based.
        floor: First position of that run: no indel is shifted beyond what its read was aligned to.
        deleted: Deleted bases.
        inserted: Inserted bases.
        query: First inserted base in the read.
        turned: Positions it was shifted to the left; the inserted bases turn round by as many.
    """

    read: Ints
    run: Ints
    anchor: Ints
    floor: Ints
    deleted: Ints
    inserted: Ints
    query: Ints
    turned: Ints

    def __len__(self) -> int:
        return len(self.read)

    def take(self, which: Ints | Bools) -> Indels:
        """Those that are numbered, or marked in a mask."""
        fields = (self.read, self.run, self.anchor, self.floor, self.deleted, self.inserted, self.query, self.turned)
        return Indels(*(values[which] for values in fields))

    def bases(self, records: Records, which: Ints, place: Ints | int) -> Codes:
        """Codes of the inserted bases at a place, counted from 0, of each indel that is numbered."""
        base = self.query[which] + (place - self.turned[which]) % np.maximum(self.inserted[which], 1)
        both = records.buffer[records.bases[self.read[which]] + base // 2]
        codes: Codes = CODES_OF_BAM[np.where(base % 2 == 0, both >> 4, both & 15)]
        return codes


def find_indels(pieces: Pieces, first: int, stop: int) -> Indels:
    """Indels that may lie at positions (0-based) from ``first`` up to ``stop`` once they are left-aligned."""
    at = np.flatnonzero(pieces.kind[1:-1] == INDEL) + 1
    for side in (-1, 1):
        at = at[(pieces.read[at + side] == pieces.read[at]) & (pieces.kind[at + side] == ALIGNED)]
    at = at[(pieces.start[at] > first) & (pieces.start[at - 1] < stop)]
    return Indels(
        read=pieces.read[at],
        run=at - 1,
        anchor=pieces.start[at] - 1,
        floor=pieces.start[at - 1],
        deleted=pieces.reference_bp[at],
        inserted=pieces.query_bp[at],
        query=pieces.query[at],
        turned=np.zeros(len(at), np.int64),
    )


def left_align(indels: Indels, records: Records, reference: Codes, reference_start: int) -> Indels:
    """Shift indels as far to the left as reference and inserted bases allow (Tan, Abecasis and Kang, 2015).

    Args:
        indels: Indels as the aligner placed them.
        records: Their reads.
        reference: Codes of the reference bases from before the first ``floor`` to after the last deleted base.
        reference_start: Position of its first code, 0-based.
    """
    turned = np.zeros(len(indels), np.int64)
    left = np.flatnonzero((indels.deleted == 0) != (indels.inserted == 0))
    shift = 0
    while len(left):
        at = indels.anchor[left] - shift - reference_start
        # All that are left were shifted by the same number of positions.
        last = np.where(indels.deleted[left] > 0, reference[at + indels.deleted[left]], indels.bases(records, left, -1 - shift))
        before = reference[at]
        left = left[(before == last) & (before != UNKNOWN_BASE) & (indels.anchor[left] - shift > indels.floor[left])]
        shift += 1
        turned[left] = shift
    return Indels(
        read=indels.read,
        run=indels.run,
        anchor=indels.anchor - turned,
        floor=indels.floor,
        deleted=indels.deleted,
        inserted=indels.inserted,
        query=indels.query,
        turned=turned,
    )


def rank_indels(indels: Indels, records: Records, reverse: Bools, reference: Codes, reference_start: int, min_support: int) -> Candidates:
    """Count equal indels, and rank those of a position by their support.

    Args:
        indels: Left-aligned indels.
        records: Their reads.
        reverse: (reads,) whether a read is on the reverse strand.
        reference: As in ``left_align``.
        reference_start: As in ``left_align``.
        min_support: Reads that a candidate needs.

    Returns:
        Candidates, by position and rank; of equal support, the shorter one and then the deletion comes first.
    """
    hashes = _hash_inserted(indels, records)
    order = np.lexsort((hashes, indels.inserted, indels.deleted, indels.anchor))
    new = np.zeros(len(order), bool)
    new[:1] = True
    for values in (indels.anchor, indels.deleted, indels.inserted, hashes):
        new[1:] |= values[order][1:] != values[order][:-1]
    first = np.flatnonzero(new)
    if not len(first):
        return Candidates.none()
    backward = np.add.reduceat(reverse[indels.read[order]].astype(np.int64), first)
    support = np.diff(first, append=len(order))
    enough = support >= min_support
    which, support, backward = order[first][enough], support[enough], backward[enough]

    chosen = indels.take(which)
    ranked = np.lexsort((hashes[which], chosen.inserted, chosen.deleted + chosen.inserted, -support, chosen.anchor))
    which, support, backward = which[ranked], support[ranked], backward[ranked]
    anchor = indels.anchor[which]
    rank = np.arange(len(anchor)) - np.searchsorted(anchor, anchor) + 1
    top = rank <= RANKS
    which, support, backward = which[top], support[top], backward[top]
    chosen = indels.take(which)
    reference_alleles, alternate_alleles = [], []
    for number, (at, deleted, inserted) in enumerate(
        zip((chosen.anchor - reference_start).tolist(), chosen.deleted.tolist(), chosen.inserted.tolist(), strict=True)
    ):
        text = _LETTERS[reference[at : at + deleted + 1]].tobytes().decode()
        added = _LETTERS[chosen.bases(records, np.array([number]), np.arange(inserted))].tobytes().decode() if inserted else ""
        reference_alleles.append(text)
        alternate_alleles.append(text[0] + added)
    return Candidates(
        position=chosen.anchor,
        rank=rank[top],
        reference=np.array(reference_alleles, object),
        alternate=np.array(alternate_alleles, object),
        forward=support - backward,
        reverse=backward,
    )


def _hash_inserted(indels: Indels, records: Records) -> Hashes:
    """(indels,) 64-bit hash of the inserted bases."""
    which, place = expand(np.zeros(len(indels), np.int64), indels.inserted)
    parts = mix(place.astype(np.uint64) * np.uint64(UNKNOWN_BASE + 1) + indels.bases(records, which, place))
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(parts, dtype=np.uint64)])
    last = np.cumsum(indels.inserted)
    hashes: Hashes = total[last] - total[last - indels.inserted]
    return hashes
