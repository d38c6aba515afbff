"""Haplotypes that proposed indels make of the reference, and what it costs to lay reads along them without a gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.bases import read_rows
from genospark.ingest.reads.indels import REACH_BP
from genospark.ingest.reads.records import MISSING_QUALITY, PAD, Ints, Records
from genospark.ingest.reads.reference import Codes

FLANK = 32
"""Bases on both sides of an indel, and of the repeat it lies in, that reads are compared over."""
LONGEST_BP = 128
"""Indels that gain or lose more are counted as aligners show them."""
_WIDTH = PAD // 2
_SHIFT = 2 * LONGEST_BP
_STEP = 4096
ROOF = 120
"""Phred; a read that fits worse than this says nothing."""


@dataclass(frozen=True)
class Haplotypes:
    """Sequences around sites, side by side; base h of a row is position ``first`` + h of the reference, were there no indel.

    Attributes:
        codes: (haplotypes, bases) uint8.
        first: (haplotypes,) position of the first base, 0-based.
        growth: (haplotypes,) bases gained.
    """

    codes: Codes
    first: Ints
    growth: Ints


def build(site: Ints, anchor: Ints, deleted: Ints, inserted: list[Codes], reference: Codes, reference_start: int) -> Haplotypes:
    """Haplotypes with one indel each.

    Args:
        site: (haplotypes,) position that the row is laid around.
        anchor: (haplotypes,) position before the indel.
        deleted: (haplotypes,) bases deleted after it.
        inserted: Codes of the bases inserted after it.
        reference: Codes of the reference.
        reference_start: Position of the first of them.
    """
    first = site - FLANK - _SHIFT
    width = _WIDTH + 2 * _SHIFT
    # Outside of what is known of the reference no base is.
    need = max(0, reference_start - int(first.min(initial=reference_start)))
    after = max(0, int((first + deleted).max(initial=0)) + width - reference_start - len(reference))
    known = np.pad(reference, (need, after), constant_values=UNKNOWN_BASE)
    codes = np.empty((len(site), width), np.uint8)
    for row, (begin, at, lost, gained) in enumerate(
        zip((first - reference_start + need).tolist(), (anchor - first + 1).tolist(), deleted.tolist(), inserted, strict=True)
    ):
        codes[row, :at] = known[begin : begin + at]
        codes[row, at : at + len(gained)] = gained
        rest = width - at - len(gained)
        codes[row, at + len(gained) :] = known[begin + at + lost : begin + at + lost + rest]
    return Haplotypes(codes, first, np.array([len(gained) for gained in inserted], np.int64) - deleted)


def costs(
    records: Records,
    read: Ints,
    begin: Ints,
    end: Ints,
    haplotypes: Haplotypes,
    row: Ints,
    offsets: Ints,
    min_quality: int,
) -> Ints:
    """(pairs, haplotypes of a pair) Phred sum of the bases that differ, at the better of the offsets, at most ``ROOF``.

    Args:
        records: Reads.
        read: (pairs,) number of the read.
        begin: (pairs,) first base of the read that is compared.
        end: (pairs,) exclusive end.
        haplotypes: Haplotypes.
        row: (pairs, haplotypes of a pair) which haplotypes, -1 for none.
        offsets: (pairs, haplotypes of a pair, offsets) position of the read's base 0, were there no indel before it.
        min_quality: Phred that a missing quality stands for.
    """
    found = np.full(row.shape, ROOF, np.int64)
    span = haplotypes.codes.shape[1]
    for at in range(0, len(read), _STEP):
        part = slice(at, at + _STEP)
        width = int(min(_WIDTH, np.max(end[part] - begin[part], initial=1)))
        rows: Codes = np.ndarray((haplotypes.codes.size - width + 1, width), np.uint8, haplotypes.codes, strides=(1, 1))
        codes, qualities = read_rows(records, read[part], begin[part], width)
        qualities[qualities == MISSING_QUALITY] = min_quality
        qualities[(np.arange(width) >= (end[part] - begin[part])[:, None]) | (codes == UNKNOWN_BASE)] = 0
        for which in range(row.shape[1]):
            here = row[part, which]
            for offset in range(offsets.shape[2]):
                place = begin[part] + offsets[part, which, offset] - haplotypes.first[here]
                fits = np.flatnonzero((here >= 0) & (place >= 0) & (place <= span - _WIDTH))
                shown = rows[here[fits] * span + place[fits]]
                differs = (shown != codes[fits]) & (shown != UNKNOWN_BASE)
                cost = (qualities[fits] * differs).sum(axis=1, dtype=np.int64)
                target = found[part]
                target[fits, which] = np.minimum(target[fits, which], cost)
    return found


def reach(anchor: int, deleted: int, inserted: npt.NDArray[np.uint8], reference: Codes, reference_start: int) -> tuple[int, int]:
    """Reference bases after the anchor within which a read cannot tell where the indel lies, and how easily one slips there.

    Deleted bases count among the former. The latter is the number of a repeat's copies, those of units of several bases halved.
    """
    after = reference[anchor + 1 - reference_start :][: deleted + REACH_BP + len(inserted)]
    if len(inserted) and not deleted:
        shifted = np.concatenate([inserted, after])[: len(after)]
    else:
        shifted = after[deleted:]
        after = after[: len(shifted)]
    differs = np.flatnonzero((after != shifted) | (after == UNKNOWN_BASE))
    free = min(int(differs[0]) if len(differs) else len(after), REACH_BP)
    unit = _unit(inserted if len(inserted) else after[:deleted])
    return deleted + free, free // unit // (1 if unit == 1 else 2)


def _unit(bases: npt.NDArray[np.uint8]) -> int:
    """Length of the shortest unit that bases are a repeat of; their own where they are none."""
    n = len(bases)
    return next((size for size in range(1, n) if n % size == 0 and (bases[size:] == bases[:-size]).all()), max(n, 1))
