"""Bases that are not the reference's: what kind of reads show them. Artefacts stand on other reads than variants do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genospark.core.pileup import UNKNOWN_BASE
from genospark.ingest.reads.bases import IGNORED, TILE, Runs, Tiles, read_rows
from genospark.ingest.reads.records import PAD, Ints, Records
from genospark.ingest.reads.reference import Codes

NEIGHBOURHOOD_BP = 100
"""On either side of a base, within its aligned run."""
_SUPPORT = 2
_WIDTH = 2 * NEIGHBOURHOOD_BP + 1
_STEP = 4096
assert _WIDTH <= PAD


@dataclass(frozen=True)
class Alternates:
    """Means over the alternate bases of a position; (n,) each, and 0 where fewer than two reads show any.

    Attributes:
        mapping_quality: Phred.
        end_distance: Bases between it and the nearer end of the read.
        mismatches: Tenths of the number of other bases in the neighbourhood that are not the reference's.
    """

    mapping_quality: Ints
    end_distance: Ints
    mismatches: Ints


def describe(
    tiles: Tiles, runs: Runs, records: Records, reference: Codes, reference_start: int, start: int, n: int, least: int
) -> Alternates:
    """Describe the reads with alternate bases.

    Args:
        tiles: Bases.
        runs: Whole aligned runs that the tiles are of.
        records: Reads.
        reference: Codes of the reference bases, from 100 before the positions to 100 after them.
        reference_start: Position of the first of them, 0-based.
        start: First position.
        n: Positions.
        least: Phred quality that a base needs to count.
    """
    shown: Codes = np.ndarray((len(reference) - TILE + 1, TILE), np.uint8, np.ascontiguousarray(reference), strides=(1, 1))
    shown = shown[tiles.start - reference_start]
    wrong = (tiles.codes != shown) & (tiles.codes != UNKNOWN_BASE) & (shown != UNKNOWN_BASE)
    wrong &= (tiles.qualities >= least) & (tiles.qualities != IGNORED)
    tile, column = np.nonzero(wrong)
    position = tiles.start[tile] + column - start
    several = np.bincount(position, minlength=n) >= _SUPPORT
    kept = several[position]
    tile, column, position = tile[kept], column[kept], position[kept]
    run = np.searchsorted(tiles.first, tile * TILE, side="right") - 1
    read = runs.read[run]
    query = runs.query[run] + position + start - runs.start[run]
    count = np.maximum(np.bincount(position, minlength=n), 1)

    def mean(values: Ints) -> Ints:
        sums = np.bincount(position, values, n).astype(np.int64)
        rounded: Ints = (2 * sums + count) // (2 * count)
        return rounded

    others = _differences(runs, run, query, position + start, records, reference, reference_start)
    to_end = np.minimum(query, records.n_bases[read] - 1 - query)
    return Alternates(mean(records.mapping_quality[read]), mean(to_end), mean(10 * others))


def _differences(runs: Runs, run: Ints, query: Ints, position: Ints, records: Records, reference: Codes, reference_start: int) -> Ints:
    """(bases,) other bases near each that are not the reference's."""
    found = np.zeros(len(run), np.int64)
    for at in range(0, len(run), _STEP):
        part = slice(at, at + _STEP)
        here = run[part]
        back = np.minimum(NEIGHBOURHOOD_BP, position[part] - runs.start[here])
        ahead = np.minimum(NEIGHBOURHOOD_BP + 1, runs.end[here] - position[part])
        codes, _ = read_rows(records, runs.read[here], query[part] - back, _WIDTH)
        place = position[part] - back - reference_start
        padded = np.pad(reference, (0, _WIDTH), constant_values=UNKNOWN_BASE)
        shown = np.ndarray((len(padded) - _WIDTH + 1, _WIDTH), np.uint8, padded, strides=(1, 1))[place]
        differs = (codes != shown) & (codes != UNKNOWN_BASE) & (shown != UNKNOWN_BASE)
        differs &= np.arange(_WIDTH) < (back + ahead)[:, None]
        found[part] = differs.sum(axis=1) - 1
    return found
