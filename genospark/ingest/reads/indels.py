"""Indels of reads: left-aligned, so that equal ones meet at one position, then counted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.bases import CODES_OF_BAM
from genospark.ingest.reads.candidates import Alleles, joined
from genospark.ingest.reads.cigars import ALIGNED, INDEL, Bools, Pieces
from genospark.ingest.reads.filters import Hashes, mix
from genospark.ingest.reads.mates import expand
from genospark.ingest.reads.records import Ints, Records
from genospark.ingest.reads.reference import Codes

REACH_BP = 100
"""An indel in a repeat is shifted, and looked at, over so much of it beyond its read."""


@dataclass(frozen=True)
class Indels:
    """Indels with aligned bases on both sides; arrays of length ``indels``.

    Insertions and deletions next to each other are one indel that has both; it is not shifted.

    Attributes:
        read: Number of the read in the batch.
        run: Number of the piece before it, the run it is anchored in.
        anchor: Position before the first deleted or inserted base, 0-based.
        floor: First position that it may be shifted to: reads that begin within a repeat speak of all of it.
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
    floor = np.maximum(pieces.start[at - 1] - REACH_BP, 0)
    wanted = (pieces.start[at] > first) & (floor < stop)
    at, floor = at[wanted], floor[wanted]
    return Indels(
        read=pieces.read[at],
        run=at - 1,
        anchor=pieces.start[at] - 1,
        floor=floor,
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


def propose(indels: Indels, records: Records, reference: Codes, reference_start: int) -> Alleles:
    """The distinct alleles that left-aligned indels propose, by position.

    An insertion that nearly repeats the bases before or after it also proposes their exact repeat: within a repeat, aligners put a gap next
    to an error of the sequencer, and the error into the gap.
    """
    return joined([_distinct(indels, records), *_copies(indels, records, reference, reference_start)])


def _copies(indels: Indels, records: Records, reference: Codes, reference_start: int) -> list[Alleles]:
    """Repeats of the bases before and after insertions, where these differ from them, but in half of their bases at most."""
    made = []
    which = np.flatnonzero((indels.deleted == 0) & (indels.inserted > 1))
    owner, place = expand(np.zeros(len(which), np.int64), indels.inserted[which])
    shown = indels.bases(records, which[owner], place)
    for back in (0, 1):
        anchor = indels.anchor[which] - back * indels.inserted[which]
        copied = reference[(anchor + 1 - reference_start)[owner] + place]
        wrong = np.bincount(owner, copied != shown, len(which))
        unknown = np.bincount(owner, copied == UNKNOWN_BASE, len(which)) > 0
        near = (wrong > 0) & (2 * wrong <= indels.inserted[which]) & ~unknown
        # A repeat of bases stands where their deletion would.
        chosen = indels.take(which[near])
        gone = replace(chosen, anchor=anchor[near], deleted=chosen.inserted, inserted=0 * chosen.inserted, turned=0 * chosen.turned)
        gone = left_align(gone, records, reference, reference_start)
        order = np.lexsort((gone.deleted, gone.anchor))
        position, length = gone.anchor[order], gone.deleted[order]
        first = np.flatnonzero((np.diff(position, prepend=-1) != 0) | (np.diff(length, prepend=-1) != 0))
        position, length, support = position[first], length[first], np.diff(first, append=len(order))
        places = zip((position + 1 - reference_start).tolist(), length.tolist(), strict=True)
        made.append(Alleles(position, 0 * length, [reference[at : at + n] for at, n in places], support))
    return made


def _distinct(indels: Indels, records: Records) -> Alleles:
    """The distinct ones among left-aligned indels; of one position, by deleted bases, inserted bases and their hash."""
    hashes = _hash_inserted(indels, records)
    order = np.lexsort((hashes, indels.inserted, indels.deleted, indels.anchor))
    new = np.zeros(len(order), bool)
    new[:1] = True
    for values in (indels.anchor, indels.deleted, indels.inserted, hashes):
        new[1:] |= values[order][1:] != values[order][:-1]
    first = np.flatnonzero(new)
    which = order[first]
    chosen = indels.take(which)
    owner, place = expand(np.zeros(len(which), np.int64), chosen.inserted)
    inserted = np.split(chosen.bases(records, owner, place), np.cumsum(chosen.inserted)[:-1]) if len(which) else []
    return Alleles(chosen.anchor, chosen.deleted, inserted, np.diff(first, append=len(order)))


def _hash_inserted(indels: Indels, records: Records) -> Hashes:
    """(indels,) 64-bit hash of the inserted bases."""
    which, place = expand(np.zeros(len(indels), np.int64), indels.inserted)
    parts = mix(place.astype(np.uint64) * np.uint64(UNKNOWN_BASE + 1) + indels.bases(records, which, place))
    total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(parts, dtype=np.uint64)])
    last = np.cumsum(indels.inserted)
    hashes: Hashes = total[last] - total[last - indels.inserted]
    return hashes
