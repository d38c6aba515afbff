"""CIGARs of a batch of reads as pieces: aligned runs, indels, skips and clips, each with its place in the reference and in the read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.errors import InputError
from genospark.ingest.reads.header import BROKEN
from genospark.ingest.reads.records import Ints, Records

Bools = npt.NDArray[np.bool_]
ALIGNED, INDEL, SKIP, CLIP, _NOTHING, _WRONG = range(6)
# Operations MIDNSHP=X; the codes after them mean nothing.
_KINDS = np.array([ALIGNED, INDEL, INDEL, SKIP, CLIP, _NOTHING, _NOTHING, ALIGNED, ALIGNED, *[_WRONG] * 7], np.uint8)
_IN_REFERENCE = np.isin(np.arange(16), [0, 2, 3, 7, 8])
_IN_READ = np.isin(np.arange(16), [0, 1, 4, 7, 8])


@dataclass(frozen=True)
class Pieces:
    """Pieces of alignments, in the order of reads and within a read from left to right; arrays of length ``pieces``.

    Operations of one kind that follow each other (such as ``10=1X5=`` or ``2I1D``) are one piece; hard clips and padding are none.

    Attributes:
        read: Number of the read in the batch.
        kind: ALIGNED, INDEL, SKIP (of the reference, as at introns) or CLIP (soft).
        start: First reference position, 0-based; for a piece without reference bases, the position after it.
        reference_bp: Reference bases.
        query: First base in the read.
        query_bp: Bases of the read.
    """

    read: Ints
    kind: npt.NDArray[np.uint8]
    start: Ints
    reference_bp: Ints
    query: Ints
    query_bp: Ints

    @property
    def end(self) -> Ints:
        """(pieces,) exclusive end in the reference."""
        return self.start + self.reference_bp

    def among(self, reads: Bools) -> Pieces:
        """The pieces of the reads marked in a (reads,) mask."""
        mask = reads[self.read]
        if mask.all():
            return self
        return Pieces(*(values[mask] for values in (self.read, self.kind, self.start, self.reference_bp, self.query, self.query_bp)))


def read_cigars(records: Records) -> tuple[Pieces, Ints]:
    """Read the CIGARs of a batch.

    Returns:
        Pieces of the reads that have bases, and (records,) the exclusive end of each alignment, 0-based; a read without a CIGAR or
        without bases ends where it starts.

    Raises:
        InputError: A CIGAR has an unknown operation or another length than the read.
    """
    n_ops = np.where(records.n_bases > 0, records.n_ops, 0)
    last = np.cumsum(n_ops)
    op_read = np.repeat(np.arange(len(records)), n_ops)
    place = np.repeat(records.cigar - 4 * (last - n_ops), n_ops) + 4 * np.arange(len(op_read))
    words = np.ndarray((len(records.buffer) - 3,), "<u4", records.buffer, strides=(1,))[place]
    code, length = words & 15, (words >> 4).astype(np.int64)
    kind = _KINDS[code]
    _check(records, kind == _WRONG, op_read, "an unknown CIGAR operation")
    reference, reference_bp = _place(np.where(_IN_REFERENCE[code], length, 0), last, n_ops)
    query, query_bp = _place(np.where(_IN_READ[code], length, 0), last, n_ops)
    end = records.start + reference_bp
    wrong = (query_bp != records.n_bases) & (n_ops > 0)
    _check(records, wrong, np.arange(len(records)), "a CIGAR of another length than the read")

    used = np.flatnonzero((length > 0) & (kind != _NOTHING))
    op_read, kind = op_read[used], kind[used]
    if not len(used):
        nothing = np.zeros(0, np.int64)
        return Pieces(nothing, kind, nothing, nothing, nothing, nothing), end
    first = np.flatnonzero(np.diff(op_read, prepend=-1) | (np.diff(kind, prepend=0) != 0))
    opens = used[first]
    reference_bp = np.add.reduceat(np.where(_IN_REFERENCE[code], length, 0)[used], first)
    query_bp = np.add.reduceat(np.where(_IN_READ[code], length, 0)[used], first)
    read = op_read[first]
    return Pieces(read, kind[first], records.start[read] + reference[opens], reference_bp, query[opens], query_bp), end


def _place(lengths: Ints, last: Ints, n_ops: Ints) -> tuple[Ints, Ints]:
    """(operations,) sum of the lengths before each operation within its read, and (records,) sum of all."""
    before = np.concatenate([[0], np.cumsum(lengths)])
    begin = before[last - n_ops]
    return before[:-1] - np.repeat(begin, n_ops), before[last] - begin


def _check(records: Records, wrong: Bools, read: Ints, reason: str) -> None:
    if wrong.any():
        record = int(read[wrong.argmax()])
        where = f"read {records.name_of(record)} at position {records.start[record] + 1}"
        raise InputError(f"{records.path}: {where} has {reason}", BROKEN)
