"""Paired-end sequencing of a person's two haplotypes, with the errors and oddities of real runs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from genospark.simulate.alignment import MATCH, place
from genospark.simulate.arrays import Bools, Bytes, Floats, Ints
from genospark.simulate.artefacts import add_systematic_errors, systematic_errors
from genospark.simulate.bam import Alignments
from genospark.simulate.haplotypes import Haplotype

READ_BP = 150
INSERT_BP = 350.0
INSERT_SPREAD_BP = 60.0
MAX_INSERT_BP = 700
DUPLICATES = 0.05  # of fragments
QC_FAILS = 0.003  # of fragments
SECONDARIES = 0.002  # of reads
UNSURE = 0.01  # of reads: mapping quality 0 to 10
UNSURE_DIVERGENCE = 0.02  # such a read comes from a similar place elsewhere
SURE_QUALITY, MAX_UNSURE_QUALITY = 60, 10

PAIRED, PROPER, REVERSE, MATE_REVERSE, FIRST, SECOND = 0x1, 0x2, 0x10, 0x20, 0x40, 0x80
SECONDARY, QC_FAIL, DUPLICATE = 0x100, 0x200, 0x400

BEST_QUALITY = 41
# The eight levels that Illumina's instruments since the HiSeq X write: lowest quality of each, and what is written.
QUALITY_LEVELS = ((0, 2), (3, 6), (10, 15), (20, 22), (25, 27), (30, 33), (35, 37), (40, 40))
# True error rate above the one that the quality says, as found in real runs before recalibration.
EXCESS_FACTOR, EXCESS_ERROR = 1.25, 1e-4

NUMBER_OF_BASE = np.zeros(256, dtype=np.uint8)
NUMBER_OF_BASE[list(b"ACGT")] = 1, 2, 4, 8


@dataclass(frozen=True)
class _Fragments:
    """Sequenced pieces of DNA. All arrays are [fragments].

    Attributes:
        start: Index of the first base in both haplotypes one after the other.
        size: Bases.
        turned: Whether the first read of the pair is the reverse one.
        flag: ``QC_FAIL`` or ``DUPLICATE`` where the fragment is one, else 0.
    """

    start: Ints
    size: Ints
    turned: Bools
    flag: Ints


def _draw_fragments(lengths: Ints, depth: float, rng: np.random.Generator) -> _Fragments:
    """Fragments of two haplotypes so that reads of good fragments have the mean depth asked for, then failed ones, then duplicates."""
    n_good = round(depth * (lengths.mean() - INSERT_BP) / (2 * READ_BP))
    n_failed, n_duplicates = (round(n_good * share / (1 - DUPLICATES - QC_FAILS)) for share in (QC_FAILS, DUPLICATES))
    n = n_good + n_failed
    size = rng.normal(INSERT_BP, INSERT_SPREAD_BP, n).round().clip(READ_BP, MAX_INSERT_BP).astype(np.int64)
    strand = rng.integers(0, 2, n)
    start = strand * lengths[0] + (rng.random(n) * (lengths[strand] - size + 1)).astype(np.int64)
    drawn = _Fragments(start, size, rng.random(n) < 0.5, np.where(np.arange(n) < n_good, 0, QC_FAIL))
    copied = rng.integers(0, n_good, n_duplicates)
    with_copies = np.concatenate([np.arange(n), copied])
    fragments = _Fragments(*(getattr(drawn, field.name)[with_copies] for field in fields(drawn)))
    fragments.flag[n:] |= DUPLICATE
    return fragments


def draw_reads(pair: tuple[Haplotype, Haplotype], depth: float, systematic: float, rng: np.random.Generator) -> Alignments:
    """Draw read pairs of a person's two haplotypes over one region.

    Args:
        pair: The haplotypes.
        depth: Mean depth over both, duplicates, failed and secondary reads not counted.
        systematic: Places with systematic errors, for each base.
        rng: Random generator.

    Returns:
        Reads sorted by start.
    """
    both = pair[0] + pair[1]
    fragments = _draw_fragments(np.array([len(pair[0]), len(pair[1])]), depth, rng)
    n = len(fragments.start)
    first = np.concatenate([fragments.start, fragments.start + fragments.size - READ_BP])  # left reads, then their right mates
    placed = place(both, first, READ_BP)
    mate = np.roll(np.arange(2 * n), n)
    template = np.maximum(placed.stop, placed.stop[mate]) - np.minimum(placed.start, placed.start[mate])
    template[n:] *= -1
    turned = np.concatenate([fragments.turned, ~fragments.turned])
    flag = PAIRED | PROPER | np.where(turned, SECOND, FIRST) | np.tile(fragments.flag, 2)
    flag |= np.repeat([MATE_REVERSE, REVERSE], n)

    unsure = rng.random(2 * n) < UNSURE
    mapping_quality = np.where(unsure, rng.integers(0, MAX_UNSURE_QUALITY + 1, 2 * n), SURE_QUALITY).astype(np.uint8)
    quality = _draw_qualities(flag, rng)
    bases = sliding_window_view(NUMBER_OF_BASE[both.sequence], READ_BP)[first]
    _add_errors(bases, quality, np.where(unsure, UNSURE_DIVERGENCE, 0), rng)
    add_systematic_errors(bases, first, flag & REVERSE > 0, systematic_errors(both, systematic), NUMBER_OF_BASE, rng)
    reads = Alignments(
        fragment=np.tile(np.arange(n), 2),
        flag=flag,
        start=placed.start,
        stop=placed.stop,
        mapping_quality=mapping_quality,
        mate_start=placed.start[mate],
        template_length=template,
        cigar=placed.cigar,
        sequence=bases,
        quality=_written_quality()[quality],
    )
    return _with_secondaries(reads, rng)


def _with_secondaries(reads: Alignments, rng: np.random.Generator) -> Alignments:
    """The reads and, for a few of them, another alignment at a wrong place, sorted by start."""
    n = len(reads.start)
    rows = np.concatenate([np.arange(n), rng.integers(0, n, round(SECONDARIES * n))])
    reads = reads.take(rows)
    wrong = slice(n, len(rows))
    reads.flag[wrong] = reads.flag[wrong] & ~PROPER | SECONDARY
    reads.start[wrong] = rng.integers(reads.start.min(), reads.start.max() + 1, len(rows) - n)
    reads.stop[wrong] = reads.start[wrong] + READ_BP
    reads.mapping_quality[wrong] = reads.template_length[wrong] = 0
    reads.cigar[wrong] = 0
    reads.cigar[wrong, 0] = READ_BP << 4 | MATCH
    return reads.take(np.argsort(reads.start, kind="stable"))


def _quality_profile() -> Bytes:
    """Quality of each cycle at 256 equally likely ranks, [cycles, ranks]: best after the first cycles, then falling and spreading."""
    cycle = np.arange(READ_BP)[:, None]
    late = cycle / (READ_BP - 1)
    mean, spread = 39.5 - 3 * np.exp(-cycle / 4) - 5 * late**2, 1.5 + 2.5 * late
    tail = -np.log((np.arange(256) + 0.5) / 256)  # exponential: a few bases are much worse than the rest
    profile: Bytes = (mean + spread * (1 - tail)).round().clip(2, BEST_QUALITY).astype(np.uint8)
    return profile


def _written_quality() -> Bytes:
    """The level written for each quality, [qualities]."""
    lowest, level = np.array(QUALITY_LEVELS, dtype=np.uint8).T
    written: Bytes = level[np.searchsorted(lowest, np.arange(BEST_QUALITY + 1), side="right") - 1]
    return written


def _error_rate() -> NDArray[np.float32]:
    """True rate of substitutions at each quality, [qualities]."""
    rate: Floats = EXCESS_FACTOR * 10 ** (-np.arange(BEST_QUALITY + 1) / 10) + EXCESS_ERROR
    return np.minimum(rate, 0.75).astype(np.float32)


def _draw_qualities(flag: Ints, rng: np.random.Generator) -> Bytes:
    """Qualities before they are rounded to levels, in the order of the reference, [reads, cycles]."""
    n = len(flag)
    profile = _quality_profile().ravel()
    ranks = rng.integers(0, 256, (n, READ_BP), dtype=np.uint8)
    quality = profile[ranks + np.arange(READ_BP, dtype=np.uint16) * 256]
    worse = rng.exponential(1.5, n) + (flag & SECOND > 0) + 15 * (flag & QC_FAIL > 0)
    lowered = quality.astype(np.int8) - worse.clip(0, 30).astype(np.int8)[:, None]
    quality = np.maximum(lowered, 2).astype(np.uint8)
    reverse = flag & REVERSE > 0
    quality[reverse] = quality[reverse, ::-1]
    return quality


def _add_errors(bases: Bytes, quality: Bytes, divergence: Floats, rng: np.random.Generator) -> None:
    """Replace bases [reads, cycles] by other ones, at the rates that belong to their qualities plus ``divergence`` [reads]."""
    rate = _error_rate()[quality]
    rate += divergence.astype(np.float32)[:, None]
    wrong = rng.random(bases.shape, dtype=np.float32) < rate
    # Bases are one bit of four: turning the four bits by 1 to 3 places gives another base.
    turned = bases[wrong].astype(np.uint16) << rng.integers(1, 4, np.count_nonzero(wrong), dtype=np.uint16)
    bases[wrong] = ((turned | turned >> 4) & 15).astype(np.uint8)
