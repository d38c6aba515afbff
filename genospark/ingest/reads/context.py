"""What the reference says about a position: runs of one base, and tandem repeats. Where these are long, sequencers and aligners err."""

from __future__ import annotations

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.cigars import Bools
from genospark.ingest.reads.records import Ints
from genospark.ingest.reads.reference import Codes

UNITS = range(1, 7)
"""Lengths of a repeated unit that are looked for."""
MOST_BP = 100
"""Longer runs and repeats count as so long."""
MARGIN = MOST_BP + UNITS[-1]
"""Bases on both sides that have to be known."""


def homopolymers(reference: Codes) -> Ints:
    """(n,) length of the run of one base that each of n positions lies in; 0 at unknown bases.

    Args:
        reference: (n + 2 MARGIN,) codes of the bases, `MARGIN` on both sides of the n.
    """
    ahead = _equal_ahead(reference, 1)
    behind = _equal_ahead(reference[::-1], 1)[::-1]
    inside = slice(MARGIN, len(reference) - MARGIN)
    run = np.minimum(ahead[inside] + behind[inside] + 1, MOST_BP)
    return np.where(reference[inside] == UNKNOWN_BASE, 0, run)


def repeats(reference: Codes) -> tuple[Ints, Ints]:
    """Unit and length in base pairs of the longest tandem repeat that begins after each position; (n,) and (n,), 0 where none does.

    A repeat has two copies of its unit at least; of equally long ones the shorter unit counts.

    Args:
        reference: As of `homopolymers`.
    """
    first = MARGIN + 1
    n = len(reference) - 2 * MARGIN
    unit, length = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for size in UNITS:
        equal = _equal_ahead(reference, size)[first : first + n]
        whole = np.where(equal >= size, np.minimum(equal + size, MOST_BP), 0)
        longer = whole > length
        unit[longer], length[longer] = size, whole[longer]
    return unit, length


def begins(reference: Codes, unit: Ints) -> Bools:
    """(n,) whether the repeat after a position, of a unit, does not reach to the position itself; true where there is none.

    Args:
        reference: As of `homopolymers`.
        unit: (n,) as of `repeats`.
    """
    place = np.arange(MARGIN, len(reference) - MARGIN)
    alone: Bools = (unit == 0) | (reference[place] != reference[place + unit])
    return alone


def _equal_ahead(reference: Codes, distance: int) -> Ints:
    """(n,) from each position on, how many bases in a row equal the one `distance` after them."""
    n = len(reference)
    differs = np.ones(n, bool)
    differs[:-distance] = (reference[:-distance] != reference[distance:]) | (reference[:-distance] == UNKNOWN_BASE)
    stops = np.where(differs, np.arange(n), n)
    following: Ints = np.minimum.accumulate(stops[::-1])[::-1] - np.arange(n)
    return following
