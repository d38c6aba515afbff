"""Pairs of reads that overlap: they come from one molecule, so each position of it is observed once.

Where both reads of a pair have an observation (a base, or a gap), the one of higher quality counts, and of equals that of the read
that begins first. A gap has the quality of the base before it; a base that is none of A, C, G, T is worse than any other. An indel,
and its absence, belong to the observation at the position before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.ingest.reads.cigars import Bools
from genospark.ingest.reads.filters import name_hashes
from genospark.ingest.reads.records import Ints, Records

_PAIRED = 0x1


@dataclass(frozen=True)
class Overlaps:
    """Pairs whose alignments overlap.

    Attributes:
        pair: (reads,) number of the pair, or -1.
        second: (reads,) 1 for the read of a pair that begins later, else 0.
        start: (pairs,) first position that both alignments span, 0-based.
        end: (pairs,) exclusive end.
        scores: (2, positions of all pairs) int16: how good the observation of either read is, from 0; -1 where there is none.
    """

    pair: Ints
    second: Ints
    start: Ints
    end: Ints
    scores: npt.NDArray[np.int16]

    def part(self, read: Ints, start: Ints, end: Ints) -> tuple[Ints, Ints]:
        """The parts of intervals that lie in the overlap of the interval's read with its mate; empty where there is none."""
        pair = self.pair[read]
        start, end = np.maximum(start, self.start[pair]), np.minimum(end, self.end[pair])
        return start, np.where(pair >= 0, np.maximum(start, end), start)

    def observe(self, read: Ints, position: Ints, score: Ints) -> None:
        """Note how good the observations of reads at positions in their overlaps are."""
        self.scores[self.second[read], self._key(read, position)] = score

    def lost(self, read: Ints, position: Ints) -> Bools:
        """Whether the observations of reads at positions give way to those of their mates; never outside overlaps."""
        pair = self.pair[read]
        inside = (pair >= 0) & (position >= self.start[pair]) & (position < self.end[pair])
        lost = np.zeros(len(read), bool)
        read, position = read[inside], position[inside]
        first, second = self.scores[:, self._key(read, position)]
        lost[inside] = np.where(self.second[read] == 1, (first >= second) & (first >= 0), second > first)
        return lost

    def _key(self, read: Ints, position: Ints) -> Ints:
        pair = self.pair[read]
        length = self.end - self.start
        key: Ints = (np.cumsum(length) - length - self.start)[pair] + position
        return key


def find_overlaps(records: Records, end: Ints, kept: Bools, first: int, stop: int) -> Overlaps | None:
    """Find the pairs that overlap within positions; None if there are none.

    Args:
        records: Reads.
        end: (reads,) exclusive end of each alignment, 0-based.
        kept: (reads,) which reads count.
        first: First position.
        stop: Exclusive end of the positions.
    """
    paired = np.flatnonzero(kept & (records.flag & _PAIRED != 0))
    hashes = name_hashes(records)[paired]
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(np.diff(hashes[order]) == 0)
    # A third read of a name, which no correct file has, stays alone.
    same = same[np.diff(same, prepend=-2) > 1]
    # The sort is stable: of two reads of a name, the one that is first in the file comes first.
    one, other = paired[order[same]], paired[order[same + 1]]
    start = np.maximum(records.start[other], first)
    stops = np.minimum(np.minimum(end[one], end[other]), stop)
    overlap = start < stops
    if not overlap.any():
        return None
    one, other, start, stops = one[overlap], other[overlap], start[overlap], stops[overlap]
    pair = np.full(len(records), -1, np.int64)
    second = np.zeros(len(records), np.int64)
    pair[one] = pair[other] = np.arange(len(one))
    second[other] = 1
    return Overlaps(pair, second, start, stops, np.full((2, int((stops - start).sum())), -1, np.int16))


def expand(start: Ints, end: Ints) -> tuple[Ints, Ints]:
    """All positions of intervals: the number of the interval and the position, one after the other."""
    length = end - start
    last = np.cumsum(length)
    owner = np.repeat(np.arange(len(length)), length)
    return owner, np.arange(len(owner)) + np.repeat(start - (last - length), length)
