"""Base-quality recalibration: how often bases are wrong, by what their quality says, by machine cycle and by the two bases there.

Reported qualities are a sequencer's own estimate; where they claim too much, chance errors look like variants. Mismatches at places that
are no variants say how often bases are wrong (DePristo et al. 2011, Nat Genet 43:491). As there, a base's empirical Phred quality is that
of its reported quality, plus what its cycle and what its context add; each factor is drawn towards what is known without it, so that rare
combinations change little.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.bases import TILE, bytes_from, cut, read_rows
from genospark.ingest.reads.records import MISSING_QUALITY, Ints, Records
from genospark.ingest.reads.reference import Codes

Floats = npt.NDArray[np.float64]
KEPT_BELOW = 6
"""Reported qualities below it mark bases that the sequencer gives up; they stay."""
BEST = 60
"""No quality is above it: a sample of reads tells no more."""
_TOP = 93
_MISSING = _TOP + 1
_LEVELS = _TOP + 2
_CYCLE_BP, _CYCLE_BINS = 10, 32
_CYCLES = 2 * _CYCLE_BINS
_CONTEXTS = (UNKNOWN_BASE + 1) * UNKNOWN_BASE
SHAPE = (_LEVELS, _CYCLES, _CONTEXTS)
"""Reported qualities (the last for none), cycles of first and of second reads, and base before and base itself as sequenced."""
CELLS = _LEVELS * _CYCLES * _CONTEXTS
_LEVEL = np.minimum(np.arange(256), _TOP)
_LEVEL[MISSING_QUALITY] = _MISSING
_COMPLEMENT = np.array([3, 2, 1, 0, UNKNOWN_BASE], np.uint8)
_REVERSE, _SECOND = 0x10, 0x80
# Errors that a factor needs to count as much as what is known without it.
_PRIOR_ERRORS = 20.0
_PRIOR_RATE = 1e-2
_STEP = 4096


@dataclass(frozen=True)
class Recalibration:
    """Empirical Phred qualities as sums.

    Attributes:
        quality: Of each reported quality, [levels]; NaN for one that no base has.
        cycle: What a cycle adds to it, [levels, cycles].
        context: What a context adds to it, [levels, contexts].
    """

    quality: npt.NDArray[np.float32]
    cycle: npt.NDArray[np.float32]
    context: npt.NDArray[np.float32]

    def table(self) -> npt.NDArray[np.uint8]:
        """(CELLS,) the quality that a base gets."""
        found = self.quality[:, None, None] + self.cycle[:, :, None] + self.context[:, None, :]
        # What is not in the sample stays as it is.
        kept = np.isnan(self.quality) | (np.arange(_LEVELS) < KEPT_BELOW)
        stated = np.where(np.arange(_LEVELS) == _MISSING, MISSING_QUALITY, np.arange(_LEVELS))
        rounded = np.rint(np.clip(np.nan_to_num(found), 1, BEST))
        table: npt.NDArray[np.uint8] = np.where(kept[:, None, None], stated[:, None, None], rounded).astype(np.uint8).ravel()
        return table

    def to_bytes(self) -> bytes:
        """In some kilobytes, to a thousandth of a Phred where that is small."""
        return b"".join(getattr(self, field.name).astype(np.float16).tobytes() for field in fields(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> Recalibration:
        """The inverse of ``to_bytes``."""
        values = np.frombuffer(data, np.float16).astype(np.float32)
        quality, cycle, context = np.split(values, [_LEVELS, _LEVELS * (1 + _CYCLES)])
        return cls(quality, cycle.reshape(_LEVELS, _CYCLES), context.reshape(_LEVELS, _CONTEXTS))


def fit(bases: Ints, errors: Ints) -> Recalibration:
    """Qualities from counts.

    Args:
        bases: (CELLS,) bases of each kind.
        errors: (CELLS,) those of them that are wrong.
    """
    n, wrong = bases.reshape(SHAPE).astype(float), errors.reshape(SHAPE).astype(float)
    by_level, wrong_by_level = n.sum(axis=(1, 2)), wrong.sum(axis=(1, 2))
    stated = 10 ** (-np.arange(_LEVELS) / 10)
    # Nothing is stated of bases without a quality: those of the sample speak for them.
    stated[_MISSING] = (wrong_by_level[_MISSING] + _PRIOR_RATE) / (by_level[_MISSING] + 1)
    expected = by_level * stated
    whole = _ratio(wrong_by_level.sum(), expected.sum())
    rate = stated * whole * _ratio(wrong_by_level, expected * whole)
    cycle = _ratio(wrong.sum(axis=2), n.sum(axis=2) * rate[:, None])
    context = _ratio(wrong.sum(axis=1), np.einsum("qcx,qc->qx", n, rate[:, None] * cycle))
    return Recalibration(
        np.where(by_level > 0, _phred(rate), np.nan).astype(np.float32),
        _phred(cycle).astype(np.float32),
        _phred(context).astype(np.float32),
    )


def mean_qualities(bases: Ints, errors: Ints) -> tuple[float, float] | None:
    """Phred of the mean chance of an error that qualities state, and of that which counts show; None without a base with a quality."""
    n, wrong = (counts.reshape(SHAPE).sum(axis=(1, 2))[:_MISSING] for counts in (bases, errors))
    total = n.sum()
    if not total:
        return None
    stated = (n * 10 ** (-np.arange(_MISSING) / 10)).sum() / total
    # Without any error the chance is below one in so many bases.
    return float(_phred(stated)), float(_phred(max(int(wrong.sum()), 1) / total))


def recalibrate(records: Records, first: int, table: npt.NDArray[np.uint8]) -> None:
    """Writes new qualities into the records from ``first`` on; bases that are none of A, C, G, T keep theirs.

    Args:
        records: Reads.
        first: Number of the first record that still has its reported qualities.
        table: See ``Recalibration.table``.
    """
    item, offset = cut(records.n_bases[first:], TILE)
    for at in range(0, len(item), _STEP):
        read, query = item[at : at + _STEP] + first, offset[at : at + _STEP]
        cells, codes = describe(records, read, query)
        place = (records.qualities[read] + query)[:, None] + np.arange(TILE)
        known = (np.arange(TILE) < (records.n_bases[read] - query)[:, None]) & (codes != UNKNOWN_BASE)
        records.buffer[place[known]] = table[cells[known]]


def describe(records: Records, read: Ints, query: Ints) -> tuple[Ints, Codes]:
    """(rows, TILE) kind of each base, a number below CELLS, and its code; of no meaning beyond the end of a read.

    Args:
        records: Reads.
        read: (rows,) number of the read.
        query: (rows,) first base.
    """
    codes, _ = read_rows(records, read, query - 1, TILE + 2)
    qualities = bytes_from(records.buffer, TILE)[records.qualities[read] + query]
    reverse = (records.flag[read] & _REVERSE != 0)[:, None]
    index = query[:, None] + np.arange(TILE)
    cycle = np.maximum(np.where(reverse, records.n_bases[read][:, None] - 1 - index, index), 0)
    own = codes[:, 1:-1]
    before = np.where(reverse, _COMPLEMENT[codes[:, 2:]], codes[:, :-2])
    before = np.where(cycle == 0, UNKNOWN_BASE, before)
    context = UNKNOWN_BASE * before.astype(np.int64) + np.minimum(np.where(reverse, _COMPLEMENT[own], own), UNKNOWN_BASE - 1)
    bins = np.minimum(cycle // _CYCLE_BP, _CYCLE_BINS - 1) + _CYCLE_BINS * (records.flag[read] & _SECOND != 0)[:, None]
    cells: Ints = (_LEVEL[qualities] * _CYCLES + bins) * _CONTEXTS + context
    return cells, own


def _ratio(found: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """How many times as many errors there are as expected, drawn towards 1."""
    ratio: Floats = (np.asarray(found, float) + _PRIOR_ERRORS) / (np.asarray(expected, float) + _PRIOR_ERRORS)
    return ratio


def _phred(chance: npt.ArrayLike) -> Floats:
    phred: Floats = -10 * np.log10(np.asarray(chance, float))
    return phred
