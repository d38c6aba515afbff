"""Bases and qualities of aligned runs, in tiles of equal width: whole rows of bytes are moved, not single bases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from genospark.core.pileup import BASES, UNKNOWN_BASE
from genospark.ingest.reads.records import MISSING_QUALITY, PAD, Ints, Records
from genospark.ingest.reads.reference import LETTERS, Codes

TILE = 32
IGNORED = 254
"""Quality of a base that does not count; no sequencer writes it."""
_LETTERS_OF_BAM = "=ACMGRSVTWYHKDBN"
CODES_OF_BAM = np.array([LETTERS.find(letter) if letter in BASES else UNKNOWN_BASE for letter in _LETTERS_OF_BAM], np.uint8)
"""(16,) our code of each base code of BAM."""
# Codes of the two bases of a byte; seen as one number, a look-up gives both.
_PAIRS = np.stack([np.repeat(CODES_OF_BAM, 16), np.tile(CODES_OF_BAM, 16)], axis=1).view(np.uint16).ravel()
_STRANDS, _SLOTS = 2, UNKNOWN_BASE + 1
# Sums of qualities stay below it, so one double holds a number of bases and the sum of their qualities.
_ONE_BASE = float(1 << 26)
_STEP = 2048
"""Tiles counted together: their keys and weights stay in a core's cache."""


@dataclass(frozen=True)
class Runs:
    """Aligned runs within the positions that are piled up; arrays of length ``runs``.

    Attributes:
        read: Number of the read in the batch.
        start: First position, 0-based.
        end: Exclusive end.
        query: First base in the read.
    """

    read: Ints
    start: Ints
    end: Ints
    query: Ints


@dataclass(frozen=True)
class Tiles:
    """Bases of runs, cut into rows of ``TILE``.

    Attributes:
        read: (tiles,) number of the read in the batch.
        start: (tiles,) position of the first base, 0-based.
        codes: (tiles, TILE) uint8 base codes.
        qualities: (tiles, TILE) uint8 Phred qualities, at most the mapping quality of the read; IGNORED after the end of the run.
        first: (runs,) index of the first base of each run in the flattened tiles; the others follow it.
    """

    read: Ints
    start: Ints
    codes: Codes
    qualities: npt.NDArray[np.uint8]
    first: Ints


def tile_bases(records: Records, runs: Runs) -> Tiles:
    """Gather the bases and qualities of runs."""
    length = runs.end - runs.start
    run, within = cut(length, TILE)
    first = np.searchsorted(run, np.arange(len(length))) * TILE
    read, query = runs.read[run], runs.query[run] + within

    codes, qualities = read_rows(records, read, query, TILE)
    # A base is no surer than its read's place; a quality that is missing stays so.
    place = records.mapping_quality[read].astype(np.uint8)[:, None]
    qualities = np.where(qualities == MISSING_QUALITY, qualities, np.minimum(qualities, place))
    left = length[run] - within
    short = np.flatnonzero(left < TILE)
    qualities[short] = np.where(np.arange(TILE) < left[short, None], qualities[short], np.uint8(IGNORED))
    return Tiles(read, runs.start[run] + within, codes, np.ascontiguousarray(qualities), first)


def cut(length: Ints, width: int) -> tuple[Ints, Ints]:
    """Items of some lengths cut into rows: (rows,) number of the item, and where in it the row begins."""
    count = -(-length // width)
    item = np.repeat(np.arange(len(length)), count)
    return item, width * (np.arange(len(item)) - (np.cumsum(count) - count)[item])


def read_rows(records: Records, read: Ints, query: Ints, width: int) -> tuple[Codes, npt.NDArray[np.uint8]]:
    """(rows, width) codes and qualities of the bases of reads from base ``query`` on; beyond the end of a read anything."""
    qualities = bytes_from(records.buffer, width)[records.qualities[read] + query]
    half = 2 * records.bases[read] + query
    both = _PAIRS[bytes_from(records.buffer, width // 2 + 1)[half >> 1]].view(np.uint8)
    return np.where((half & 1 != 0)[:, None], both[:, 1 : width + 1], both[:, :width]), qualities


def bytes_from(buffer: npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.uint8]:
    """(bytes, width) the ``width`` bytes from each byte on, without a copy."""
    assert width <= PAD
    return np.ndarray((len(buffer) - width + 1, width), np.uint8, buffer, strides=(1, 1))


def effective_qualities(min_quality: int) -> Ints:
    """(256,) Phred quality that each stored quality stands for; a missing one is just good enough."""
    qualities = np.arange(256)
    qualities[MISSING_QUALITY] = min_quality
    return qualities


def sum_bases(tiles: Tiles, reverse: npt.NDArray[np.bool_], start: int, n: int, min_quality: int) -> tuple[Ints, Ints, int]:
    """Count bases by position, strand and letter.

    Args:
        tiles: Bases.
        reverse: (reads,) whether a read is on the reverse strand.
        start: First position, 0-based.
        n: Positions.
        min_quality: Phred; bases below it do not count.

    Returns:
        (n, 2, 4) bases of A, C, G, T on the forward and on the reverse strand; (n, 4) sums of their qualities; bases below
        ``min_quality``.
    """
    weights = effective_qualities(min_quality) + _ONE_BASE
    weights[:min_quality] = weights[IGNORED] = 0
    slots = _STRANDS * _SLOTS
    # A run's last tile reaches beyond its end, with bases that do not count.
    sums = np.zeros((n + TILE) * slots)
    keys, values = np.empty((_STEP, TILE), np.int64), np.empty((_STEP, TILE))
    for i in range(0, len(tiles.start), _STEP):
        rows = slice(i, i + _STEP)
        begin = int(tiles.start[rows].min()) - start
        first = (tiles.start[rows] - start - begin) * slots + reverse[tiles.read[rows]] * _SLOTS
        key, value = keys[: len(first)], values[: len(first)]
        np.add(first[:, None], np.arange(0, TILE * slots, slots), out=key)
        key += tiles.codes[rows]
        # The mode makes no difference here, but spares a copy.
        np.take(weights, tiles.qualities[rows], out=value, mode="clip")
        counted = np.bincount(key.ravel(), value.ravel())
        sums[begin * slots : begin * slots + len(counted)] += counted
    sums = sums[: n * slots].reshape(n, _STRANDS, _SLOTS)[:, :, :UNKNOWN_BASE]
    counts = np.floor(sums / _ONE_BASE)
    qualities = (sums - counts * _ONE_BASE).sum(axis=1)
    return counts.astype(np.int64), qualities.astype(np.int64), int(np.count_nonzero(tiles.qualities < min_quality))


def coverage(start: Ints, end: Ints, n: int, weights: Ints | None = None) -> Ints:
    """(n,) number of intervals, or sum of their weights, that cover each position; intervals are 0-based, half-open and clipped."""
    change = np.bincount(np.clip(start, 0, n), weights, n + 1) - np.bincount(np.clip(end, 0, n), weights, n + 1)
    # Sums of whole numbers are exact in doubles.
    covered: Ints = np.cumsum(change)[:n].astype(np.int64)
    return covered
