"""Where reads of a haplotype lie on the reference, as a read aligner would write it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genospark.simulate.arrays import Bools, Ints
from genospark.simulate.haplotypes import Haplotype

MATCH, INSERTION, DELETION, SOFT_CLIP = 0, 1, 2, 4  # CIGAR operations, as BAM numbers them
Operations = list[tuple[int, int]]


@dataclass(frozen=True)
class Placed:
    """Alignments of reads.

    Attributes:
        start: First aligned reference base, 0-based, [reads].
        stop: Base after the last aligned one, [reads].
        cigar: Operations as BAM holds them, length * 16 + operation, zero after a read's last, [reads, operations].
    """

    start: Ints
    stop: Ints
    cigar: NDArray[np.uint32]


def place(haplotype: Haplotype, first: Ints, length: int) -> Placed:
    """Place reads on the reference.

    Args:
        haplotype: Where the reads come from.
        first: Index of each read's first base in the haplotype, [reads].
        length: Length of a read, bases.
    """
    last = first + length - 1
    start, stop = haplotype.positions[first], haplotype.positions[last] + 1
    inserted_before = np.concatenate([[0], np.cumsum(haplotype.inserted)])
    plain = (stop - start == length) & (inserted_before[first] == inserted_before[last + 1])
    with_indels = np.flatnonzero(~plain)
    found: list[Operations] = []
    for read in with_indels:
        bases = slice(first[read], last[read] + 1)
        start[read], stop[read], operations = align(haplotype.positions[bases], haplotype.inserted[bases])
        found.append(operations)
    cigar = np.zeros((len(first), max(map(len, found), default=1)), dtype=np.uint32)
    cigar[plain, 0] = length << 4 | MATCH
    for read, operations in zip(with_indels, found, strict=True):
        cigar[read, : len(operations)] = [n << 4 | operation for operation, n in operations]
    return Placed(start, stop, cigar)


def align(positions: Ints, inserted: Bools) -> tuple[int, int, Operations]:
    """Align one read.

    Args:
        positions: Reference position of each base, 0-based; inserted bases have that of their anchor, [bases].
        inserted: Whether a base is an inserted one, [bases].

    Returns:
        First aligned reference base and the one after the last, 0-based, and the CIGAR as (operation, length).
    """
    skipped = np.diff(positions) - 1
    cuts = np.flatnonzero((skipped > 0) | (inserted[1:] != inserted[:-1])) + 1
    operations: Operations = []
    for begin, end in zip([0, *cuts.tolist()], [*cuts.tolist(), len(positions)], strict=True):
        if begin and skipped[begin - 1] > 0:
            operations.append((DELETION, int(skipped[begin - 1])))
        operations.append((INSERTION if inserted[begin] else MATCH, end - begin))
    right = _clip_end(operations)
    operations.reverse()
    left = _clip_end(operations)
    operations.reverse()
    clips = [[(SOFT_CLIP, n)] if n else [] for n in (left, right)]
    return int(positions[left]), int(positions[len(positions) - 1 - right]) + 1, clips[0] + operations + clips[1]


def _clip_end(operations: Operations) -> int:
    """Take operations off the end where an aligner would clip; returns how many bases of the read they hold.

    With the scores of bwa mem (match 1, opening a gap -6, each base of it -1, clipping -5) a gap of k bases is worth it only where
    more than k + 1 bases match beyond it.
    """
    clipped = 0
    while operations[-1][0] != MATCH or (len(operations) > 2 and operations[-1][1] < operations[-2][1] + 2):
        operation, n = operations.pop()
        clipped += n if operation != DELETION else 0
    return clipped
